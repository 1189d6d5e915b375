"""Several schedulers on one database fire each tick once."""

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack
from datetime import datetime, timedelta

import pytest

from adapters.memory.jobs import MemorySchedules
from adapters.memory.system import SeededRandom
from domain.jobs import FetchJob, JobStatus
from domain.politeness import Cadence
from domain.reports import FetchReport
from domain.schedules import Schedule
from tests.application.rig import Rig, posts
from tests.application.schedulers import (
    OTHERS,
    PERIOD,
    REGULAR,
    jobs_of,
    late_s,
    most_late_s,
    scheduling,
)

SHORT = timedelta(seconds=10)


class Interleaved(MemorySchedules):
    """Schedules whose calls let others go first, for a random time."""

    def __init__(self, rig: Rig, chance: SeededRandom) -> None:
        super().__init__(rig.database, rig.clock)
        self._chance = chance

    async def declare(self, periods: Mapping[str, timedelta]) -> None:
        """Declare, after a random time."""
        await self._let_others_go_first()
        await super().declare(periods)

    async def current(self) -> tuple[datetime, list[Schedule]]:
        """Return the schedules, after a random time."""
        current = await super().current()
        await self._let_others_go_first()
        return current

    async def fire(self, seen: Schedule, following: Schedule, job: FetchJob) -> FetchJob | None:
        """Fire, after a random time."""
        await self._let_others_go_first()
        fired = await super().fire(seen, following, job)
        await self._let_others_go_first()
        return fired

    async def _let_others_go_first(self) -> None:
        for _ in range(int(self._chance.fraction() * 6)):
            await asyncio.sleep(0)


async def end_all(rig: Rig) -> None:
    """End every job at once, so that each tick gets one of its own."""
    for job in list(rig.database.jobs.values()):
        if not job.status.is_final:
            claimed = await rig.jobs.claim(job.id)
            assert claimed is not None
            ended = claimed.ended(JobStatus.SUCCEEDED, FetchReport(), rig.clock.now())
            await rig.jobs.release(ended)


@pytest.mark.parametrize("seed", range(40))
async def test_each_tick_is_fired_once(rig: Rig, seed: int) -> None:
    fetches = [
        rig.fetch(rig.source("one", posts(1)), cadence=Cadence(every=SHORT)),
        rig.fetch(rig.source("two", posts(1)), dataset=OTHERS, cadence=Cadence(every=SHORT / 2)),
    ]
    job_backend = rig.with_job_backend(schedules=Interleaved(rig, SeededRandom(seed)))
    start = rig.clock.now()
    async with AsyncExitStack() as stack:
        for _ in range(2 + seed % 4):
            await stack.enter_async_context(scheduling(rig, *fetches, job_backend=job_backend))
            await rig.clock.elapse(0.1)
        for _ in range(4 * 10 + 2):
            await rig.clock.elapse(1)
            await end_all(rig)

    assert (len(jobs_of(rig)), len(jobs_of(rig, "others"))) == (4, 8)
    assert all(0 <= late <= most_late_s(SHORT) for late in late_s(rig, start, SHORT))
    assert sorted(rig.queue.announced) == sorted(rig.database.jobs)


@pytest.mark.parametrize("seed", range(10))
async def test_after_a_pause_one_of_many_schedulers_fires_the_missed_tick(
    rig: Rig, seed: int
) -> None:
    fetch = rig.fetch(rig.source("one", posts(1)), cadence=REGULAR)
    job_backend = rig.with_job_backend(schedules=Interleaved(rig, SeededRandom(seed)))
    await rig.schedules.declare({"posts": PERIOD})
    rig.clock.advance(PERIOD * 50)
    async with AsyncExitStack() as stack:
        for _ in range(5):
            await stack.enter_async_context(scheduling(rig, fetch, job_backend=job_backend))
        for _ in range(60):
            await rig.clock.elapse(1)
            await end_all(rig)

    assert len(jobs_of(rig)) == 1
    assert rig.queue.announced == [rig.last.id]


async def test_many_schedulers_that_start_at_once_request_one_job(rig: Rig) -> None:
    fetch = rig.fetch(rig.source("one", posts(1)), cadence=REGULAR)
    job_backend = rig.with_job_backend(schedules=Interleaved(rig, SeededRandom()))
    async with AsyncExitStack() as stack:
        for _ in range(5):
            await stack.enter_async_context(
                scheduling(rig, fetch, job_backend=job_backend, on_start=True)
            )
        await rig.clock.settle()

        assert rig.queue.announced == [job.id for job in jobs_of(rig)]
        assert len(jobs_of(rig)) == 1
        assert len(rig.database.schedules) == 1
