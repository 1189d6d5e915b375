"""The database file: whether its path still leads to the file that is open."""

import os
from pathlib import Path

from domain.errors import StoreUnavailable


class DatabaseFile:
    """The file at a path, by device and inode, as it was when it was first used."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: tuple[int, int] | None = None

    def check(self) -> None:
        """Raise StoreUnavailable if the path leads to another file, or to none.

        What is written to a file without its name is lost with the process.
        """
        try:
            found = os.stat(self._path)
        except OSError:
            inode = None
        else:
            inode = found.st_dev, found.st_ino
        if self._known is None:
            self._known = inode
        elif inode != self._known:
            raise StoreUnavailable(
                "the database file was moved, replaced or deleted; put it back, or restart"
            )
