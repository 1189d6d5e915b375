"""Pruning: expired rows are removed in small batches, about once an hour."""

import asyncio
from datetime import datetime, timedelta

import pytest

from adapters.memory.database import MemoryDatabase
from adapters.memory.operations import MemoryEvents, MemoryRetention
from application.operations.prune import EVERY_S, JITTER_SHARE, PAUSE_S, Prune, PruneLoop
from domain.errors import StoreUnavailable
from domain.events import Pruned, PruneFailed
from domain.jobs import FetchJob, JobStatus
from domain.reports import FetchReport
from domain.retention import BATCH, RetainedKind, RetentionPolicy
from tests.application.rig import Rig, ended

DAY = timedelta(days=1)
KEEPING = RetentionPolicy(
    ages={
        RetainedKind.JOBS: DAY * 7,
        RetainedKind.QUARANTINE: DAY * 90,
        RetainedKind.PAYLOADS: DAY * 30,
    }
)


class Watched(MemoryRetention):
    """A retention that records its calls, and may fail."""

    def __init__(self, database: MemoryDatabase) -> None:
        super().__init__(database)
        self.asked: list[tuple[RetainedKind, datetime, int]] = []
        self.removed: list[int] = []
        self.failure: Exception | None = None

    async def prune(self, kept: RetainedKind, before: datetime, most: int) -> int:
        """Remove some rows."""
        if self.failure is not None:
            raise self.failure
        self.asked.append((kept, before, most))
        self.removed.append(await super().prune(kept, before, most))
        return self.removed[-1]


@pytest.fixture
def retention(rig: Rig) -> Watched:
    """Return the retention of the rig's database."""
    return Watched(rig.database)


@pytest.fixture
def prune(rig: Rig, retention: Watched) -> Prune:
    """Return the use case that prunes it."""
    return Prune(retention, rig.clock, KEEPING)


def ended_jobs(rig: Rig, count: int) -> None:
    """End so many jobs now, and one more later that stays."""
    for number in range(count + 1):
        rig.database.jobs[str(number)] = FetchJob(
            id=str(number),
            dataset="posts",
            status=JobStatus.SUCCEEDED,
            queued_at=rig.clock.now(),
            finished_at=rig.clock.now() + timedelta(seconds=number == count),
            report=FetchReport(),
        )


async def pruned(rig: Rig, prune: Prune) -> Pruned:
    """Prune once, to the end."""
    task = asyncio.create_task(prune())
    await rig.clock.elapse(60)
    return await task


async def test_every_kind_is_pruned_in_order_and_by_its_age(
    rig: Rig, retention: Watched, prune: Prune
) -> None:
    now = rig.clock.now()

    removed = await prune()

    assert removed == {RetainedKind.QUARANTINE: 0, RetainedKind.PAYLOADS: 0, RetainedKind.JOBS: 0}
    assert retention.asked == [
        (RetainedKind.QUARANTINE, now - DAY * 90, BATCH),
        (RetainedKind.PAYLOADS, now - DAY * 30, BATCH),
        (RetainedKind.JOBS, now - DAY * 7, BATCH),
    ]


async def test_many_rows_are_removed_in_small_batches_with_pauses(
    rig: Rig, retention: Watched, prune: Prune
) -> None:
    ended_jobs(rig, 10_000)
    rig.clock.advance(DAY * 8)
    began = rig.clock.now()
    task = asyncio.create_task(prune())

    await rig.clock.elapse(PAUSE_S * 20 - PAUSE_S / 2)
    early = task.done()
    await rig.clock.elapse(PAUSE_S)

    assert (early, task.done()) == (False, True)
    assert await task == {
        RetainedKind.QUARANTINE: 0,
        RetainedKind.PAYLOADS: 0,
        RetainedKind.JOBS: 10_000,
    }
    assert max(retention.removed) == BATCH
    assert retention.removed[2:] == [BATCH] * 20 + [0]
    # The end of the retention time is computed once.
    assert {before for _, before, _ in retention.asked[2:]} == {began - DAY * 7}


async def test_rows_that_have_not_expired_stay(rig: Rig, prune: Prune) -> None:
    ended_jobs(rig, 3)
    rig.clock.advance(DAY * 7)

    removed = await pruned(rig, prune)
    rig.clock.advance(1)
    later = await pruned(rig, prune)

    assert (removed[RetainedKind.JOBS], later[RetainedKind.JOBS]) == (0, 3)


# ---------------------------------------------------------------- the loop


class PruneProcess:
    """A prune loop, and its events."""

    def __init__(self, rig: Rig, prune: Prune) -> None:
        events = MemoryEvents()
        self.published = events.published
        self.task = asyncio.create_task(PruneLoop(prune, rig.clock, rig.random, events)())


async def test_it_prunes_about_once_an_hour(rig: Rig, prune: Prune, retention: Watched) -> None:
    process = PruneProcess(rig, prune)
    await rig.clock.elapse(EVERY_S)
    first = len(process.published)

    await rig.clock.elapse(EVERY_S * 100)

    assert first == 1
    assert 100 / (1 + JITTER_SHARE) <= len(process.published) - first <= 100 / (1 - JITTER_SHARE)
    await ended(process.task)


async def test_several_loops_prune_at_different_times(rig: Rig, prune: Prune) -> None:
    processes = [PruneProcess(rig, prune) for _ in range(4)]
    moments = set()
    for minute in range(600):
        known = sum(len(process.published) for process in processes)
        await rig.clock.elapse(60)
        if sum(len(process.published) for process in processes) > known:
            moments.add(minute)

    assert len(moments) > 20
    await ended(*(process.task for process in processes))


async def test_a_failure_is_published_and_tried_again_an_hour_later(
    rig: Rig, prune: Prune, retention: Watched
) -> None:
    retention.failure = gone = StoreUnavailable("the database is gone")
    process = PruneProcess(rig, prune)
    await rig.clock.elapse(EVERY_S)
    retention.failure = None
    await rig.clock.elapse(EVERY_S * (1 + JITTER_SHARE))

    nothing = dict.fromkeys(KEEPING.ages, 0)
    assert process.published[:2] == [
        PruneFailed(error=gone),
        Pruned(removed=nothing),
    ]
    await ended(process.task)
