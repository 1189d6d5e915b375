"""Schedulers that run for a block, and one worker, for the tests of the schedules."""

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
#: After so long past a tick its job has been requested, with any jitter.
SURELY = timedelta(seconds=15)
OTHERS = Dataset(name="others", record=Post, key=("id",))


class SchedulerProcess:
    """One scheduler process: its failures, and its task."""

    def __init__(self, rig: Rig, registry: Registry, job_backend: JobBackend, on_start: bool):
        self._events = MemoryEvents()
        job_backend = replace(job_backend, events=self._events)
        self.task = asyncio.create_task(
            Scheduler(registry, job_backend, rig.clock, rig.random, on_start)()
        )

    @property
    def failures(self) -> list[ScheduleFailed]:
        """Return the failures of the scheduler."""
        return self._events.of(ScheduleFailed)


@asynccontextmanager
async def scheduling(
    rig: Rig,
    *fetches: Fetch[Any],
    on_start: bool = False,
    job_backend: JobBackend | None = None,
    registry: Registry | None = None,
) -> AsyncIterator[SchedulerProcess]:
    """Run the scheduler of these datasets, or of a registry, during the block."""
    known = registry or rig.registry(*fetches)
    process = SchedulerProcess(rig, known, job_backend or rig.job_backend, on_start)
    await rig.clock.settle()
    try:
        yield process
    finally:
        await ended(process.task)


@asynccontextmanager
async def served(rig: Rig, *fetches: Fetch[Any]) -> AsyncIterator[None]:
    """Run a worker during the block."""
    run_job = RunJob(rig.registry(*fetches), rig.job_backend)
    task = asyncio.create_task(Worker(run_job, rig.job_backend, rig.clock)())
    try:
        yield
    finally:
        for fetch in fetches:
            await fetch.close()
        await ended(task)


def jobs_of(rig: Rig, dataset: str = "posts") -> list[FetchJob]:
    """Return the jobs of a dataset, in the order of their requests."""
    return [job for job in rig.database.jobs.values() if job.dataset == dataset]


def late_s(rig: Rig, start: datetime, period: timedelta = PERIOD) -> list[float]:
    """Return the delay of each job of the posts after its tick, in seconds; the first tick is 1."""
    ticks = enumerate(jobs_of(rig), start=1)
    return [(job.queued_at - start - number * period).total_seconds() for number, job in ticks]


def most_late_s(period: timedelta = PERIOD) -> float:
    """Return the longest delay of a job: its jitter, and the last check before it."""
    return min(period * JITTER_SHARE, MAX_JITTER).total_seconds() + 1.0


async def pass_by(rig: Rig, period: timedelta) -> None:
    """Advance the time in steps of a minute."""
    for _ in range(period // MINUTE):
        rig.clock.advance(MINUTE)
        await rig.clock.settle()
