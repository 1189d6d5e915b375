"""The outermost middleware of every request, before any routing.

It sets the request ID, refuses malformed requests, and turns every error into a problem.
"""

import asyncio
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from http import HTTPStatus
from time import perf_counter
from typing import NamedTuple

import structlog

from adapters.http.datasets.endpoint import PREFIX
from adapters.http.datasets.response_cache import CACHED, RepeatedAnswer, ResponseCache
from adapters.http.middleware.authentication import AuthenticationMiddleware
from adapters.http.middleware.cors import Cors
from adapters.http.protocol.access import address_of, caller_of
from adapters.http.protocol.asgi import (
    REFUSAL,
    REQUEST_ID,
    App,
    Gone,
    Message,
    Receive,
    Scope,
    Send,
    added_headers,
    job_id_of,
    path_of,
    request_id_of,
    send_reply,
)
from adapters.http.protocol.client_address import Origin, client_network
from adapters.http.protocol.framing import MAX_URL_BYTES
from adapters.http.protocol.links import enter
from adapters.http.protocol.problems import READ_ONLY, READING, Refusal, Reply, reply_to, status_of
from application.ports.operations import Events, SpanKind, Tracer
from application.ports.system import Random
from domain.events import AccessRefused, ReadServed, RequestFailed, RequestServed

#: More than any ordinary request needs.
MAX_HEADER_BYTES = 16 * 1024
MAX_HEADERS = 100

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._:-]{1,64}")
_HOST = re.compile(rb"(?:[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::([0-9]{1,5}))?")


_ALWAYS: list[tuple[bytes, bytes]] = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
]
#: Headers of answers without their own; without Cache-Control, a cache may keep any answer.
_DEFAULTS = {
    b"content-security-policy": b"default-src 'none'; frame-ancestors 'none'",
    b"cache-control": b"no-store",
}


