"""The state of the sample upstream: what it serves, and what it has received."""

import asyncio
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Literal

from entrypoints.sample_upstream.assets import sample_assets
from entrypoints.sample_upstream.documents import Document, Record
from entrypoints.sample_upstream.hub import Hub
from entrypoints.sample_upstream.market import Market
from entrypoints.sample_upstream.posts import Collection
from entrypoints.sample_upstream.received import ReceivedRequest, RequestLog
from entrypoints.sample_upstream.telemetry import Telemeter
from entrypoints.sample_upstream.words import sample_posts

FIRST_MODIFIED_AT = datetime(2026, 1, 1, tzinfo=UTC)


def utc_now() -> datetime:
    """Return the system's time."""
    return datetime.now(UTC)


class UpstreamState:
    """The state that a test controls: served content, delays, holding, and the request log."""

    def __init__(self, posts: int = 100, seed: int = 1) -> None:
        self.drip_seconds = 1.0
        """The pause between two pieces of a dripping answer, and before a slow one."""
        self.failures_before_ok = 2
        """How often a `-then-ok` fault fails first."""
        self.now: Callable[[], datetime] = utc_now
        """The clock of headers, quotas and points; replace it at will."""
        self.github_limit = 60
        """GitHub's requests per hour without a token; 0 means that they are used up."""
        self.github_failure: int | Literal["hang", "garbage"] | None = None
        """What GitHub answers instead: this status, nothing, or invalid JSON."""
        self.market = Market(seed)
        self.hub = Hub()
        self.telemeter = Telemeter(seed)
        self.assets = Document(sample_assets().encode())
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
    def requests(self) -> list[ReceivedRequest]:
        """Return the last 10 000 requests since `forget`, oldest first."""
        return self.log.kept

    @property
    def last_modified_at(self) -> datetime:
        """Return when something served changed: a fixed day, one minute later at each change."""
        return FIRST_MODIFIED_AT + timedelta(minutes=self._changes)

    def count(self, path: str | None = None) -> int:
        """Return the number of requests since `forget`, for one path or for all."""
        return self.log.count(path)

    async def arrived(self, number: int) -> None:
        """Wait until that many requests have arrived since `forget`."""
        await self.log.arrived(number)

    def forget(self) -> None:
        """Forget all requests, and reset every stateful fault."""
        self.log.forget()
        self._turns.clear()

    def set_posts(self, posts: list[Record]) -> None:
        """Serve these posts from now on."""
        self._records, self._generation = posts, None
        self._changed_posts()

    def revise(self, generation: int) -> None:
        """Put the generation number into every post's title, instead of the previous one."""
        self._generation = generation
        self._changed_posts()

    def set_tickers(self, tickers: list[Record]) -> None:
        """Serve exactly these tickers from now on."""
        self.market.replace(tickers)
        self._changes += 1

    def revise_prices(self, generation: int) -> None:
        """Change every ticker's price and `last_updated`; a generation always gives the same."""
        self.market.revise(generation)
        self._changes += 1

    def set_assets(self, text: str) -> None:
        """Serve this text as `/assets.csv` from now on."""
        self.assets = Document(text.encode())
        self._changes += 1

    def set_repository(
        self,
        full_name: str,
        description: str | None = None,
        stars: int = 0,
        language: str | None = None,
    ) -> None:
        """Add or replace a repository of GitHub."""
        self.hub.put(full_name, description, stars, language)
        self._changes += 1

    def set_points(self, points: list[Record]) -> None:
        """Serve exactly these points next, one for each request, then others again."""
        self.telemeter.queue(points)

    def next_point(self) -> Record:
        """Return the next point."""
        return self.telemeter.next(self.now())

    def hold(self) -> None:
        """From now on hold correct answers after the headers and half the body."""
        self._gate.clear()

    def release(self) -> None:
        """Release the held answers, and all later ones."""
        self._gate.set()

    @property
    def is_held(self) -> bool:
        """Return whether correct answers are held half-way now."""
        return not self._gate.is_set()

    async def released(self) -> None:
        """Wait until answers are released."""
        await self._gate.wait()

    def collection(self, number: int | None = None) -> Collection:
        """Return the served posts, or a sample of another size, from a cache."""
        if number not in self._collections:
            records = self._records if number is None else sample_posts(number, self._seed)
            self._collections[number] = Collection([self._stamped(record) for record in records])
        return self._collections[number]

    def turn(self, path: str) -> int:
        """Count a request to a fault and return its number: 1 for the first since `forget`."""
        self._turns[path] += 1
        return self._turns[path]

    def _changed_posts(self) -> None:
        self._changes += 1
        self._collections.clear()

    def _stamped(self, record: Record) -> Record:
        if self._generation is None or not isinstance(record.get("title"), str):
            return record
        return {**record, "title": f"{record['title']} (generation {self._generation})"}
