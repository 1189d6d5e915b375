"""Local files named by the operator: only regular files are read, and no path is shown."""

import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO
from urllib.parse import parse_qs, quote, unquote, urlsplit

import msgspec

from adapters.outbound.formats.bounds import MIB
from adapters.outbound.formats.charsets import charset_named
from adapters.outbound.formats.packed import Readable, unpacking
from domain.errors import SourceRefused, SourceUnavailable, UnexpectedContent

MAX_SIZE = 1024 * MIB

#: The host name of files, which have none.
HOST = "file"

_LINE = "#line="


class LocalFile(msgspec.Struct, frozen=True):
    """A file on this machine, in the charset `charset`.

    Messages and URLs contain only the name of the file, not its path.
    """

    path: Path
    charset: str = "utf-8"

    @property
    def name(self) -> str:
        """Return the name of the file, without its folders."""
        return self.path.name

    @property
    def content_type(self) -> str:
        """Return the content type, as an upstream would send it."""
        return f"text/csv; charset={self.charset}"

    def url(self, line: int) -> str:
        """Return the URL of a page that starts on this line."""
        return f"{HOST}:///{quote(self.name)}{_LINE}{line}"

    def open(self) -> "OpenFile":
        """Open the file; raise SourceUnavailable, or UnexpectedContent if it is too large."""
        with self.reading():
            # Opening a pipe would block, and reading a device might never end.
            if not stat.S_ISREG(self.path.stat().st_mode):
                raise SourceUnavailable(f"{self.name} is not a file that can be read")
            opened = OpenFile(self, self.path.open("rb"))
        if opened.size > MAX_SIZE:
            opened.close()
            raise UnexpectedContent(
                f"{self.name} is larger than {MAX_SIZE // MIB} MiB, which is not read",
                code="too_large",
            )
        return opened

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Translate every OSError into SourceUnavailable."""
        try:
            yield
        except OSError as error:
            raise SourceUnavailable(f"{self.name} cannot be read: {error.strerror}") from error


class OpenFile:
    """An open file, with its identity at the time of opening."""

    def __init__(self, named: LocalFile, content: BinaryIO) -> None:
        self.content = content
        self._named = named
        found = os.fstat(content.fileno())
        self.size = found.st_size
        self._written = _written(found)
        # A replaced file may have the same size and time.
        self._identity = (*self._written, found.st_ino, found.st_ctime_ns)

    @property
    def text(self) -> Readable:
        """Return the content, unpacked if it is gzip."""
        return unpacking(self.content, MAX_SIZE)

    @property
    def etag(self) -> str:
        """Return a value that differs for another, a changed or a replaced file."""
        identity = f"{self._named.path.absolute()} {self._named.charset} {self._identity}"
        return f'"{hashlib.sha256(identity.encode(errors="replace")).hexdigest()[:32]}"'

    def check(self) -> None:
        """Raise SourceUnavailable if the file was changed meanwhile: its parts may not match."""
        # Not by the whole identity: permissions may change without the content.
        if _written(os.fstat(self.content.fileno())) != self._written:
            raise SourceUnavailable(
                f"{self._named.name} was changed while it was read, so nothing of it is used",
                code="incomplete",
            )

    def close(self) -> None:
        """Close the file."""
        self.content.close()


def _written(found: os.stat_result) -> tuple[int, int]:
    """Return the time of the last write, and the size."""
    return found.st_mtime_ns, found.st_size


def file_of(text: str) -> LocalFile | None:
    """Return the file that a path or a file:// URL names; None for any other URL.

    `?charset=windows-1252` in the URL names the charset of the file. Raise SourceRefused for a file
    of another machine, and for an unknown charset.
    """
    if not text.lower().startswith(f"{HOST}:"):
        return None if "://" in text else LocalFile(Path(text))
    parts = urlsplit(text)
    if parts.hostname not in (None, "localhost") or not parts.path.strip("/"):
        raise SourceRefused(
            "the address of a local file is file:///PATH, with three slashes", code="url_refused"
        )
    charset = parse_qs(parts.query).get("charset", ["utf-8"])[0]
    if charset_named(charset) is None:
        raise SourceRefused(
            f"the charset {charset[:40]!r} of the local file is not known; name one of text that"
            " Python decodes, such as windows-1252, or none for UTF-8",
            code="unknown_charset",
        )
    return LocalFile(Path(unquote(parts.path)), charset)


def first_line(url: str) -> int | None:
    """Return the number of the first line of a page of a file; None for any other URL."""
    file, mark, line = url.partition(_LINE)
    return int(line) if mark and file.startswith(f"{HOST}:") else None
