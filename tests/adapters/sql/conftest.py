"""A database for each test, with posts in it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from sqlalchemy import text

from adapters.memory.system import SteerableClock
from adapters.sql.datasets.store import SqlStore
from adapters.sql.engine.database import Database
from adapters.sql.engine.postgres.database import PostgresDatabase
from adapters.sql.engine.sqlite.database import SqliteDatabase
from adapters.sql.ingest.intake import SqlIntakes
from adapters.sql.jobs.jobs import SqlJobs
from adapters.sql.schema.migrate import migrate
from domain.builtin.posts import POSTS, Post
from domain.checkpoints import Checkpoint
from domain.jobs import FetchJob, JobStatus
from domain.payloads import Payload
from domain.reports import FetchReport
from tests.services.postgres import administering, migrated_database, server_url

#: Filters and sort orders of posts that an index answers.
FAST_POSTS: list[tuple[list[tuple[str, str]], str]] = [
    ([], "id"),
    ([], "-id"),
    ([], "user_id"),
    ([], "-user_id"),
    ([], "-_changed_at"),
    ([("user_id", "1")], "id"),
    ([("user_id", "1")], "-id"),
    ([("id", "7")], "id"),
    ([("id__gt", "7")], "id"),
    ([("user_id__between", "2,3")], "user_id"),
    ([("user_id", "1"), ("id__gte", "5")], "id"),
    ([("_changed_at__gt", "2026-01-01T00:00:00Z")], "_changed_at"),
]


@pytest.fixture
async def path(tmp_path: Path) -> Path:
    """Return the path of a database with a table of posts."""
    path = tmp_path / "catchment.db"
    database = SqliteDatabase(path)
    await migrate(database, [POSTS])
    await database.close()
    return path


@pytest.fixture
def clock() -> SteerableClock:
    """Return a clock that only tests move."""
    return SteerableClock()


@pytest.fixture
async def database(path: Path) -> AsyncIterator[SqliteDatabase]:
    """Open the database."""
    database = SqliteDatabase(path)
    yield database
    await database.close()


@pytest.fixture
def store(database: SqliteDatabase) -> SqlStore:
    """Return the store over it."""
    return SqlStore(database)


@pytest.fixture
async def url() -> AsyncIterator[str]:
    """Return the URL of a PostgreSQL database with a table of posts."""
    async with migrated_database((POSTS,)) as url:
        yield url


@pytest.fixture
async def postgres(url: str) -> AsyncIterator[PostgresDatabase]:
    """Open the database."""
    database = PostgresDatabase(url)
    yield database
    await database.close()


async def read(database: Database, statement: str, scan: bool = False) -> Any:
    """Return the first value of the first row of a statement."""
    [rows] = await database.snapshot([(text(statement), {})], scan=scan)
    return rows[0][0] if rows else None


async def until(is_so: Callable[[], Awaitable[bool]]) -> None:
    """Let other tasks run until a condition holds."""
    async with asyncio.timeout(10):
        while not await is_so():
            await asyncio.sleep(0)


@asynccontextmanager
async def unreachable(url: str, victims: str = "true") -> AsyncIterator[None]:
    """Refuse connections to the database, and end the existing ones that `victims` selects."""
    name = urlsplit(url).path.removeprefix("/")
    end = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1 AND {victims}"
    async with administering(server_url()) as owner:
        await owner.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        try:
            await owner.fetch(end, name)
            yield
        finally:
            await owner.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")


async def waiting_for_locks(connection: Any) -> int:
    """Return how many sessions of this connection's database wait for a lock."""
    waiting = (
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    return int(await connection.fetchval(waiting))


async def waits_for_a_lock(connection: Any) -> bool:
    """Return whether any session does."""
    return await waiting_for_locks(connection) > 0


async def store_posts(
    database: Database, clock: SteerableClock, posts: list[Post], job_id: str = "job"
) -> None:
    """Store these posts as a fetch would."""
    jobs, intakes = SqlJobs(database, clock), SqlIntakes(database, clock)
    await jobs.request(FetchJob(id=job_id, dataset="posts", queued_at=clock.now()))
    job = await jobs.claim(job_id)
    assert job is not None
    async with intakes.open(POSTS, "sample", job) as intake:
        payload = await intake.keep(Payload(url="u", body=b"x", received_at=clock.now()))
        await intake.add(posts, payload)
        await intake.commit(Checkpoint(source="sample", fetched_at=clock.now(), job_id=job_id))
    await jobs.release(job.ended(JobStatus.SUCCEEDED, FetchReport(), clock.now()))


def some_posts(count: int) -> list[Post]:
    """Return so many posts, ten of each user."""
    return [Post(n, n // 10 + 1, f"title {n}", f"body {n}") for n in range(1, count + 1)]
