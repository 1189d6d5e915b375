"""Everything the sample upstream serves and remembers, apart from its sockets."""

import asyncio
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from entrypoints.upstream.posts import Collection
from entrypoints.upstream.received import Received, RequestLog
from entrypoints.upstream.words import Record, sample_posts

FIRST_MODIFIED_AT = datetime(2026, 1, 1, tzinfo=UTC)


def utc_now() -> datetime:
    """The system's time."""
    return datetime.now(UTC)


class Stage:
    """What a test steers: the posts, the pace, the gate, and the log of requests."""

    def __init__(self, posts: int = 100, seed: int = 1) -> None:
        self.drip_seconds = 1.0
        """The pause between two pieces of a dripping answer, and before a slow one."""
        self.failures_before_ok = 2
        """How often a `-then-ok` fault fails first."""
        self.now: Callable[[], datetime] = utc_now
        """The clock of `Date` headers and of dates in `Retry-After`; replace it at will."""
        self.log = RequestLog()
        self._gate = asyncio.Event()
        self._gate.set()
        self._seed = seed
        self._records = sample_posts(posts, seed)
        self._generation: int | None = None
        self._changes = 0
        self._collections: dict[int | None, Collection] = {}
        self._turns: Counter[str] = Counter()

    @property
    def requests(self) -> list[Received]:
        """The last 10 000 requests since `forget`, oldest first."""
        return self.log.kept

    @property
    def last_modified_at(self) -> datetime:
        """When the posts changed: a fixed day, one minute later at each change."""
        return FIRST_MODIFIED_AT + timedelta(minutes=self._changes)

    def count(self, path: str | None = None) -> int:
        """How many requests arrived since `forget`, for one path or for all."""
        return self.log.count(path)

    async def arrived(self, number: int) -> None:
        """Wait until that many requests have arrived since `forget`."""
        await self.log.arrived(number)

    def forget(self) -> None:
        """Forget all requests and begin every stateful fault anew."""
        self.log.forget()
        self._turns.clear()

    def set_posts(self, posts: list[Record]) -> None:
        """Serve these posts from now on."""
        self._records, self._generation = posts, None
        self._changed()

    def revise(self, generation: int) -> None:
        """Stamp the generation number in every post's title, replacing the previous stamp."""
        self._generation = generation
        self._changed()

    def hold(self) -> None:
        """From now on stop answers to `/posts` after the headers and half the body."""
        self._gate.clear()

    def release(self) -> None:
        """Let the held answers, and all later ones, go on."""
        self._gate.set()

    @property
    def is_held(self) -> bool:
        """Whether answers to `/posts` stop half-way now."""
        return not self._gate.is_set()

    async def released(self) -> None:
        """Wait until answers may go on."""
        await self._gate.wait()

    def collection(self, number: int | None = None) -> Collection:
        """The posts being served, or a sample of another size; built once and kept."""
        if number not in self._collections:
            records = self._records if number is None else sample_posts(number, self._seed)
            self._collections[number] = Collection([self._stamped(record) for record in records])
        return self._collections[number]

    def turn(self, fault: str) -> int:
        """Count a visit to a fault and return its number: 1 for the first since `forget`."""
        self._turns[fault] += 1
        return self._turns[fault]

    def _changed(self) -> None:
        self._changes += 1
        self._collections.clear()

    def _stamped(self, record: Record) -> Record:
        if self._generation is None or not isinstance(record.get("title"), str):
            return record
        return {**record, "title": f"{record['title']} (generation {self._generation})"}
