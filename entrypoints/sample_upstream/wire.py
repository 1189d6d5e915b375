"""HTTP/1.1 as bytes: parsing of requests, and writing of response heads."""

import asyncio
from collections.abc import Iterable
from http import HTTPStatus
from urllib.parse import parse_qsl, unquote, urlsplit

import msgspec

MOST_HEAD_BYTES = 64 * 1024
MOST_BODY_BYTES = 1024 * 1024

Headers = Iterable[tuple[str, str]]


class BadRequest(Exception):
    """An invalid request; the text is the reason."""


class WireRequest(msgspec.Struct, frozen=True):
    """One request as received; header names are in lower case."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    keep_alive: bool = True

    @property
    def origin(self) -> str:
        """Return the scheme and host of the request, for links back to this server."""
        return f"http://{self.headers.get('host', 'localhost')}"


async def read_request(reader: asyncio.StreamReader) -> WireRequest | None:
    """Read one request and drop its body; None when the client has left.

    Raises BadRequest when it is not HTTP/1.x, is too large, or has a chunked body.
    """
    try:
        raw = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    except asyncio.LimitOverrunError as overrun:
        raise BadRequest(f"The headers are longer than {MOST_HEAD_BYTES} bytes.") from overrun
    request = _parse(raw.decode("latin-1"))
    await _drop_body(reader, request)
    return request


def head(status: int, headers: Headers) -> bytes:
    """Return the status line and the headers, with the empty line at the end."""
    lines = [status_line(status), *(f"{name}: {value}" for name, value in headers)]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def status_line(status: int) -> str:
    """Return the first line of a response, without its line end."""
    return f"HTTP/1.1 {status} {HTTPStatus(status).phrase}"


def _parse(text: str) -> WireRequest:
    first, *lines = text[: -len("\r\n\r\n")].split("\r\n")
    parts = first.split(" ")
    if len(parts) != 3 or not parts[2].startswith("HTTP/1."):
        raise BadRequest(f"The request line is not HTTP/1.1: {first[:80]!r}.")
    method, target, version = parts
    try:
        url = urlsplit(target)
    except ValueError as error:
        raise BadRequest(f"The request target is not a URL: {target[:80]!r}.") from error
    headers = {
        name.strip().lower(): value.strip() for name, _, value in (x.partition(":") for x in lines)
    }
    return WireRequest(
        method=method,
        path=unquote(url.path),
        query=dict(parse_qsl(url.query, keep_blank_values=True)),
        headers=headers,
        keep_alive=version != "HTTP/1.0" and headers.get("connection", "").lower() != "close",
    )


async def _drop_body(reader: asyncio.StreamReader, request: WireRequest) -> None:
    length = request.headers.get("content-length", "0")
    if "transfer-encoding" in request.headers or not length.isdecimal():
        raise BadRequest("A request body needs a plain Content-Length here.")
    if int(length) > MOST_BODY_BYTES:
        raise BadRequest(f"The request body is longer than {MOST_BODY_BYTES} bytes.")
    await reader.readexactly(int(length))
