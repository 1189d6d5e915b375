"""Workers that run for a block, and slow sources, for the tests of the worker."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from adapters.memory.ingest import MemorySource
from adapters.memory.operations import MemoryEvents
from application.ingest.fetch import Fetch
from application.jobs.worker import AT_ONCE, RunJob, Worker
from domain.builtin.posts import Post
from domain.dataset import Dataset
from domain.events import Event, JobDeferred, JobEnded
from domain.jobs import FetchJob, JobStatus
from tests.application.rig import Rig, ended, posts

#: The seconds until a lost announcement is made up for.
FOUND_S = 2.0


def dataset(number: int) -> Dataset[Any]:
    """Return one of many datasets."""
    return Dataset(name=f"d{number}", record=Post, key=("id",))


class WorkerProcess:
    """One worker process: its use cases, its events and its task."""

    def __init__(self, rig: Rig, fetches: list[Fetch[Any]], at_once: int, **changed: Any) -> None:
        self._events = MemoryEvents()
        self.fetches = {fetch.dataset.name: fetch for fetch in fetches}
        job_backend = rig.with_job_backend(events=self._events, **changed)
        run_job = RunJob(rig.registry(*fetches), job_backend)
        self.task = asyncio.create_task(Worker(run_job, job_backend, rig.clock, at_once)())

    @property
    def events(self) -> list[Event]:
        """Return the events of the process."""
        return self._events.published

    @property
    def statuses(self) -> list[str]:
        """Return the statuses of its ended jobs."""
        return [
            event.job.status if isinstance(event, JobEnded | JobDeferred) else str(event)
            for event in self.events
        ]


@asynccontextmanager
async def working(
    rig: Rig, *fetches: Fetch[Any], at_once: int = AT_ONCE, **changed: Any
) -> AsyncIterator[WorkerProcess]:
    """Run a worker, which is killed in the end."""
    worker = WorkerProcess(rig, list(fetches), at_once, **changed)
    await rig.clock.settle()
    try:
        yield worker
    finally:
        for fetch in worker.fetches.values():
            await fetch.close()
        await ended(worker.task)


def slow(rig: Rig, name: str = "one", takes_s: float = 3) -> MemorySource[Post]:
    """Return a slow source."""
    source = rig.source(name, posts(1))
    source.takes_s = takes_s
    return source


async def status(rig: Rig, job: FetchJob) -> JobStatus:
    """Return the status of a job."""
    return (await rig.known(job.id)).status
