"""Gzip inside bodies and files, recognised by its first bytes, and unpacked within limits."""

import gzip
import io
import zlib
from typing import BinaryIO, Protocol

from adapters.outbound.formats.bounds import MIB
from domain.errors import UnexpectedContent
from domain.payloads import GZIP

#: The most bytes of an unpacked body, as for one with a Content-Encoding.
MAX_BODY = 100 * MIB


class Readable(Protocol):
    """A reader of bytes, block by block."""

    def read(self, size: int, /) -> bytes:
        """Return the next bytes, at most `size`; none at the end."""


class Unpacking(Readable):
    """A reader that unpacks gzip; it raises UnexpectedContent if that is damaged or too large."""

    def __init__(self, packed: BinaryIO, most: int) -> None:
        self._file = gzip.GzipFile(fileobj=packed, mode="rb")
        self._most = most
        self._size = 0

    def read(self, size: int, /) -> bytes:
        """Return the next unpacked bytes, at most `size`; none at the end."""
        try:
            block = self._file.read(size)
        except EOFError as error:
            raise UnexpectedContent("the gzip data is cut short", code="incomplete") from error
        except (gzip.BadGzipFile, zlib.error) as error:
            raise UnexpectedContent("the gzip data is damaged", code="bad_encoding") from error
        self._size += len(block)
        if self._size > self._most:
            raise UnexpectedContent(
                f"the gzip data holds more than {self._most // MIB} MiB, which is not read",
                code="too_large",
            )
        return block


def unpacked(body: bytes) -> bytes:
    """Return a body, unpacked if it is gzip."""
    return Unpacking(io.BytesIO(body), MAX_BODY).read(MAX_BODY + 1) if _is_gzip(body) else body


def unpacking(file: BinaryIO, most: int) -> Readable:
    """Return the reader of a file, which unpacks up to `most` bytes if it is gzip."""
    head = file.read(len(GZIP))
    file.seek(0)
    return Unpacking(file, most) if _is_gzip(head) else file


def _is_gzip(head: bytes) -> bool:
    return head.startswith(GZIP)
