"""ASGI: types, keys in the scope, and helpers for headers and replies."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from functools import lru_cache
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from adapters.http.protocol.problems import Reply

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
#: A header as sent: name and value in bytes.
Line = tuple[bytes, bytes]

#: Key in the scope: the request ID.
REQUEST_ID = "catchment.request_id"
#: Key in the scope: why the server could not read the request, of which there is nothing else.
REFUSAL = "catchment.refusal"
#: Key in the scope: the identifier of the job that a route handled, for the log.
_JOB_ID = "catchment.job_id"
#: Key in the scope: headers to be added to the answer.
_ADDED = "catchment.headers"


def request_id_of(scope: Any) -> str:
    """Return the request ID."""
    return str(scope.get(REQUEST_ID, ""))


def set_job_id(scope: Any, job_id: str) -> None:
    """Store the job that the request handled, for the log."""
    scope[_JOB_ID] = job_id


def job_id_of(scope: Any) -> str | None:
    """Return the job that the request handled, if any."""
    job_id: str | None = scope.get(_JOB_ID)
    return job_id


def add_headers(scope: Any, headers: Mapping[str, str]) -> None:
    """Add headers to the answer of a request, whatever it will be."""
    scope.setdefault(_ADDED, []).extend(lines(headers))


def added_headers(scope: Any) -> list[Line]:
    """Return the headers to be added to the answer of a request."""
    added: list[Line] = scope.get(_ADDED, [])
    return added


def path_of(scope: Any) -> str:
    """Return the path in ASCII, safe for a log."""
    return quote(scope["path"])


def header_of(scope: Any, name: bytes) -> str:
    """Return a request header's value, repeated lines joined by commas; "" if it is absent."""
    return ",".join(value.decode("latin-1") for key, value in scope["headers"] if key == name)


def lines(headers: Mapping[str, str]) -> list[Line]:
    """Return headers as they are sent."""
    return [(_wire_name(name), value.encode("latin-1")) for name, value in headers.items()]


@lru_cache(maxsize=256)
def _wire_name(name: str) -> bytes:
    return name.lower().encode()


def combine_headers(app: App) -> App:
    """Wrap an application that reads only the first line of a repeated header.

    The lines become one list, as RFC 9110 (5.3) allows; headers about the body are never lists.
    """

    async def combined(scope: Scope, receive: Receive, send: Send) -> None:
        values: dict[bytes, list[bytes]] = {}
        for name, value in scope.get("headers", ()):
            if name not in values or not name.startswith(b"content-"):
                values.setdefault(name, []).append(value)
        # In place, because the middleware outside reads what routes store in the scope.
        scope["headers"] = [(name, b", ".join(lines)) for name, lines in values.items()]
        await app(scope, receive, send)

    return combined


async def send_reply(scope: Scope, send: Send, reply: Reply) -> None:
    """Send a whole answer; without its body for a HEAD request."""
    headers = [*reply.lines]
    if reply.headers:
        headers += lines(reply.headers)
    if reply.status != HTTPStatus.NOT_MODIFIED:
        # With a 304 it would be the length of a body that is not sent.
        headers.append((b"content-length", b"%d" % len(reply.body)))
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    body = b"" if scope["method"] == "HEAD" else reply.body
    await send({"type": "http.response.body", "body": body})


class Gone(Exception):
    """The client has disconnected, so that the answer cannot be sent."""


def until_gone(receive: Receive, send: Send) -> Send:
    """Return a `send` that raises Gone once the client has disconnected, for long answers."""
    listening: asyncio.Future[Message] | None = None

    async def checked(message: Message) -> None:
        nonlocal listening
        if listening is None:
            listening = asyncio.ensure_future(disconnected(receive))
        if listening.done():
            raise Gone
        await send(message)
        if message["type"] == "http.response.body" and not message.get("more_body"):
            listening.cancel()

    return checked


async def disconnected(receive: Receive) -> Message:
    """Return when the client has left; what it sends until then is dropped."""
    message = await receive()
    while message["type"] != "http.disconnect":
        message = await receive()
    return message
