"""Framing of request bodies: where each one ends (RFC 9112, 6 and 7).

Anything that an intermediary might frame differently is refused.
"""

import re
from collections.abc import Iterable
from typing import Protocol

from adapters.http.protocol.problems import Refusal

MAX_URL_BYTES = 8 * 1024
#: The limit of a request line with its headers, and of trailers.
MAX_HEAD_BYTES = 32 * 1024
#: The limit of the line before a chunk: its size, and extensions, which are ignored.
MAX_SIZE_LINE_BYTES = 1024

_CRLF = b"\r\n"
_SIZE_LINE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\r\n\0]*)?\r\n")
_TRAILER = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+:[^\r\n\0]*\r\n")


class Body(Protocol):
    """A body while it arrives."""

    is_complete: bool

    def take(self, data: bytes) -> tuple[bytes, bytes]:
        """Return the content in this data, and the data after the body.

        Raise a Refusal for invalid framing; the connection cannot be used after that.
        """


def body_of(headers: Iterable[tuple[bytes, bytes]]) -> Body:
    """Return the body that headers announce; raise a Refusal for codings other than `chunked`.

    The parser has accepted the headers, so at most one of them describes the framing.
    """
    for name, value in headers:
        if name == b"content-length":
            return LengthBody(int(value))
        if name == b"transfer-encoding":
            if value.strip().lower() != b"chunked":
                raise malformed("the only supported transfer coding is chunked")
            return ChunkedBody()
    return LengthBody(0)


def malformed(detail: str) -> Refusal:
    """Return the refusal of an invalid request."""
    return Refusal("malformed_request", detail)


class LengthBody:
    """A body of a known length."""

    def __init__(self, length: int) -> None:
        self._left = length
        self.is_complete = not length

    def take(self, data: bytes) -> tuple[bytes, bytes]:
        """Return the content in this data, and the data after the body."""
        content = data[: self._left]
        self._left -= len(content)
        self.is_complete = not self._left
        return content, data[len(content) :]


class ChunkedBody:
    """A body in chunks; trailers are checked and dropped."""

    def __init__(self) -> None:
        self.is_complete = False
        self._unread = b""
        #: What is left of the current chunk, with its line end.
        self._left = 0
        self._in_trailers = False
        self._trailer_bytes = 0

    def take(self, data: bytes) -> tuple[bytes, bytes]:
        """Return the content in this data, and the data after the body."""
        data, self._unread = self._unread + data, b""
        content = bytearray()
        at = 0
        while at < len(data) and not self.is_complete:
            if self._left:
                taken = self._chunk(data, at, content)
            elif self._in_trailers:
                taken = self._trailer(data, at)
            else:
                taken = self._size(data, at)
            if not taken:
                self._unread = data[at:]
                return bytes(content), b""
            at += taken
        return bytes(content), data[at:]

    def _chunk(self, data: bytes, at: int, content: bytearray) -> int:
        """Read part of a chunk or its line end; return how many bytes, 0 to wait for more."""
        size = self._left - len(_CRLF)
        if size > 0:
            piece = data[at : at + size]
            content += piece
            self._left -= len(piece)
            return len(piece)
        end = data[at : at + len(_CRLF)]
        if not _CRLF.startswith(end):
            raise malformed("a chunk of the body is longer than its size says")
        if end != _CRLF:
            return 0
        self._left = 0
        return len(_CRLF)

    def _size(self, data: bytes, at: int) -> int:
        line = _SIZE_LINE.match(data, at)
        if line is None or line.end() - at > MAX_SIZE_LINE_BYTES:
            if b"\n" in data[at:] or len(data) - at > MAX_SIZE_LINE_BYTES:
                raise malformed(
                    "expected the size of a chunk in hexadecimal, in a line of at most"
                    f" {MAX_SIZE_LINE_BYTES} bytes"
                )
            return 0
        size = int(line[1], 16)
        self._in_trailers = not size
        self._left = size + len(_CRLF) if size else 0
        return line.end() - at

    def _trailer(self, data: bytes, at: int) -> int:
        if data.startswith(_CRLF, at):
            self.is_complete = True
            return len(_CRLF)
        line = _TRAILER.match(data, at)
        taken = line.end() - at if line else 0
        self._trailer_bytes += taken
        if self._trailer_bytes + (0 if taken else len(data) - at) > MAX_HEAD_BYTES:
            raise Refusal("headers_too_large", f"trailers may have {MAX_HEAD_BYTES} bytes")
        if not taken and b"\n" in data[at:]:
            raise malformed("expected a trailer as a name, a colon and a value")
        return taken
