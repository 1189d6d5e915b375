"""What the tests of the worker share: workers that live for a block, and slow sources."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from adapters.memory.ingest import MemorySource
from application.ingest.fetch import Fetch
from application.jobs.worker import AT_ONCE, RunJob, Worker
from domain.builtin.posts import Post
from domain.dataset import Dataset
from domain.jobs import FetchJob, JobStatus
from tests.application.rig import Rig, ended, posts

#: A lost announcement is made up for within so many seconds.
FOUND_S = 2.0


def dataset(number: int) -> Dataset[Any]:
    """One of many datasets."""
    return Dataset(name=f"d{number}", record=Post, key=("id",))


class WorkerProcess:
    """One worker process: what it fetches, what it tells, and the task it is."""

    def __init__(self, rig: Rig, fetches: list[Fetch[Any]], at_once: int, **changed: Any) -> None:
        self.told: list[tuple[str, FetchJob | Exception]] = []
        self.fetches = {fetch.dataset.name: fetch for fetch in fetches}
        job_backend = rig.with_desk(**changed)
        run_job = RunJob(self.fetches, job_backend, lambda *told: self.told.append(told))
        self.task = asyncio.create_task(Worker(run_job, job_backend, rig.clock, at_once)())

    @property
    def statuses(self) -> list[str]:
        """How the jobs it told of ended."""
        return [job.status if isinstance(job, FetchJob) else str(job) for _, job in self.told]


@asynccontextmanager
async def working(
    rig: Rig, *fetches: Fetch[Any], at_once: int = AT_ONCE, **changed: Any
) -> AsyncIterator[WorkerProcess]:
    """A worker, which is killed in the end."""
    worker = WorkerProcess(rig, list(fetches), at_once, **changed)
    await rig.clock.settle()
    try:
        yield worker
    finally:
        for fetch in worker.fetches.values():
            await fetch.close()
        await ended(worker.task)


def slow(rig: Rig, name: str = "one", takes_s: float = 3) -> MemorySource[Post]:
    """A source that takes its time."""
    source = rig.source(name, posts(1))
    source.takes_s = takes_s
    return source


async def status(rig: Rig, job: FetchJob) -> JobStatus:
    """How a job stands."""
    return (await rig.known(job.id)).status
