"""Schedules: every dataset is fetched when it is due, and only then."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from adapters.memory.store import MemoryStore
from application.fetch import Fetch, Fetched
from application.schedules import KeepCurrent
from domain.checkpoints import Freshness
from domain.dataset import Dataset
from domain.errors import CatchmentError, SourceUnavailable, StoreUnavailable
from domain.politeness import Cadence
from domain.posts import Post
from domain.reports import Outcome
from tests.application.rig import Rig, posts

HOUR = timedelta(hours=1)
HOURLY = Cadence(every=HOUR)
OTHERS = Dataset(name="others", record=Post, key=("id",))

Told = tuple[str, float, Outcome | str]


@asynccontextmanager
async def keeping(
    rig: Rig, fetches: Sequence[Fetch[Any]], on_start: bool = True
) -> AsyncIterator[list[Told]]:
    """Keep the datasets current for a while; shows what was told: the dataset, when, and what."""
    told: list[Told] = []
    start = rig.clock.now()

    def note(dataset: str, end: Fetched | CatchmentError) -> None:
        seconds = (rig.clock.now() - start).total_seconds()
        told.append(
            (dataset, seconds, end.code if isinstance(end, CatchmentError) else end.outcome)
        )

    running = asyncio.create_task(KeepCurrent(fetches, rig.store, rig.clock, note, on_start)())
    try:
        yield told
    finally:
        running.cancel()
        await asyncio.wait([running])


async def test_a_dataset_is_fetched_at_the_start_and_then_every_period(rig: Rig) -> None:
    async with keeping(rig, [rig.fetch(rig.source("one", posts(1)), cadence=HOURLY)]) as told:
        await rig.clock.elapse(HOUR * 2)

    assert told == [
        ("posts", 0, Outcome.CHANGED),
        ("posts", 3600, Outcome.UNCHANGED),
        ("posts", 7200, Outcome.UNCHANGED),
    ]


async def test_without_a_period_a_dataset_is_fetched_at_the_start_alone(rig: Rig) -> None:
    async with keeping(rig, [rig.fetch(rig.source("one", posts(1)))]) as told:
        await rig.clock.elapse(HOUR * 2)

    assert told == [("posts", 0, Outcome.CHANGED)]


async def test_the_fetch_at_the_start_can_be_left_out(rig: Rig) -> None:
    fetch = rig.fetch(rig.source("one", posts(1)), cadence=HOURLY)
    await fetch()
    rig.clock.advance(600)

    async with keeping(rig, [fetch], on_start=False) as told:
        await rig.clock.elapse(HOUR)

    assert told == [("posts", 3000, Outcome.UNCHANGED)]


async def test_a_dataset_never_fetched_and_not_at_the_start_waits_a_period(rig: Rig) -> None:
    fetch = rig.fetch(rig.source("one", posts(1)), cadence=HOURLY)

    async with keeping(rig, [fetch], on_start=False) as told:
        await rig.clock.elapse(HOUR)

    assert told == [("posts", 3600, Outcome.CHANGED)]


async def test_a_fetch_by_somebody_else_moves_the_next_one(rig: Rig) -> None:
    fetch = rig.fetch(rig.source("one", posts(1)), cadence=HOURLY)

    async with keeping(rig, [fetch]) as told:
        await rig.clock.elapse(1800)
        await fetch()
        await rig.clock.elapse(HOUR)

    assert told[1:] == [("posts", 3600, Outcome.UNCHANGED)]


async def test_every_dataset_keeps_its_own_time(rig: Rig) -> None:
    fetches = [
        rig.fetch(rig.source("one", posts(1)), cadence=HOURLY),
        rig.fetch(rig.source("two", posts(1)), dataset=OTHERS, cadence=Cadence(every=HOUR / 2)),
    ]

    async with keeping(rig, fetches) as told:
        await rig.clock.elapse(HOUR)

    assert sorted((dataset, seconds) for dataset, seconds, _ in told) == [
        ("others", 0),
        ("others", 1800),
        ("others", 3600),
        ("posts", 0),
        ("posts", 3600),
    ]


async def test_a_dataset_whose_sources_are_switched_off_is_left_alone(rig: Rig) -> None:
    async with keeping(rig, [rig.fetch(cadence=HOURLY)]) as told:
        await rig.clock.elapse(HOUR)

    assert told == []


async def test_after_a_failure_the_next_try_comes_soon(rig: Rig) -> None:
    source = rig.source("one", posts(1))
    source.failure = SourceUnavailable("no answer")

    async with keeping(rig, [rig.fetch(source, cadence=HOURLY)]) as told:
        await rig.clock.elapse(35)
        source.failure = None
        await rig.clock.elapse(60)

    assert told == [
        ("posts", 0, Outcome.FAILED),
        ("posts", 30, Outcome.FAILED),
        ("posts", 60, Outcome.CHANGED),
    ]


async def test_a_period_shorter_than_the_interval_does_not_spin(rig: Rig) -> None:
    cadence = Cadence(interval=timedelta(seconds=60), every=timedelta(seconds=20))
    source = rig.source("one", posts(1))

    async with keeping(rig, [rig.fetch(source, cadence=cadence)]) as told:
        await rig.clock.elapse(125)

    assert len(source.asked) == 3
    assert len(told) <= 7


async def test_a_restart_within_the_interval_does_not_shorten_the_period(rig: Rig) -> None:
    fetch = rig.fetch(rig.source("one", posts(1)), cadence=HOURLY)
    await fetch()
    rig.clock.advance(10)

    async with keeping(rig, [fetch]) as told:
        await rig.clock.elapse(HOUR)

    assert told == [("posts", 0, Outcome.FRESH), ("posts", 3590, Outcome.UNCHANGED)]


class Failing(MemoryStore):
    """A store that cannot be reached while `down`."""

    down = True

    async def freshness(self, dataset: Dataset[Any]) -> Freshness:
        """Fail, or answer."""
        if self.down:
            raise StoreUnavailable("the database is busy")
        return await super().freshness(dataset)


async def test_a_store_that_goes_away_does_not_end_the_schedules(rig: Rig) -> None:
    store = rig.store = Failing(rig.database, rig.clock)
    store.down = False
    fetch = rig.fetch(rig.source("one", posts(1)), cadence=HOURLY)
    await fetch()
    store.down = True

    async with keeping(rig, [fetch], on_start=False) as told:
        await rig.clock.elapse(45)
        store.down = False
        await rig.clock.elapse(HOUR + timedelta(seconds=30))

    assert [(seconds, what) for _, seconds, what in told] == [
        (30, "store_unavailable"),
        (60, Outcome.UNCHANGED),
        (3660, Outcome.UNCHANGED),
    ]


async def test_a_store_that_cannot_be_reached_is_told_and_tried_again(rig: Rig) -> None:
    store = rig.store = Failing(rig.database, rig.clock)

    async with keeping(rig, [rig.fetch(rig.source("one", posts(1)), cadence=HOURLY)]) as told:
        await rig.clock.elapse(10)
        store.down = False
        await rig.clock.elapse(60)

    assert {what for _, _, what in told[:-1]} == {"store_unavailable"}
    assert told[-1] == ("posts", 30, Outcome.CHANGED)
