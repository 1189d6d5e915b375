"""What the tests of use cases stand on: every port in memory, and a few records."""

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
    """So many posts."""
    return [Post(number, 1, title, "body") for number in range(first, first + count)]


def adds_up(counts: Counts) -> bool:
    """Whether every record received is accounted for."""
    return counts.received == (
        counts.inserted
        + counts.updated
        + counts.unchanged
        + counts.duplicates
        + counts.quarantined
        + counts.held
    )


class SteeredQueue(MemoryQueue):
    """A queue that writes down what is announced, and can be away or lose everything."""

    is_away = False
    is_losing = False

    def __init__(self, events: Events) -> None:
        super().__init__(events)
        self.announced: list[str] = []

    async def announce(self, job_id: str) -> None:
        """Announce, unless told otherwise."""
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
    """A history that counts how often a job was looked at."""

    looks = 0

    async def get(self, job_id: str) -> FetchJob | None:
        """One job."""
        self.looks += 1
        return await super().get(job_id)


def registry_of(tables: Tables, store: Store, *fetches: Fetch[Any]) -> Registry:
    """A registry of the datasets of these fetches, read from this store."""
    registered = [RegisteredDataset(fetch, Query(fetch.dataset, store)) for fetch in fetches]
    return Registry(tables, lambda: Generation(registered))


class Rig(InMemory):
    """Everything in memory, with a queue and a history that tests steer and look at."""

    def __init__(self) -> None:
        super().__init__()
        self.queue = SteeredQueue(self.events)
        self.history = CountedHistory(self.database, self.clock)

    def source(
        self, name: str, *pages: Sequence[Any] | bytes, record: type[Any] = Post
    ) -> MemorySource[Any]:
        """A source that answers with these pages: of posts, unless another record is named."""
        return super().source(record, *pages, name=name)

    def shared(self, name: str, count: int = 1) -> MemorySource[Any]:
        """A source of a dataset that others may feed as well."""
        return self.source(name, shared(name, count), record=SharedPost)

    def fetch(
        self, *sources: MemorySource[Any], dataset: Dataset[Any] = POSTS, **changed: Any
    ) -> Fetch[Any]:
        """The use case that fetches from these sources, by the rig's ports or changed ones."""
        ports = {
            "store": self.store,
            "intakes": self.intakes,
            "clock": self.clock,
            "job_backend": self.job_backend,
            "random": self.random,
        }
        return Fetch(dataset, sources, **{**ports, **changed})

    def with_desk(self, **changed: Any) -> JobBackend:
        """The job backend with other ports."""
        return replace(self.job_backend, **changed)

    def query(self, dataset: Dataset[Any] = POSTS) -> Query[Any]:
        """The use case that reads a dataset."""
        return super().query(dataset)

    async def stored(self, dataset: Dataset[Any] = POSTS) -> list[Any]:
        """Every stored row."""
        sort = Sort.parse(dataset, "")
        return (await self.store.find(dataset, PageRequest(sort=sort, limit=100_000))).rows

    async def titles(self) -> list[str]:
        """The titles of the stored posts."""
        return [row.title for row in await self.stored()]

    def job(self, mode: Mode = Mode.TASK, dataset: Dataset[Any] = POSTS) -> FetchJob:
        """A job nobody has written down yet."""
        return FetchJob(
            id=self.random.identifier(),
            dataset=dataset.name,
            mode=mode,
            queued_at=self.clock.now(),
        )

    @property
    def looks(self) -> int:
        """How often a job was looked at."""
        return self.history.looks

    async def queued(self, mode: Mode = Mode.TASK, dataset: Dataset[Any] = POSTS) -> FetchJob:
        """A job that waits."""
        return await self.jobs.request(self.job(mode, dataset))

    async def abandoned(self, times: int = 1, dataset: Dataset[Any] = POSTS) -> FetchJob:
        """A job whose worker has died so often that its last lease is running now."""
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
        """The schedule of a dataset that is fetched so often from now on."""
        await self.schedules.declare({dataset.name: every})
        return self.database.schedules[dataset.name]

    async def known(self, job_id: str) -> FetchJob:
        """A job as it stands now."""
        job = await self.history.get(job_id)
        assert job is not None
        return job

    @property
    def last(self) -> FetchJob:
        """The job asked for last."""
        return list(self.database.jobs.values())[-1]

    def later(self, seconds: float) -> datetime:
        """A moment so many seconds from now."""
        return self.clock.now() + timedelta(seconds=seconds)

    async def post(self, number: int) -> Any:
        """One stored post."""
        return await self.store.get(POSTS, (number,), Filter())


def only(fetched: Fetched) -> SourceReport:
    """The report of the only source."""
    assert fetched.job.report is not None
    [report] = fetched.job.report.sources
    assert adds_up(report.counts)
    return report


def counts_of(fetched: Fetched) -> Counts:
    """The counts of all sources together, which must add up."""
    assert fetched.job.report is not None
    assert all(adds_up(source.counts) for source in fetched.job.report.sources)
    return fetched.job.report.counts


async def ended(*tasks: "asyncio.Task[Any]") -> None:
    """Cancel these, and return when they have ended."""
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
