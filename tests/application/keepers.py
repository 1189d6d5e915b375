"""What the tests of the schedules share: keepers that live for a block, and one worker for all."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from adapters.memory.operations import MemoryEvents
from application.datasets.registry import Registry
from application.ingest.fetch import Fetch
from application.ingest.job_backend import JobBackend
from application.jobs.scheduler import Scheduler
from application.jobs.worker import RunJob, Worker
from domain.builtin.posts import Post
from domain.dataset import Dataset
from domain.events import ScheduleFailed
from domain.jobs import FetchJob
from domain.politeness import Cadence
from domain.schedules import JITTER_SHARE, MAX_JITTER
from tests.application.rig import Rig, ended

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
PERIOD = timedelta(seconds=100)
REGULAR = Cadence(interval=timedelta(seconds=10), every=PERIOD)
#: After so long past a tick its job has been asked for, whatever chance has said.
SURELY = timedelta(seconds=15)
OTHERS = Dataset(name="others", record=Post, key=("id",))


class Keeper:
    """One scheduler process: what it could not ask for, and the task it is."""

    def __init__(self, rig: Rig, registry: Registry, job_backend: JobBackend, on_start: bool):
        self._events = MemoryEvents()
        job_backend = replace(job_backend, events=self._events)
        self.task = asyncio.create_task(
            Scheduler(registry, job_backend, rig.clock, rig.random, on_start)()
        )

    @property
    def failures(self) -> list[ScheduleFailed]:
        """What could not be asked for."""
        return self._events.of(ScheduleFailed)


@asynccontextmanager
async def keeping(
    rig: Rig,
    *fetches: Fetch[Any],
    on_start: bool = False,
    job_backend: JobBackend | None = None,
    registry: Registry | None = None,
) -> AsyncIterator[Keeper]:
    """Keep the schedules of these datasets, or of those of the registry, for a while."""
    known = registry or rig.registry(*fetches)
    keeper = Keeper(rig, known, job_backend or rig.job_backend, on_start)
    await rig.clock.settle()
    try:
        yield keeper
    finally:
        await ended(keeper.task)


@asynccontextmanager
async def served(rig: Rig, *fetches: Fetch[Any]) -> AsyncIterator[None]:
    """Have a worker run what is asked for."""
    run_job = RunJob(rig.registry(*fetches), rig.job_backend)
    task = asyncio.create_task(Worker(run_job, rig.job_backend, rig.clock)())
    try:
        yield
    finally:
        for fetch in fetches:
            await fetch.close()
        await ended(task)


def jobs_of(rig: Rig, dataset: str = "posts") -> list[FetchJob]:
    """Every job of a dataset, in the order they were asked for."""
    return [job for job in rig.database.jobs.values() if job.dataset == dataset]


def late_s(rig: Rig, start: datetime, period: timedelta = PERIOD) -> list[float]:
    """How late each job of the posts was asked for, in seconds after its tick, the first one 1."""
    ticks = enumerate(jobs_of(rig), start=1)
    return [(job.queued_at - start - number * period).total_seconds() for number, job in ticks]


def most_late_s(period: timedelta = PERIOD) -> float:
    """How late a job may be asked for: its jitter, and the last look before it."""
    return min(period * JITTER_SHARE, MAX_JITTER).total_seconds() + 1.0


async def pass_by(rig: Rig, period: timedelta) -> None:
    """Let time pass in steps of a minute: nobody has to look each second."""
    for _ in range(period // MINUTE):
        rig.clock.advance(MINUTE)
        await rig.clock.settle()
