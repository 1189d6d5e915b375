"""The application over each kind of store."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from adapters.memory.datasets import MemoryChanges
from adapters.memory.operations import MemoryEvents, MemoryTracer
from adapters.memory.system import SteerableClock
from adapters.sql.datasets.store import SqlStore
from adapters.sql.engine.sqlite.database import SqliteDatabase
from adapters.sql.ingest.intake import SqlIntakes
from adapters.sql.jobs.idempotency import SqlIdempotency
from adapters.sql.jobs.jobs import SqlJobHistory, SqlJobs
from adapters.sql.jobs.schedules import SqlSchedules
from adapters.sql.schema.migrate import migrate
from application.ingest.job_backend import JobBackend
from domain.dataset import Dataset
from domain.errors import StoreUnavailable
from tests.adapters.http.http_fixture import POSTS, HttpFixture, RecordingQueue

Open = Callable[..., AbstractAsyncContextManager[HttpFixture]]


class Away(MemoryChanges):
    """Changes whose version cannot be read while they are away."""

    away = False

    def version(self) -> int:
        """Return the version, unless it is away."""
        if self.away:
            raise StoreUnavailable("away")
        return super().version()


@asynccontextmanager
async def in_memory(dataset: Dataset[Any], **options: Any) -> AsyncIterator[HttpFixture]:
    """Yield the application over memory adapters."""
    fixture = HttpFixture(POSTS, dataset, **options)
    async with fixture.client:
        yield fixture


@asynccontextmanager
async def on_sqlite(dataset: Dataset[Any], **options: Any) -> AsyncIterator[HttpFixture]:
    """Yield the application over a SQLite file."""
    with TemporaryDirectory() as folder:
        database, clock = SqliteDatabase(Path(folder, "catchment.db")), SteerableClock()
        await migrate(database, [POSTS, dataset])
        fixture = HttpFixture(
            POSTS,
            dataset,
            clock=clock,
            store=SqlStore(database),
            intakes=SqlIntakes(database, clock),
            job_backend=JobBackend(
                jobs=SqlJobs(database, clock),
                history=SqlJobHistory(database, clock),
                queue=RecordingQueue(),
                schedules=SqlSchedules(database, clock),
                events=MemoryEvents(),
                tracer=MemoryTracer(),
            ),
            idempotency=SqlIdempotency(database, clock),
            changes=database,
            **options,
        )
        try:
            async with fixture.client:
                yield fixture
        finally:
            await database.close()


STORES: dict[str, Open] = {"memory": in_memory, "sqlite": on_sqlite}
