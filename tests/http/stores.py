"""The application over each kind of store there is."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from adapters.memory.clock import SteerableClock
from adapters.sql.idempotency import SqlIdempotency
from adapters.sql.job_history import SqlJobHistory
from adapters.sql.jobs import SqlJobs
from adapters.sql.migrate import migrate
from adapters.sql.schedules import SqlSchedules
from adapters.sql.sqlite import SqliteDatabase
from adapters.sql.store import SqlStore
from application.ingest.job_backend import JobDesk
from domain.dataset import Dataset
from tests.http.stage import POSTS, MemoryQueue, Stage

Open = Callable[..., AbstractAsyncContextManager[Stage]]


@asynccontextmanager
async def in_memory(dataset: Dataset[Any], **options: Any) -> AsyncIterator[Stage]:
    """The application over memory adapters."""
    stage = Stage(POSTS, dataset, **options)
    async with stage.client:
        yield stage


@asynccontextmanager
async def on_sqlite(dataset: Dataset[Any], **options: Any) -> AsyncIterator[Stage]:
    """The application over a SQLite file."""
    with TemporaryDirectory() as folder:
        database, clock = SqliteDatabase(Path(folder, "catchment.db")), SteerableClock()
        await migrate(database, [POSTS, dataset])
        stage = Stage(
            POSTS,
            dataset,
            clock=clock,
            store=SqlStore(database, clock),
            desk=JobDesk(
                jobs=SqlJobs(database, clock),
                history=SqlJobHistory(database, clock),
                queue=MemoryQueue(),
                schedules=SqlSchedules(database, clock),
            ),
            idempotency=SqlIdempotency(database, clock),
            changes=database,
            **options,
        )
        try:
            async with stage.client:
                yield stage
        finally:
            await database.close()


STORES: dict[str, Open] = {"memory": in_memory, "sqlite": on_sqlite}
