"""Bodies and files that are gzip by their first bytes, whatever they are called: unpacked."""

import gzip
import io
import zlib
from typing import BinaryIO, Protocol

from adapters.outbound.formats.bounds import MIB
from domain.errors import UnexpectedContent
from domain.payloads import GZIP

#: A body may have so many bytes once it is unpacked, as one of which HTTP says that it is packed.
MAX_BODY = 100 * MIB


class Readable(Protocol):
    """What bytes are read from, block by block."""

    def read(self, size: int, /) -> bytes:
        """Return the next bytes, at most so many; nothing at the end."""


class Unpacking(Readable):
    """Unpacks gzip as it is read; UnexpectedContent when it is damaged, cut short or too large."""

    def __init__(self, packed: BinaryIO, most: int) -> None:
        self._file = gzip.GzipFile(fileobj=packed, mode="rb")
        self._most = most
        self._size = 0

    def read(self, size: int, /) -> bytes:
        """Return the next unpacked bytes, at most so many; nothing at the end."""
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
    """Return what a body holds: itself, or what is in it where it is gzip."""
    return Unpacking(io.BytesIO(body), MAX_BODY).read(MAX_BODY + 1) if _is_gzip(body) else body


def unpacking(file: BinaryIO, most: int) -> Readable:
    """Return what a file is read from: itself, or what is in it, `most` bytes, where it is gzip."""
    head = file.read(len(GZIP))
    file.seek(0)
    return Unpacking(file, most) if _is_gzip(head) else file


def _is_gzip(head: bytes) -> bool:
    return head.startswith(GZIP)
