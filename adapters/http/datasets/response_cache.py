"""The response cache: answers kept as bytes, as long as nothing they say has changed.

It has two levels. An answer is kept for its path, query and `Accept`, if the request carried no
credentials, and sent to any request for the same once that has passed every check. It is also kept
for the request exactly as it came: an identical request already passed every check, so only
freshness is checked again, before anything else looks at it.
"""

from datetime import datetime, timedelta
from http import HTTPStatus
from time import perf_counter
from typing import Any, Generic, NamedTuple, TypeVar

import msgspec

from adapters.http.datasets.query_string import Key, ReadRequest
from adapters.http.protocol.asgi import Line, Message, Scope, path_of, request_id_of
from adapters.http.protocol.compression import ENCODED, MIN_BYTES, SENT_LEVEL, Packed, pack
from adapters.http.protocol.conditional import ANY, has
from adapters.http.protocol.links import origin_of
from adapters.http.protocol.problems import Reply
from application.datasets.catalogue import FreshnessStatus
from application.datasets.query import Reader
from application.ports.datasets import Changes
from application.ports.system import Clock, Random
from domain.checkpoints import Freshness
from domain.errors import StoreError

#: Where a route leaves the answer that is kept for the request as it came.
ANSWER = "catchment.answer"
#: Where it says that the answer came from here.
READY = "catchment.ready"
#: Where the answer is left compressed, if it was sent so.
_PACKED = "catchment.packed"

#: What all kept answers together may take, and the largest answer worth keeping.
MAX_BYTES = 16 * 1024 * 1024
MAX_ANSWER_BYTES = 256 * 1024
#: About what the objects around the bytes of one answer take.
OBJECTS_BYTES = 2000

#: A request with one of these is never answered as it came.
_OWN = frozenset({b"authorization", b"cookie", b"x-request-id"})
#: What differs from one answer to the next.
_VARYING = frozenset({b"age", b"cache-control", b"content-length", b"x-request-id"})

#: So many parts of the exact key are texts.
_TEXTS = 5

_SECOND = timedelta(seconds=1)

V = TypeVar("V")


class ReadyAnswer(msgspec.Struct):
    """One answer up to where it differs from request to request.

    `body` is None as long as only those are answered who have it. `version` is the store's from
    before anything was read.
    """

    reader: Reader[Any]
    etag: str
    lines: tuple[Line, ...]
    freshness: Freshness
    status: FreshnessStatus
    version: int
    body: bytes | None = None


class PackedAnswer(NamedTuple):
    """The same answer compressed."""

    answer: ReadyAnswer
    packed: Packed


class SentAnswer(NamedTuple):
    """How one request was answered: with this answer, this status and these headers.

    `path` is that of the request, as events have it.
    """

    answer: ReadyAnswer
    status: int
    lines: tuple[Line, ...]
    packed: Packed | None
    path: str


class RepeatedAnswer(NamedTuple):
    """The answer to a request that came before exactly so: its two messages, and what it was."""

    start: Message
    body: Message
    path: str
    request_id: str
    started: float


class LruCache(Generic[V]):
    """The values used last, within a bound of memory."""

    def __init__(self, max_bytes: int) -> None:
        self._values: dict[Key, tuple[V, int]] = {}
        self._max_bytes = max_bytes
        self._bytes = 0

    def get(self, key: Key) -> V | None:
        """Return the value of a key, which becomes the last to be removed."""
        found = self._values.pop(key, None)
        if found is None:
            return None
        self._values[key] = found
        return found[0]

    def put(self, key: Key, value: V, size: int) -> None:
        """Keep a value of so many bytes, and remove the longest unused to make room."""
        _, replaced = self._values.pop(key, (None, 0))
        self._values[key] = value, size
        self._bytes += size - replaced
        while self._bytes > self._max_bytes:
            self.remove(next(iter(self._values)))

    def remove(self, key: Key) -> None:
        """Remove the value of a key, if there is one."""
        _, size = self._values.pop(key, (None, 0))
        self._bytes -= size

    def clear(self) -> None:
        """Remove every value."""
        self._values.clear()
        self._bytes = 0


