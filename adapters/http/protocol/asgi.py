"""The few words of ASGI that the adapters speak."""

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
#: A header as it goes over the wire.
Line = tuple[bytes, bytes]

#: Where the front leaves the request's identifier for those behind it.
REQUEST_ID = "catchment.request_id"
#: Where the server leaves why it could not read a request; then there is nothing else of it.
REFUSAL = "catchment.refusal"
#: Where a route leaves the identifier of the job it has dealt with, for the log.
_JOB_ID = "catchment.job_id"
#: Where those on the way leave headers for the answer.
_ADDED = "catchment.headers"


def request_id_of(scope: Any) -> str:
    """The identifier of the request, as the front has set it."""
    return str(scope.get(REQUEST_ID, ""))


def set_job_id(scope: Any, job_id: str) -> None:
    """Have the log name the job that the request has dealt with."""
    scope[_JOB_ID] = job_id


def job_id_of(scope: Any) -> str | None:
    """The job that the request has dealt with, if any."""
    job_id: str | None = scope.get(_JOB_ID)
    return job_id


def add_headers(scope: Any, headers: Mapping[str, str]) -> None:
    """Have the answer to a request carry these headers, whatever it will be."""
    scope.setdefault(_ADDED, []).extend(lines(headers))


def added_headers(scope: Any) -> list[Line]:
    """The headers that the answer to a request is to carry besides its own."""
    added: list[Line] = scope.get(_ADDED, [])
    return added


def path_of(scope: Any) -> str:
    """The path in plain ASCII, fit for a log."""
    return quote(scope["path"])


def header_of(scope: Any, name: bytes) -> str:
    """A request header's value, the lines of a repeated one joined by commas; "" without it."""
    return ",".join(value.decode("latin-1") for key, value in scope["headers"] if key == name)


def lines(headers: Mapping[str, str]) -> list[Line]:
    """Headers as they go over the wire."""
    return [(_wire_name(name), value.encode("latin-1")) for name, value in headers.items()]


@lru_cache(maxsize=256)
def _wire_name(name: str) -> bytes:
    return name.lower().encode()


def combine_headers(app: App) -> App:
    """Wrap an application that reads only the first line of a repeated header.

    The lines become one list, as RFC 9110 (5.3) allows; what describes the body is never a list.
    """

    async def combined(scope: Scope, receive: Receive, send: Send) -> None:
        values: dict[bytes, list[bytes]] = {}
        for name, value in scope.get("headers", ()):
            if name not in values or not name.startswith(b"content-"):
                values.setdefault(name, []).append(value)
        # In place: what routes leave in the scope is for the layers around them.
        scope["headers"] = [(name, b", ".join(lines)) for name, lines in values.items()]
        await app(scope, receive, send)

    return combined


async def send_reply(scope: Scope, send: Send, reply: Reply) -> None:
    """Send a whole answer; a HEAD request gets its headers alone."""
    headers = [*reply.lines]
    if reply.headers:
        headers += lines(reply.headers)
    if reply.status != HTTPStatus.NOT_MODIFIED:
        # With a 304 it would speak of the body that is not sent.
        headers.append((b"content-length", b"%d" % len(reply.body)))
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    body = b"" if scope["method"] == "HEAD" else reply.body
    await send({"type": "http.response.body", "body": body})


class Gone(Exception):
    """The client has left; nobody will read what is sent."""


def until_gone(receive: Receive, send: Send) -> Send:
    """A `send` that raises Gone once the client has left, for answers without an end in sight."""
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
