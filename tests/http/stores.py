"""The application over each kind of store there is."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from adapters.memory.clock import SteerableClock
from adapters.sql.jobs import SqlJobs
from adapters.sql.migrate import migrate
from adapters.sql.sqlite import SqliteDatabase
from adapters.sql.store import SqlStore
from domain.dataset import Dataset
from tests.http.stage import POSTS, Stage

Open = Callable[[Dataset[Any]], AbstractAsyncContextManager[Stage]]


@asynccontextmanager
async def in_memory(dataset: Dataset[Any]) -> AsyncIterator[Stage]:
    """The application over memory adapters."""
    stage = Stage(POSTS, dataset)
    async with stage.client:
        yield stage


@asynccontextmanager
async def on_sqlite(dataset: Dataset[Any]) -> AsyncIterator[Stage]:
    """The application over a SQLite file."""
    with TemporaryDirectory() as folder:
        path, clock = Path(folder, "catchment.db"), SteerableClock()
        migrate(path, [POSTS, dataset])
        database = SqliteDatabase(path)
        stage = Stage(
            POSTS,
            dataset,
            clock=clock,
            store=SqlStore(database, clock),
            jobs=SqlJobs(database, clock),
            changes=database,
        )
        try:
            async with stage.client:
                yield stage
        finally:
            await database.close()


STORES: dict[str, Open] = {"memory": in_memory, "sqlite": on_sqlite}