class ResponseCache:
    """The answers given last; a client may keep one for `max_age_s`."""

    def __init__(
        self,
        changes: Changes,
        clock: Clock,
        random: Random,
        max_age_s: int = 0,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        self._changes = changes
        self._clock = clock
        self._random = random
        self._max_age_s = max_age_s
        self._kept: LruCache[ReadyAnswer | PackedAnswer | SentAnswer] = LruCache(max_bytes)

    def clear(self) -> None:
        """Forget every answer."""
        self._kept.clear()

    # ------------------------------------------------------------ for the request as it came

    def repeat(self, scope: Scope) -> RepeatedAnswer | None:
        """Return the answer to a request that came before exactly so, if it still holds."""
        started = perf_counter()
        sent = self._kept.get(_exact_key(scope))
        if not isinstance(sent, SentAnswer):
            return None
        answer, now = sent.answer, self._clock.now()
        if answer.reader.is_retired:
            return None
        try:
            if answer.version != self._changes.version() or not answer.status.holds(now):
                return None
        except StoreError:
            return None  # the routes say so
        request_id = self._random.identifier()
        headers = [
            *sent.lines,
            (b"x-request-id", request_id.encode()),
            *self._age_lines(answer.status, now, private=False),
        ]
        body = b""
        if sent.status != HTTPStatus.NOT_MODIFIED and answer.body is not None:
            ending = _ending(request_id.encode(), started, answer.status.stale)
            packed = sent.packed
            body = answer.body + ending if packed is None else packed.with_ending(ending)
            headers.append((b"content-length", b"%d" % len(body)))
        start = {"type": "http.response.start", "status": sent.status, "headers": headers}
        message = {"type": "http.response.body", "body": body}
        return RepeatedAnswer(start, message, sent.path, request_id, started)

    def note(self, scope: Scope, message: Message) -> None:
        """Keep how a request was answered, if a route has left its answer as ANSWER.

        `message` begins the answer.
        """
        answer: ReadyAnswer | None = scope.get(ANSWER)
        if answer is None or scope["method"] != "GET":
            return
        # The body counts here as well, for the other level may forget it sooner.
        packed: Packed | None = scope.get(_PACKED)
        size = OBJECTS_BYTES + len(answer.body or b"") + (len(packed.start) if packed else 0)
        for name, value in scope["headers"]:
            if name in _OWN:
                return
            size += len(name) + len(value)
        lines = tuple([line for line in message["headers"] if line[0] not in _VARYING])
        key, path = _exact_key(scope), path_of(scope)
        size += sum(map(len, key[:_TEXTS])) + len(path)
        self._kept.put(key, SentAnswer(answer, int(message["status"]), lines, packed, path), size)

    # ------------------------------------------------------------ for all who ask the same

    async def find(self, request: ReadRequest) -> ReadyAnswer | None:
        """Return the answer that is kept for such a request, if it still holds."""
        if request.key is None:
            return None
        answer = self._kept.get(request.key)
        if not isinstance(answer, ReadyAnswer):
            return None
        if answer.reader.is_retired:
            self._kept.remove(request.key)
            return None
        version = self._changes.version()
        if version != answer.version:
            if await answer.reader.freshness() != answer.freshness:
                self._kept.remove(request.key)
                return None
            answer.version = version
        if not answer.status.holds(self._clock.now()):
            self._kept.remove(request.key)
            return None
        request.scope[ANSWER] = answer
        request.scope[READY] = True
        return answer

    def put(self, request: ReadRequest, answer: ReadyAnswer) -> None:
        """Keep an answer, unless it is large or the request carried credentials."""
        if request.key is None:
            return
        if answer.body is not None:
            if len(answer.body) > MAX_ANSWER_BYTES:
                self._kept.remove(request.key)
                return
            size = OBJECTS_BYTES + len(answer.body) + sum(map(len, request.key[:-1]))
            self._kept.put(request.key, answer, size)
        request.scope[ANSWER] = answer

    # ------------------------------------------------------------ what is sent

    def reply(self, request: ReadRequest, answer: ReadyAnswer) -> Reply:
        """Return an answer as it is sent now: 304 without a body to a client that has it."""
        lines = self.lines(request, answer)
        if answer.body is None or (request.is_conditional and has(request.scope, answer.etag, ANY)):
            return Reply(HTTPStatus.NOT_MODIFIED, {}, b"", lines)
        request_id = request_id_of(request.scope).encode()
        if request.gzip and len(answer.body) >= MIN_BYTES:
            packed = self._packed(request, answer)
            ending = _ending(request_id, request.started, answer.status.stale)
            return Reply(HTTPStatus.OK, {}, packed.with_ending(ending), (*lines, ENCODED))
        body = answer.body + _ending(request_id, request.started, answer.status.stale)
        return Reply(HTTPStatus.OK, {}, body, lines)

    def _packed(self, request: ReadRequest, answer: ReadyAnswer) -> Packed:
        """Return an answer compressed, which is kept beside it if it is kept itself."""
        body = answer.body or b""
        if ANSWER not in request.scope or request.key is None:
            return pack(body, SENT_LEVEL)
        key = (*request.key, b"gzip")
        found = self._kept.get(key)
        if isinstance(found, PackedAnswer) and found.answer is answer:
            packed = found.packed
        else:
            packed = pack(body)
            # The body counts here as well, for the answer itself may be forgotten sooner.
            size = OBJECTS_BYTES + len(body) + len(packed.start) + sum(map(len, request.key[:-1]))
            self._kept.put(key, PackedAnswer(answer, packed), size)
        request.scope[_PACKED] = packed
        return packed

    def lines(self, request: ReadRequest, answer: ReadyAnswer) -> tuple[Line, ...]:
        """Return the headers of an answer as it is sent now."""
        age = self._age_lines(answer.status, self._clock.now(), request.is_private)
        return (*answer.lines, *age)

    def _age_lines(self, status: FreshnessStatus, now: datetime, private: bool) -> list[Line]:
        """Return what changes as time goes by; a private answer is for its asker alone."""
        # A 304 costs next to nothing, and a page that lags behind looks broken.
        keep_s = self._max_age_s
        if keep_s and status.next_fetch_at is not None:
            keep_s = min(keep_s, (status.next_fetch_at - now) // _SECOND)
        kept = b"max-age=%d" % keep_s if keep_s > 0 else b"no-cache"
        cache_control = (b"cache-control", b"private, " + kept if private else kept)
        # Caches take the age off what they may keep, and it would be that of the data.
        if self._max_age_s or status.fetched_at is None:
            return [cache_control]
        age_s = max(0, (now - status.fetched_at) // _SECOND)
        return [cache_control, (b"age", b"%d" % age_s)]


def _ending(request_id: bytes, started: float, stale: bool) -> bytes:
    """Return what differs from one request to the next: it ends every envelope."""
    return b',"stale":%b,"request_id":"%b","api_latency_ms":%.2f}' % (
        b"true" if stale else b"false",
        request_id,  # none is let in that needs escaping
        (perf_counter() - started) * 1000,
    )


def _exact_key(scope: Scope) -> Key:
    # The path as it was sent: its length counts, too.
    return (
        scope["method"],
        scope.get("raw_path") or b"",
        scope["path"],
        scope["query_string"],
        scope["http_version"],
        tuple(scope["headers"]),
        origin_of(scope),
    )
