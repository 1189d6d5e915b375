"""What the tests of use cases stand on: memory adapters over one database, and a few records."""

from collections.abc import Sequence
from typing import Any

from adapters.memory.clock import SteerableClock
from adapters.memory.database import MemoryDatabase
from adapters.memory.jobs import MemoryJobs
from adapters.memory.quarantine import MemoryQuarantine
from adapters.memory.random import SeededRandom
from adapters.memory.source import MemorySource
from adapters.memory.store import MemoryStore
from application.fetch import Fetch, Fetched
from application.query import Query
from domain.dataset import Dataset
from domain.filters import Filter
from domain.jobs import FetchJob
from domain.paging import PageRequest, Sort
from domain.posts import POSTS, Post
from domain.reports import Counts, SourceReport


def posts(count: int, title: str = "title", first: int = 1) -> list[Post]:
    """So many posts."""
    return [Post(number, 1, title, "body") for number in range(first, first + count)]


def adds_up(counts: Counts) -> bool:
    """Whether every record received is accounted for."""
    return counts.received == (
        counts.inserted + counts.updated + counts.unchanged + counts.duplicates + counts.quarantined
    )


class Rig:
    """One database in memory, with everything that works on it."""

    def __init__(self) -> None:
        self.database = MemoryDatabase()
        self.clock = SteerableClock()
        self.random = SeededRandom()
        self.store = MemoryStore(self.database, self.clock)
        self.jobs = MemoryJobs(self.database, self.clock)
        self.quarantine = MemoryQuarantine(self.database)

    def source(
        self, name: str, *pages: Sequence[Any] | bytes, record: type[Any] = Post
    ) -> MemorySource[Any]:
        """A source that answers with these pages."""
        return MemorySource(name, record, self.clock, *pages)

    def fetch(
        self, *sources: MemorySource[Any], dataset: Dataset[Any] = POSTS, **changed: Any
    ) -> Fetch[Any]:
        """The use case that fetches from these sources."""
        ports = {
            "store": self.store,
            "clock": self.clock,
            "jobs": self.jobs,
            "random": self.random,
        }
        return Fetch(dataset, sources, **{**ports, **changed})

    def query(self, dataset: Dataset[Any] = POSTS) -> Query[Any]:
        """The use case that reads a dataset."""
        return Query(dataset, self.store)

    async def stored(self, dataset: Dataset[Any] = POSTS) -> list[Any]:
        """Every stored row."""
        sort = Sort.parse(dataset, "")
        return (await self.store.find(dataset, PageRequest(sort=sort, limit=100_000))).rows

    async def titles(self) -> list[str]:
        """The titles of the stored posts."""
        return [row.title for row in await self.stored()]

    async def abandoned(self, times: int = 1, dataset: Dataset[Any] = POSTS) -> FetchJob:
        """A job whose worker has died so often that its last lease is running now."""
        job = await self.jobs.request(
            FetchJob(id=self.random.identifier(), dataset=dataset.name, queued_at=self.clock.now())
        )
        for _ in range(times):
            self.clock.advance(5)
            claimed = await self.jobs.claim(job.id)
            assert claimed is not None
            job = claimed
        return job

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
