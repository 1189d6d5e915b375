"""The registry is replaced under readers, fetches and a worker: no error, and nothing is lost."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from itertools import count
from typing import Any

import msgspec

from adapters.memory.ingest import MemorySource
from adapters.memory.jobs import MemoryQueue
from adapters.memory.operations import MemoryEvents, MemoryTracer
from application.datasets.query import Query
from application.datasets.registry import Generation, RegisteredDataset, Registry
from application.ingest.fetch import Fetch
from application.ingest.job_backend import JobBackend
from application.jobs.worker import RunJob, Worker
from domain.dataset import Dataset, Role
from domain.errors import StoreUnavailable, UnknownDataset
from domain.events import JobEnded, JobInterrupted
from domain.fields import Int64
from domain.jobs import FetchJob, JobStatus
from domain.paging import PageRequest, Sort
from domain.politeness import Cadence
from tests.contract.backends import Backend

#: So many records has every source.
RECORDS = 20
#: A generation stays until each kind of client has done so much by it.
ENOUGH = 3
#: What every read takes of the time that the tests steer.
STEP_S = 0.02

#: A server's databases are used again, so each test has names of its own.
_numbers = count()


class Plain(msgspec.Struct, frozen=True):
    """The first record type."""

    id: Int64
    title: str = "title"


class Wider(msgspec.Struct, frozen=True):
    """The record type with one more field."""

    id: Int64
    title: str = "title"
    level: Int64 | None = 7


class Reshaped(msgspec.Struct, frozen=True):
    """The record type with a field less, and one of another type."""

    id: Int64
    level: float = 7.0


class House:
    """One process over a backend: its registry, and the observations of readers and fetches."""

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self.events = MemoryEvents()
        self.job_backend = JobBackend(
            backend.jobs,
            backend.history,
            MemoryQueue(self.events),
            backend.schedules,
            self.events,
            MemoryTracer(),
        )
        self.names = {kind: f"{kind}_{next(_numbers)}" for kind in ("kept", "changed", "passing")}
        self.registry = Registry(backend.tables, lambda: Generation([]))
        self.accepted: list[str] = []
        self.done: Counter[tuple[str, int]] = Counter()
        self.generations = 0

    def registered(self, kind: str, record: type[Any]) -> RegisteredDataset[Any]:
        """Return a dataset with these records."""
        dataset = Dataset(name=self.names[kind], record=record, key=("id",), default_sort="id")
        records = [record(number) for number in range(RECORDS)]
        source = MemorySource("one", record, self.backend.clock, records)
        return self.over(dataset, source)

    def over(self, dataset: Dataset[Any], *sources: MemorySource[Any]) -> RegisteredDataset[Any]:
        """Return a dataset with these sources."""
        backend = self.backend
        ports = (
            backend.store,
            backend.intakes,
            backend.clock,
            self.job_backend,
            backend.random,
        )
        fetch = Fetch(dataset, sources, *ports, Cadence())
        return RegisteredDataset(fetch, Query(dataset, backend.store))

    async def replace(self, *registered: RegisteredDataset[Any]) -> None:
        """Replace the generation."""
        await self.registry.replace(Generation(registered))
        self.generations += 1

    def picked(self, number: int) -> RegisteredDataset[Any]:
        """Return one of the current datasets, each in its turn."""
        registered = list(self.registry.current.values())
        return registered[number % len(registered)]

    async def rows(self, kind: str) -> list[Any]:
        """Return all records of a dataset."""
        return (await self.read(self.registry.current[self.names[kind]])).rows

    async def read(self, registered: RegisteredDataset[Any]) -> Any:
        """Return one page of a dataset."""
        sort = Sort.parse(registered.dataset, "")
        return await registered.query(PageRequest(sort=sort), Role.ANYONE)

    # ------------------------------------------------------------ who uses it meanwhile

    async def reads(self, number: int) -> None:
        """Read one dataset, as the HTTP adapter does: again if it was replaced meanwhile."""
        registered = self.picked(number)
        try:
            page = await self.read(registered)
        except StoreUnavailable:
            if not await self.registry.is_replaced(registered.query.for_role(Role.ANYONE)):
                raise
        else:
            assert len(page.rows) in (0, RECORDS)
        self.backend.clock.advance(STEP_S)

    async def fetches(self, number: int) -> None:
        """Fetch one dataset and wait for it."""
        registered = self.picked(number)
        try:
            job = (await registered.fetch(Role.ADMIN, force=True)).job
        except UnknownDataset:
            assert registered.name not in self.registry.current
        else:
            self.check(job)

    async def asks(self, number: int) -> None:
        """Start a background fetch of one dataset."""
        fetched = await self.picked(number).fetch.start(Role.ADMIN, force=True)
        self.accepted.append(fetched.job.id)

    def check(self, job: FetchJob) -> None:
        """Assert that a job has an expected end."""
        assert job.report is not None
        failures = [failure.code for failure in job.report.failures]
        assert (job.status, failures) in (
            (JobStatus.SUCCEEDED, []),
            (JobStatus.FAILED, ["dataset_removed"]),
        )

    async def _forever(self, kind: str, once: Callable[[int], Awaitable[None]]) -> None:
        for number in count():
            generation = self.generations
            await once(number)
            self.done[kind, generation] += 1
            await asyncio.sleep(0)

    @asynccontextmanager
    async def in_use(self) -> AsyncIterator[None]:
        """Run readers, fetches and a worker during the block; it raises their errors."""
        run_job = RunJob(self.registry, self.job_backend)
        worker = asyncio.create_task(Worker(run_job, self.job_backend, self.backend.clock)())
        users = {"reads": self.reads, "fetches": self.fetches, "asks": self.asks}
        tasks = [
            asyncio.create_task(self._forever(kind, once))
            for kind, once in users.items()
            for _ in range(3 if kind == "reads" else 1)
        ]
        self._users = users.keys(), tasks
        try:
            yield
            # The readers continue: they move the clock.
            for task in tasks[3:]:
                task.cancel()
            await self._all_ended()
            worker.cancel()
            await asyncio.wait([worker])
        finally:
            for task in (*tasks, worker):
                task.cancel()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
            await self.registry.close()
        assert {type(end) for end in ended} <= {asyncio.CancelledError}

    async def enough(self) -> None:
        """Wait until each kind of client has done enough with the current generation."""
        kinds, tasks = self._users
        while any(self.done[kind, self.generations] < ENOUGH for kind in kinds):
            for task in tasks:
                if task.done():
                    task.result()
            await asyncio.sleep(0)

    async def _all_ended(self) -> None:
        """Wait until every accepted job has ended."""
        for job_id in self.accepted:
            while (job := await self.backend.history.get(job_id)) and not job.status.is_final:
                await asyncio.sleep(0)
            assert job is not None
            self.check(job)


def values(rows: Sequence[Any]) -> list[tuple[Any, ...]]:
    """Return rows without the times of their changes."""
    return [msgspec.structs.astuple(row)[:-1] for row in rows]


async def test_nothing_is_lost_while_the_registry_is_replaced(backend: Backend) -> None:
    house = House(backend)
    kept, passing = house.registered("kept", Plain), house.registered("passing", Plain)
    await house.replace(kept, house.registered("changed", Plain))
    async with house.in_use():
        await house.enough()
        await house.replace(kept, house.registered("changed", Wider), passing)
        await house.enough()
        await house.replace(kept, house.registered("changed", Reshaped))
        await house.enough()
        last = house.registered("changed", Wider)
        await house.replace(kept, last, passing)
        await house.enough()
        await house.replace(kept, last)
        await house.enough()

    assert house.events.of(JobEnded)
    assert not house.events.of(JobInterrupted)
    assert values(await house.rows("kept")) == [(n, "title") for n in range(RECORDS)]
    assert values(await house.rows("changed")) == [(n, "title", 7) for n in range(RECORDS)]
    freshness = await backend.store.freshness(kept.dataset)
    assert freshness.seq == 1, "what did not change was not written again"
