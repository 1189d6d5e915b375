"""Glances at SQLite: reads that end at once, on the event loop's own thread.

A thread costs more than the read itself, where an index leads straight to a few rows: handing over,
waking up, and quarrelling over the interpreter at every row.
"""

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from adapters.sql.database import Row
from adapters.sql.sqlite_connections import connect, translation

#: After twice as many steps of SQLite's machine, a millisecond or two, it was no short read.
_STEPS = 10_000
_GIVEN_UP = {sqlite3.SQLITE_INTERRUPT, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}


class Glance:
    """One read-only connection that never makes its caller wait."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None
        self._ticks = 0

    def read(self, queries: Sequence[tuple[str, list[Any]]]) -> list[list[Row]] | None:
        """The rows of several queries on one state of the data; None when they take too long."""
        connection = self._connection or self._opened()
        self._ticks = 0
        try:
            if len(queries) == 1:  # one statement is one state of the data anyway
                [(text, values)] = queries
                return [connection.execute(text, values).fetchall()]
            connection.execute("BEGIN")
            try:
                return [connection.execute(text, values).fetchall() for text, values in queries]
            finally:
                if connection.in_transaction:  # some errors have ended it already
                    connection.execute("COMMIT")
        except sqlite3.DatabaseError as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF in _GIVEN_UP:
                return None
            raise translation(error) from error

    def close(self) -> None:
        """Close the connection, if there was ever one."""
        if self._connection is not None:
            self._connection.close()

    def _opened(self) -> sqlite3.Connection:
        connection = self._connection = connect(self._path, read_only=True)
        connection.execute("PRAGMA busy_timeout=0")
        connection.set_progress_handler(self._takes_long, _STEPS)
        return connection

    def _takes_long(self) -> bool:
        # SQLite counts on from the statement's last run, so that one tick alone says nothing.
        self._ticks += 1
        return self._ticks > 2