class RequestContextMiddleware:
    """The middleware that sends each request to the application of its path prefix, or to `rest`.

    `draining` is set when the process is about to stop.
    """

    def __init__(
        self,
        prefixes: Mapping[str, App],
        rest: App,
        authentication: AuthenticationMiddleware,
        cors: Cors | None,
        origin: Origin | None,
        responses: ResponseCache,
        random: Random,
        draining: asyncio.Event,
        events: Events,
        tracer: Tracer,
    ) -> None:
        self._prefixes = prefixes
        self._rest = rest
        self._authentication = authentication
        self._cors = cors
        self._origin = origin
        self.responses = responses
        self._random = random
        self._draining = draining
        self._events = events
        self._tracer = tracer
        self._reads_wanted = events.wants(ReadServed)
        self._others_wanted = events.wants(RequestServed)

    def drain(self) -> None:
        """Make the readiness probe fail, because the process is about to stop; go on answering."""
        self._draining.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request; no error reaches the server except in the middle of an answer."""
        if scope["type"] != "http":
            await _refuse_socket(scope, send)
            return
        if self._origin is not None:
            self._origin.look(scope)
        if (repeated := self.responses.repeat(scope)) is None:
            await self._answer(scope, receive, send)
            return
        await send(repeated.start)
        await send(repeated.body)
        if self._reads_wanted:
            self._publish_repeated(repeated)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = perf_counter()
        headers = _scan(scope["headers"])
        request_id = self._request_id(headers)
        scope[REQUEST_ID] = request_id
        # For all log lines from here on: each request has its own task and context.
        structlog.contextvars.bind_contextvars(request_id=request_id)
        enter(scope)
        [parent, *_] = headers.values.get(b"traceparent", [None])
        with self._tracer.span(
            scope["method"],
            SpanKind.SERVER,
            {"http.request.method": scope["method"], "url.path": path_of(scope)},
            None if parent is None else parent.decode("latin-1"),
        ) as span:
            status = await self._respond(scope, receive, send, headers, started)
            prefix, _ = self._route(scope)
            if route := prefix or str(scope.get("path_template", "")):
                span.rename(f"{scope['method']} {route}")
            span.note({"http.route": route, "http.response.status_code": status})

    async def _respond(
        self, scope: Scope, receive: Receive, send: Send, headers: "_Headers", started: float
    ) -> int:
        """Send the answer; return its status, or 0 if the client left before there was one."""
        request_id = request_id_of(scope)
        prefix, app = self._route(scope)
        status = 0

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                cors = self._cors.lines(scope) if self._cors else ()
                _complete(message, request_id, [*added_headers(scope), *cors])
                self.responses.note(scope, message)
            await send(message)

        try:
            _inspect(scope, headers)
            preflight = await self._authentication.check(scope, headers.values)
            if preflight is not None:
                await send_reply(scope, sending, preflight)
            elif app is not self._rest and scope["method"] == "OPTIONS":
                await send_reply(scope, sending, Reply(204, {"Allow": READ_ONLY}, b""))
            elif app is self._rest and scope["method"] == "HEAD":
                # The framework's routes have GET only; a HEAD is a GET whose body is dropped.
                await app({**scope, "method": "GET"}, receive, _bodiless(sending))
            else:
                await app(scope, receive, sending)
        except Gone:
            return status
        except Exception as error:
            if status_of(error) is None:
                self._events.publish(RequestFailed(path=path_of(scope), error=error))
            if status:
                raise  # part of the answer was sent, so the connection has to break
            await send_reply(scope, sending, reply_to(error, request_id))
        finally:
            self._publish(scope, prefix, status, started)
        return int(status)

    def _publish_refusal(self, scope: Scope) -> None:
        self._events.publish(
            AccessRefused(
                account=caller_of(scope).name or "",
                network=client_network(address_of(scope)),
                method=scope["method"],
                path=path_of(scope),
            )
        )

    def _publish(self, scope: Scope, prefix: str, status: int, started: float) -> None:
        """Publish a request; its status is 0 if the client disconnected before the answer."""
        if status == HTTPStatus.FORBIDDEN:
            self._publish_refusal(scope)
        is_read = scope["method"] in READING
        if not (self._reads_wanted if is_read else self._others_wanted):
            return
        kind = ReadServed if is_read else RequestServed
        self._events.publish(
            kind(
                request_id=request_id_of(scope),
                method=scope["method"],
                route=prefix or str(scope.get("path_template", "")),
                path=path_of(scope),
                status=int(status),
                duration_ms=(perf_counter() - started) * 1000,
                ready=CACHED in scope,
                job=job_id_of(scope),
            )
        )

    def _publish_repeated(self, answer: RepeatedAnswer) -> None:
        self._events.publish(
            ReadServed(
                request_id=answer.request_id,
                method="GET",
                route=PREFIX,
                path=answer.path,
                status=answer.start["status"],
                duration_ms=(perf_counter() - answer.started) * 1000,
                ready=True,
            )
        )

    def _route(self, scope: Scope) -> tuple[str, App]:
        """Return the application of a path with its prefix, "" for the rest."""
        prefix = "/" + scope["path"].lstrip("/").partition("/")[0]
        app = self._prefixes.get(prefix)
        return ("", self._rest) if app is None else (prefix, app)

    def _request_id(self, headers: "_Headers") -> str:
        [given, *others] = headers.values.get(b"x-request-id", [b""])
        if others or not _REQUEST_ID.fullmatch(given):
            return self._random.identifier()
        return given.decode()


class _Headers(NamedTuple):
    """The size of the headers, and the values of the few that matter here."""

    size: int
    values: dict[bytes, list[bytes]]


_SCANNED = frozenset({b"authorization", b"host", b"traceparent", b"upgrade", b"x-request-id"})


def _scan(headers: Iterable[tuple[bytes, bytes]]) -> _Headers:
    size = 0
    values: dict[bytes, list[bytes]] = {}
    for name, value in headers:
        size += len(name) + len(value)
        if name in _SCANNED:
            values.setdefault(name, []).append(value)
    return _Headers(size, values)


def _inspect(scope: Scope, headers: _Headers) -> None:
    if REFUSAL in scope:
        raise scope[REFUSAL]
    if headers.size > MAX_HEADER_BYTES or len(scope["headers"]) > MAX_HEADERS:
        raise Refusal(
            "headers_too_large",
            f"there may be {MAX_HEADERS} headers, of {MAX_HEADER_BYTES} bytes together",
        )
    if len(scope.get("raw_path") or b"") + len(scope["query_string"]) > MAX_URL_BYTES:
        raise Refusal("url_too_long", f"a URL may have {MAX_URL_BYTES} bytes")
    hosts = headers.values.get(b"host", [])
    if len(hosts) > 1 or (not hosts and scope["http_version"] == "1.1"):
        raise Refusal("malformed_request", "exactly one Host header is needed")
    if hosts and not _is_host(hosts[0]):
        raise Refusal("malformed_request", "the Host header is not a host and port")
    # An offer of another protocol may be ignored (RFC 9110, 7.8), and common clients make some;
    # but a client that opens a WebSocket cannot go on without it.
    offers = headers.values.get(b"upgrade")
    if offers and any(b"websocket" in offer.lower() for offer in offers):
        raise Refusal(
            "upgrade_refused",
            "only plain HTTP/1.1 is spoken here",
            {"Upgrade": "HTTP/1.1"},
        )


@lru_cache(maxsize=256)
def _is_host(text: bytes) -> bool:
    match = _HOST.fullmatch(text)
    return match is not None and int(match[1] or 0) < 2**16


def _complete(message: Message, request_id: str, added: list[tuple[bytes, bytes]]) -> None:
    """Add the headers that every answer has, and join the lines of Vary, as caches need it."""
    headers, varies, missing = [], [], dict(_DEFAULTS)
    for line in (*message.get("headers", ()), *added):
        if line[0] == b"vary":
            varies.append(line[1])
            continue
        missing.pop(line[0], None)
        headers.append(line)
    if len(varies) == 1:
        headers.append((b"vary", varies[0]))
    elif varies:
        names = [name.strip() for line in varies for name in line.split(b",")]
        headers.append((b"vary", b", ".join(dict.fromkeys(names))))
    message["headers"] = [
        *headers,
        *missing.items(),
        (b"x-request-id", request_id.encode()),
        *_ALWAYS,
    ]


def _bodiless(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.body":
            message["body"] = b""
        await send(message)

    return sending


async def _refuse_socket(scope: Scope, send: Send) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1002})
