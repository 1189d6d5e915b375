"""The response cache: answers as bytes, for as long as their content is current.

It has two levels. An answer is cached by path, query and `Accept`, if the request had no
credentials, and sent to any such request that has passed every check. It is also cached by the
whole request: an identical request has already passed every check, so only freshness is checked
again, before any other middleware runs.
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

#: Key in the scope: the answer that a route gave, for the cache of identical requests.
ANSWER = "catchment.answer"
#: Key in the scope: set if the answer came from the cache.
CACHED = "catchment.cached"
#: Key in the scope: the compressed answer, if it was sent compressed.
_PACKED = "catchment.packed"

#: Key in the scope: the key of the request for the cache of identical requests.
_KEY = "catchment.request_key"

#: The size of the cache, and of the largest answer in it.
MAX_BYTES = 16 * 1024 * 1024
MAX_ANSWER_BYTES = 256 * 1024
#: The approximate size of the objects around the bytes of an answer.
OBJECTS_BYTES = 2000

#: A request with one of these headers is never answered as a repetition.
_PERSONAL = frozenset({b"authorization", b"cookie", b"x-request-id"})
#: Headers that differ from answer to answer.
_VARYING = frozenset({b"age", b"cache-control", b"content-length", b"x-request-id"})

#: How many parts of the exact key are texts.
_TEXTS = 5

_SECOND = timedelta(seconds=1)

V = TypeVar("V")


class CachedAnswer(msgspec.Struct):
    """An answer without its end, which differs from request to request.

    `body` is None if only 304s have been answered so far. `version` is the store's before anything
    was read.
    """

    reader: Reader[Any]
    etag: str
    lines: tuple[Line, ...]
    freshness: Freshness
    status: FreshnessStatus
    version: int
    body: bytes | None = None


class PackedAnswer(NamedTuple):
    """An answer with its compressed body."""

    answer: CachedAnswer
    packed: Packed


class SentAnswer(NamedTuple):
    """A request's answer with the status and headers that were sent.

    `path` is that of the request, as events show it.
    """

    answer: CachedAnswer
    status: int
    lines: tuple[Line, ...]
    packed: Packed | None
    path: str


class RepeatedAnswer(NamedTuple):
    """The answer to a repeated request: its two messages, and what its event needs."""

    start: Message
    body: Message
    path: str
    request_id: str
    started: float


class LruCache(Generic[V]):
    """A least-recently-used cache with a bound on memory."""

    def __init__(self, max_bytes: int) -> None:
        self._values: dict[Key, tuple[V, int]] = {}
        self._max_bytes = max_bytes
        self._bytes = 0

    def get(self, key: Key) -> V | None:
        """Return the value of a key and mark it as used."""
        found = self._values.pop(key, None)
        if found is None:
            return None
        self._values[key] = found
        return found[0]

    def put(self, key: Key, value: V, size: int) -> None:
        """Add a value of so many bytes, and evict the least recently used ones to make room."""
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
    """Recent answers; clients may cache them for `max_age_s`."""

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
        self._answers: LruCache[CachedAnswer | PackedAnswer | SentAnswer] = LruCache(max_bytes)

    def clear(self) -> None:
        """Remove every answer."""
        self._answers.clear()

    # ------------------------------------------------------------ identical requests

    def repeat(self, scope: Scope) -> RepeatedAnswer | None:
        """Return the answer to a repeated request, if it is still current."""
        started = perf_counter()
        key = scope[_KEY] = _exact_key(scope)
        sent = self._answers.get(key)
        if not isinstance(sent, SentAnswer):
            return None
        answer, now = sent.answer, self._clock.now()
        if answer.reader.is_retired:
            return None
        try:
            if answer.version != self._changes.version() or not answer.status.holds(now):
                return None
        except StoreError:
            return None  # a route answers with the error
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
        """Cache the answer in the scope, after `repeat`; `message` is its start."""
        answer: CachedAnswer | None = scope.get(ANSWER)
        if answer is None or scope["method"] != "GET":
            return
        # The body is counted here as well, because the other level may evict it sooner.
        packed: Packed | None = scope.get(_PACKED)
        size = OBJECTS_BYTES + len(answer.body or b"") + (len(packed.start) if packed else 0)
        for name, value in scope["headers"]:
            if name in _PERSONAL:
                return
            size += len(name) + len(value)
        lines = tuple([line for line in message["headers"] if line[0] not in _VARYING])
        key, path = scope[_KEY], path_of(scope)
        size += sum(map(len, key[:_TEXTS])) + len(path)
        self._answers.put(
            key, SentAnswer(answer, int(message["status"]), lines, packed, path), size
        )

    # ------------------------------------------------------------ equivalent requests

    async def find(self, request: ReadRequest) -> CachedAnswer | None:
        """Return the cached answer for a request, if it is still current."""
        if request.key is None:
            return None
        answer = self._answers.get(request.key)
        if not isinstance(answer, CachedAnswer):
            return None
        if answer.reader.is_retired:
            self._answers.remove(request.key)
            return None
        version = self._changes.version()
        if version != answer.version:
            if await answer.reader.freshness() != answer.freshness:
                self._answers.remove(request.key)
                return None
            answer.version = version
        if not answer.status.holds(self._clock.now()):
            self._answers.remove(request.key)
            return None
        request.scope[ANSWER] = answer
        request.scope[CACHED] = True
        return answer

    def put(self, request: ReadRequest, answer: CachedAnswer) -> None:
        """Cache an answer, unless it is large or the request had credentials."""
        if request.key is None:
            return
        if answer.body is not None:
            if len(answer.body) > MAX_ANSWER_BYTES:
                self._answers.remove(request.key)
                return
            size = OBJECTS_BYTES + len(answer.body) + sum(map(len, request.key[:-1]))
            self._answers.put(request.key, answer, size)
        request.scope[ANSWER] = answer

    # ------------------------------------------------------------ replies

    def reply(self, request: ReadRequest, answer: CachedAnswer) -> Reply:
        """Return the reply for an answer: 304 if the client has it already."""
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

    def _packed(self, request: ReadRequest, answer: CachedAnswer) -> Packed:
        """Return an answer compressed, cached beside it if it is cached itself."""
        body = answer.body or b""
        if ANSWER not in request.scope or request.key is None:
            return pack(body, SENT_LEVEL)
        key = (*request.key, b"gzip")
        found = self._answers.get(key)
        if isinstance(found, PackedAnswer) and found.answer is answer:
            packed = found.packed
        else:
            packed = pack(body)
            # The body is counted here as well, because the answer may be evicted sooner.
            size = OBJECTS_BYTES + len(body) + len(packed.start) + sum(map(len, request.key[:-1]))
            self._answers.put(key, PackedAnswer(answer, packed), size)
        request.scope[_PACKED] = packed
        return packed

    def lines(self, request: ReadRequest, answer: CachedAnswer) -> tuple[Line, ...]:
        """Return the headers of an answer at this time."""
        age = self._age_lines(answer.status, self._clock.now(), request.is_private)
        return (*answer.lines, *age)

    def _age_lines(self, status: FreshnessStatus, now: datetime, private: bool) -> list[Line]:
        """Return the caching headers at this time."""
        # By default clients revalidate: a 304 is cheap, and an outdated page looks broken.
        max_age_s = self._max_age_s
        if max_age_s and status.next_fetch_at is not None:
            max_age_s = min(max_age_s, (status.next_fetch_at - now) // _SECOND)
        directive = b"max-age=%d" % max_age_s if max_age_s > 0 else b"no-cache"
        cache_control = (b"cache-control", b"private, " + directive if private else directive)
        # Caches subtract Age, which here is that of the data, from the max-age.
        if self._max_age_s or status.fetched_at is None:
            return [cache_control]
        age_s = max(0, (now - status.fetched_at) // _SECOND)
        return [cache_control, (b"age", b"%d" % age_s)]


def _ending(request_id: bytes, started: float, stale: bool) -> bytes:
    """Return the end of an envelope, which differs from request to request."""
    return b',"stale":%b,"request_id":"%b","api_latency_ms":%.2f}' % (
        b"true" if stale else b"false",
        request_id,  # contains nothing that needs escaping
        (perf_counter() - started) * 1000,
    )


def _exact_key(scope: Scope) -> Key:
    # The path as it was sent, because its length is limited, too.
    return (
        scope["method"],
        scope.get("raw_path") or b"",
        scope["path"],
        scope["query_string"],
        scope["http_version"],
        tuple(scope["headers"]),
        origin_of(scope),
    )
