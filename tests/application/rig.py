"""The rig of the use cases' tests: every port in memory, and a few records."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from adapters.memory.in_memory import InMemory
from adapters.memory.ingest import MemorySource
from adapters.memory.jobs import MemoryJobHistory, MemoryQueue
from application.datasets.query import Query
from application.datasets.registry import Generation, RegisteredDataset, Registry
from application.ingest.fetch import Fetch, Fetched
from application.ingest.job_backend import JobBackend
from application.ports.datasets import Store, Tables
from application.ports.operations import Events
from domain.builtin.posts import POSTS, Post
from domain.dataset import Dataset
from domain.errors import QueueUnavailable
from domain.filters import Filter
from domain.jobs import LEASE, FetchJob, Mode
from domain.paging import PageRequest, Sort
from domain.payloads import Batch, Payload
from domain.reports import Counts, SourceReport
from domain.schedules import Schedule
from tests.sharing import SharedPost, shared


def posts(count: int, title: str = "title", first: int = 1) -> list[Post]:
    """Return so many posts."""
    return [Post(number, 1, title, "body") for number in range(first, first + count)]


def adds_up(counts: Counts) -> bool:
    """Return whether every received record is counted."""
    return counts.received == (
        counts.inserted
        + counts.updated
        + counts.unchanged
        + counts.duplicates
        + counts.quarantined
        + counts.held
    )


class SteeredQueue(MemoryQueue):
    """A queue that records announcements, and can be unavailable or lose everything."""

    is_away = False
    is_losing = False

    def __init__(self, events: Events) -> None:
        super().__init__(events)
        self.announced: list[str] = []

    async def announce(self, job_id: str) -> None:
        """Announce, unless unavailable."""
        if self.is_away:
            raise QueueUnavailable("the broker is away")
        self.announced.append(job_id)
        if not self.is_losing:
            await super().announce(job_id)


class BuggySource(MemorySource[Any]):
    """A source with a bug."""

    def normalise(self, payload: Payload) -> Batch[Any]:
        """Break."""
        raise ZeroDivisionError


class CountedHistory(MemoryJobHistory):
    """A history that counts the reads of each job."""

    reads = 0

    async def get(self, job_id: str) -> FetchJob | None:
        """One job."""
        self.reads += 1
        return await super().get(job_id)


def registry_of(tables: Tables, store: Store, *fetches: Fetch[Any]) -> Registry:
    """Return a registry of the datasets of these use cases, read from this store."""
    registered = [RegisteredDataset(fetch, Query(fetch.dataset, store)) for fetch in fetches]
    return Registry(tables, lambda: Generation(registered))


class Rig(InMemory):
    """Every port in memory, with a queue and a history that tests control and inspect."""

    def __init__(self) -> None:
        super().__init__()
        self.queue = SteeredQueue(self.events)
        self.history = CountedHistory(self.database, self.clock)

    def source(
        self, name: str, *pages: Sequence[Any] | bytes, record: type[Any] = Post
    ) -> MemorySource[Any]:
        """Return a source with these pages: of posts, unless another record type is given."""
        return super().source(record, *pages, name=name)

    def shared(self, name: str, count: int = 1) -> MemorySource[Any]:
        """Return a source of a shared dataset."""
        return self.source(name, shared(name, count), record=SharedPost)

    def fetch(
        self, *sources: MemorySource[Any], dataset: Dataset[Any] = POSTS, **changed: Any
    ) -> Fetch[Any]:
        """Return the use case that fetches from these sources, with the rig's or changed ports."""
        ports = {
            "store": self.store,
            "intakes": self.intakes,
            "clock": self.clock,
            "job_backend": self.job_backend,
            "random": self.random,
        }
        return Fetch(dataset, sources, **{**ports, **changed})

    def with_job_backend(self, **changed: Any) -> JobBackend:
        """Return the job backend with other ports."""
        return replace(self.job_backend, **changed)

    def query(self, dataset: Dataset[Any] = POSTS) -> Query[Any]:
        """Return the use case that reads a dataset."""
        return super().query(dataset)

    async def stored(self, dataset: Dataset[Any] = POSTS) -> list[Any]:
        """Return every stored row."""
        sort = Sort.parse(dataset, "")
        return (await self.store.find(dataset, PageRequest(sort=sort, limit=100_000))).rows

    async def titles(self) -> list[str]:
        """Return the titles of the stored posts."""
        return [row.title for row in await self.stored()]

    def job(self, mode: Mode = Mode.TASK, dataset: Dataset[Any] = POSTS) -> FetchJob:
        """Return a job that is not stored yet."""
        return FetchJob(
            id=self.random.identifier(),
            dataset=dataset.name,
            mode=mode,
            queued_at=self.clock.now(),
        )

    @property
    def reads(self) -> int:
        """Return how often a job was read."""
        return self.history.reads

    async def queued(self, mode: Mode = Mode.TASK, dataset: Dataset[Any] = POSTS) -> FetchJob:
        """Return a queued job."""
        return await self.jobs.request(self.job(mode, dataset))

    async def abandoned(self, times: int = 1, dataset: Dataset[Any] = POSTS) -> FetchJob:
        """Return a job whose workers have died so often, with a running lease."""
        job = await self.queued(Mode.SYNC, dataset)
        for _ in range(times):
            self.clock.advance(LEASE)
            claimed = await self.jobs.claim(job.id)
            assert claimed is not None
            job = claimed
        return job

    async def scheduled(
        self, every: timedelta = timedelta(hours=1), dataset: Dataset[Any] = POSTS
    ) -> Schedule:
        """Declare and return the schedule of a dataset."""
        await self.schedules.declare({dataset.name: every})
        return self.database.schedules[dataset.name]

    async def known(self, job_id: str) -> FetchJob:
        """Return the current state of a job."""
        job = await self.history.get(job_id)
        assert job is not None
        return job

    @property
    def last(self) -> FetchJob:
        """Return the job that was requested last."""
        return list(self.database.jobs.values())[-1]

    def later(self, seconds: float) -> datetime:
        """Return the time so many seconds from now."""
        return self.clock.now() + timedelta(seconds=seconds)

    async def post(self, number: int) -> Any:
        """Return one stored post."""
        return await self.store.get(POSTS, (number,), Filter())


def only(fetched: Fetched) -> SourceReport:
    """Return the report of the only source."""
    assert fetched.job.report is not None
    [report] = fetched.job.report.sources
    assert adds_up(report.counts)
    return report


def counts_of(fetched: Fetched) -> Counts:
    """Return the counts of all sources together, which must add up."""
    assert fetched.job.report is not None
    assert all(adds_up(source.counts) for source in fetched.job.report.sources)
    return fetched.job.report.counts


async def ended(*tasks: "asyncio.Task[Any]") -> None:
    """Cancel these tasks, and wait for their end."""
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
