"""Repeats: requests that came before, word for word, and get the answer that is ready for them.

Whatever looks at a request on its way has looked at the very same one before, and let it pass; only
whether the answer still holds is looked at anew. So this comes before everything else.
"""

from datetime import datetime
from http import HTTPStatus
from time import perf_counter

import msgspec

from adapters.http.datasets.envelope import ending_of
from adapters.http.datasets.ready_pages import MAX_BYTES, OBJECTS_BYTES, LruCache, ReadyPage
from adapters.http.datasets.validators import Validators
from adapters.http.protocol.asgi import Message, Scope, lines
from application.ports.datasets import Changes
from application.ports.system import Clock, Random
from domain.errors import StoreError

#: Where a route leaves the ready page it has answered from.
READY = "catchment.ready"

#: Whoever sends one of these is not answered from here.
_OWN = frozenset({b"authorization", b"cookie", b"x-request-id"})
#: What differs from one answer to the next.
_VARYING = frozenset({b"age", b"cache-control", b"content-length", b"x-request-id"})

Line = tuple[bytes, bytes]
Key = tuple[str, bytes, str, bytes, str, tuple[Line, ...]]


class Repeat(msgspec.Struct, frozen=True):
    """What a request was answered: the page, and how."""

    page: ReadyPage
    status: int
    lines: tuple[Line, ...]
    has_body: bool


class Repeats:
    """The requests that were answered from a ready page."""

    def __init__(
        self,
        changes: Changes,
        validators: Validators,
        clock: Clock,
        random: Random,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        self._changes = changes
        self._validators = validators
        self._clock = clock
        self._random = random
        self._known: LruCache[Key, Repeat] = LruCache(max_bytes, _size)

    def answer(self, scope: Scope) -> tuple[Message, Message] | None:
        """The answer to a request that came before, if it still holds."""
        started = perf_counter()
        repeat = self._known.get(_key(scope))
        if repeat is None:
            return None
        now = self._clock.now()
        if not self._holds(repeat.page, now):
            return None
        return self._told(repeat, now, started)

    def note(self, scope: Scope, message: Message) -> None:
        """Remember how a request was answered from a ready page; `message` begins the answer."""
        if scope["method"] != "GET" or not _OWN.isdisjoint(name for name, _ in scope["headers"]):
            return
        status = message["status"]
        fixed = tuple(line for line in message["headers"] if line[0] not in _VARYING)
        has_body = status != HTTPStatus.NOT_MODIFIED
        self._known.keep(_key(scope), Repeat(scope[READY], int(status), fixed, has_body))

    def _holds(self, page: ReadyPage, now: datetime) -> bool:
        try:
            return page.version == self._changes.version() and page.standing.holds(now)
        except StoreError:
            return False  # for others to tell

    def _told(self, repeat: Repeat, now: datetime, started: float) -> tuple[Message, Message]:
        page = repeat.page
        request_id = self._random.identifier().encode()
        timed = lines(self._validators.timed(page.standing, now))
        headers = [*repeat.lines, (b"x-request-id", request_id), *timed]
        body = b""
        if repeat.has_body:
            body = page.body + ending_of(request_id, started, page.standing.stale)
            headers.append((b"content-length", b"%d" % len(body)))
        start = {"type": "http.response.start", "status": repeat.status, "headers": headers}
        return start, {"type": "http.response.body", "body": body}


def _size(key: Key, repeat: Repeat) -> int:
    # The page is most often one that is kept ready as well; no matter, as long as there is a bound.
    *request, _, headers = key
    sent = sum(map(len, request)) + sum(len(name) + len(value) for name, value in headers)
    return len(repeat.page.body) + sent + OBJECTS_BYTES


def _key(scope: Scope) -> Key:
    # The path as it was sent: its length counts, too.
    return (
        scope["method"],
        scope.get("raw_path") or b"",
        scope["path"],
        scope["query_string"],
        scope["http_version"],
        tuple(scope["headers"]),
    )
