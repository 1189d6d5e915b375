"""The upstreams of a simulation: what they have, how they fail, and whom they have seen."""

import asyncio
import hashlib
import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from adapters.memory.operations import MemoryEvents
from adapters.memory.system import SteerableClock
from adapters.outbound.polite.client import PoliteClient
from adapters.outbound.polite.failures import RetryableError, incomplete, late, slow, unreachable
from adapters.outbound.polite.messages import RawResponse, UpstreamRequest
from adapters.outbound.polite.network import RequestLimits
from adapters.system.traces import NoTracer
from application.ports.politeness import Budget
from application.ports.system import Random

#: How often each mood comes over an upstream in bad times, in hundredths.
MOODS = {
    "well": 52,
    "failing": 8,
    "unavailable": 6,
    "limited": 6,
    "rude": 4,
    "unreachable": 6,
    "hanging": 4,
    "cut": 4,
    "junk": 3,
    "gone": 3,
    "slow": 4,
}
_PATIENCE_S = 10.0
_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


@dataclass(frozen=True)
class Generation:
    """What an upstream has at one time: sound records by number, the pages, what is in them."""

    number: int
    good: Mapping[int, str]
    pages: tuple[bytes, ...]
    received: int

    @property
    def digest(self) -> str:
        """The digest of all pages, as a checkpoint has it."""
        whole = hashlib.sha256()
        for page in self.pages:
            whole.update(hashlib.sha256(page).digest())
        return whole.hexdigest()

    @property
    def etag(self) -> str:
        """What it is called by."""
        return f'"g{self.number}"'


