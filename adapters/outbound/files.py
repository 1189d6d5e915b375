"""Local files an operator has named: opened with care, and told of by their names alone."""

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

#: What stands in place of a host, for files have none.
HOST = "file"

_LINE = "#line="


class LocalFile(msgspec.Struct, frozen=True):
    """A file on this machine; `charset` says what its bytes are, where that is not UTF-8.

    Nothing that others get to see holds more of the path than the file's own name.
    """

    path: Path
    charset: str = "utf-8"

    @property
    def name(self) -> str:
        """The name of the file, without the folders it is in."""
        return self.path.name

    @property
    def content_type(self) -> str:
        """What it holds, as an upstream would say."""
        return f"text/csv; charset={self.charset}"

    def url(self, line: int) -> str:
        """The address of what begins on one of its lines."""
        return f"{HOST}:///{quote(self.name)}{_LINE}{line}"

    def open(self) -> "OpenFile":
        """Open it; SourceUnavailable when it cannot be, UnexpectedContent when it is too large."""
        with self.reading():
            # A pipe would be waited for, and a device read for ever.
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
        """Turn what the system says against reading into SourceUnavailable."""
        try:
            yield
        except OSError as error:
            raise SourceUnavailable(f"{self.name} cannot be read: {error.strerror}") from error


class OpenFile:
    """A file that is being read, as it was when it was opened."""

    def __init__(self, named: LocalFile, content: BinaryIO) -> None:
        self.content = content
        self._named = named
        found = os.fstat(content.fileno())
        self.size = found.st_size
        self._written = _written(found)
        # A file put in its place may have its size, and be given its time.
        self._identity = (*self._written, found.st_ino, found.st_ctime_ns)

    @property
    def text(self) -> Readable:
        """What is read from it: its bytes, or what is in them where they are gzip."""
        return unpacking(self.content, MAX_SIZE)

    @property
    def etag(self) -> str:
        """Another one once the file has changed, or another file is read or stands in its place."""
        told = f"{self._named.path.absolute()} {self._named.charset} {self._identity}"
        return f'"{hashlib.sha256(told.encode(errors="replace")).hexdigest()[:32]}"'

    def check(self) -> None:
        """SourceUnavailable when it was changed while it was read: half of it may be new."""
        # Not by all that tells files apart: who may read it can change without what is in it.
        if _written(os.fstat(self.content.fileno())) != self._written:
            raise SourceUnavailable(
                f"{self._named.name} was changed while it was read, so nothing of it is used",
                code="incomplete",
            )

    def close(self) -> None:
        """Let go of it."""
        self.content.close()


def _written(found: os.stat_result) -> tuple[int, int]:
    """When a file was last written, and how long it is."""
    return found.st_mtime_ns, found.st_size


def file_of(text: str) -> LocalFile | None:
    """The file a path or a file:// URL names, or None when it is the URL of something else.

    `?charset=windows-1252` behind a URL says what the file's bytes are. SourceRefused for a file
    of another machine, and for a charset that is not known.
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
    """The number of the line on which a page of a file begins; None for any other address."""
    place, mark, line = url.partition(_LINE)
    return int(line) if mark and place.startswith(f"{HOST}:") else None
