"""Raw HTTP for the tests here, because clients would hide the faults."""

import asyncio
import ssl
from collections.abc import Awaitable
from typing import Protocol

PATIENCE_SECONDS = 5
# Loading the certificates, which plain http never needs, takes longer than most tests here.
NO_CERTIFICATES = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Connect(Protocol):
    """Open a connection and send a request for a URL on it."""

    def __call__(
        self, url: str, header: str = "X-Nothing: 0", method: str = "GET"
    ) -> Awaitable[Streams]: ...


class ReadToEnd(Protocol):
    """Send `GET` for a URL and read until the server closes the connection."""

    def __call__(self, url: str) -> Awaitable[bytes]: ...


def body_of(raw: bytes) -> bytes:
    """Return the bytes after the headers."""
    return raw.partition(b"\r\n\r\n")[2]


def declared_length(raw: bytes) -> int:
    """Return the value of Content-Length."""
    head = raw.partition(b"\r\n\r\n")[0].decode()
    return int(next(x[16:] for x in head.splitlines() if x.startswith("Content-Length: ")))