@dataclass
class Feed:
    """One list of an upstream, which changes now and then: every record says when it did."""

    path: str
    generations: list[Generation] = field(default_factory=list)

    @property
    def now(self) -> Generation:
        """What it has now."""
        return self.generations[-1]

    def change(self, random: Random) -> None:
        """Have other records: more or fewer, some of them bad, some twice, in one page or more."""
        number = len(self.generations) + 1
        title = f"g{number}"
        count = int(random.fraction() * 12)
        ids = [1 + int(random.fraction() * 8) for _ in range(count)]
        items: list[dict[str, Any]] = [{"id": one, "title": title, "body": ""} for one in ids]
        bad = int(random.fraction() * 4) if random.fraction() < 0.3 else 0
        if random.fraction() < 0.04:
            bad = 25  # the upstream itself has changed: the merge is held
        items += [{"id": f"bad {number} {place}"} for place in range(bad)]
        size = max(1, len(items) // (1 + int(random.fraction() * 3)))
        pages = [items[start : start + size] for start in range(0, len(items), size)] or [[]]
        # A record that comes twice differs from page to page; within one page it would be held.
        for place, page in enumerate(pages):
            for item in page:
                item |= {"userId": place} if "title" in item else {}
        held = bad >= 20 and bad > 0.2 * len(items)
        self.generations.append(
            Generation(
                number,
                {} if held else dict.fromkeys(ids, title),
                # Each is unlike any other, also when it is empty.
                tuple(json.dumps(page).encode() + b" " * number for page in pages),
                len(items),
            )
        )

    def by_digest(self, digest: str) -> Generation:
        """The generation that a checkpoint speaks of."""
        return next(g for g in self.generations if g.digest == digest)


@dataclass
class Arrival:
    """A request that has arrived."""

    at: datetime
    host: str
    by: str


class Upstream:
    """Everybody whom a simulation asks."""

    def __init__(self, clock: SteerableClock, random: Random, hosts: Mapping[str, str]) -> None:
        self.feeds = {url: Feed(url) for url in hosts}
        #: What arrived, in spans between which the clock was set ahead.
        self.spans: list[list[Arrival]] = [[]]
        self.storming = True
        #: Until then a host answers nobody.
        self.down_until: dict[str, datetime] = {}
        self._clock = clock
        self._random = random
        for feed in self.feeds.values():
            feed.change(random)

    @property
    def arrivals(self) -> list[Arrival]:
        """All that has arrived."""
        return [arrival for span in self.spans for arrival in span]

    async def answer(
        self, request: UpstreamRequest, allowance: RequestLimits, by: str
    ) -> RawResponse:
        """Answer, or fail in one of many ways."""
        self.spans[-1].append(Arrival(self._clock.steady, request.url.key, by))
        await self._clock.sleep(0.005 + 0.2 * self._random.fraction() ** 3)
        mood = self._mood(request.url.key)
        if mood == "well":
            return self._well(request)
        if mood == "slow":
            await self._clock.sleep(min(allowance.seconds(6.0), 6.0 * self._random.fraction()))
            return self._well(request)
        return await self._unwell(mood, request, allowance)

    def _mood(self, host: str) -> str:
        if self.storming and self._clock.steady < self.down_until.get(host, self._clock.steady):
            return "failing"
        drawn = self._random.fraction() * 100 if self.storming else 0.0
        for mood, share in MOODS.items():
            drawn -= share
            if drawn < 0:
                return mood
        return "well"

    async def _unwell(
        self, mood: str, request: UpstreamRequest, allowance: RequestLimits
    ) -> RawResponse:
        place, seconds = request.url.label, str(1 + int(self._random.fraction() * 20))
        match mood:
            case "failing":
                return RawResponse(500, {})
            case "unavailable":
                return RawResponse(503, {"retry-after": (seconds,)})
            case "limited":
                return RawResponse(429, {"retry-after": (seconds,)})
            case "rude":
                return RawResponse(429, {})
            case "unreachable":
                raise RetryableError(unreachable(place))
            case "hanging":
                await self._clock.sleep(allowance.seconds(_PATIENCE_S))
                raise late(place) if allowance.is_over() else RetryableError(slow(place))
            case "cut":
                raise RetryableError(incomplete(place))
            case "junk":
                return RawResponse(200, {"content-length": ("9",)}, b"<html>no</")
        return RawResponse(404, {})

    def _well(self, request: UpstreamRequest) -> RawResponse:
        base, _, query = request.url.text.partition("?")
        feed = self.feeds[base]
        generation, page = feed.now, 0
        if query:
            number, page = map(int, query.split("-"))
            generation = feed.generations[number - 1]
        headers = {"content-length": ("1",)}
        if len(generation.pages) == 1 and request.etag == generation.etag:
            return RawResponse(304, headers)
        if len(generation.pages) == 1:
            headers["etag"] = (generation.etag,)
        if page + 1 < len(generation.pages):
            headers["link"] = (f'<{base}?{generation.number}-{page + 1}>; rel="next"',)
        if self._random.fraction() < 0.2:
            headers["cache-control"] = (f"max-age={int(self._random.fraction() * 15)}",)
        return RawResponse(200, headers, generation.pages[page])


class _Exchange:
    """Carries requests of one process to the upstreams, without a network."""

    def __init__(self, upstream: Upstream, by: str) -> None:
        self._upstream = upstream
        self._by = by

    async def send(self, request: UpstreamRequest, allowance: RequestLimits) -> RawResponse:
        return await self._upstream.answer(request, allowance, self._by)

    async def close(self) -> None:
        await asyncio.sleep(0)


class SimulatedClient(PoliteClient):
    """The product's client, all of it but the network."""

    def __init__(
        self, budget: Budget, clock: SteerableClock, random: Random, upstream: Upstream, by: str
    ) -> None:
        super().__init__(budget, clock, random, MemoryEvents(), NoTracer(), tls=_TLS)
        self._exchange = _Exchange(upstream, by)  # type: ignore[assignment]


def most_in_a_window(times: list[datetime], window: timedelta) -> int:
    """The most arrivals in any window of that length."""
    most = first = 0
    for last, at in enumerate(times):
        while at - times[first] >= window:
            first += 1
        most = max(most, last - first + 1)
    return most
