"""Databases of one's own, with posts in them."""

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

#: Filters and orders of posts that an index answers.
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
    """Where the database is; posts are migrated."""
    path = tmp_path / "catchment.db"
    database = SqliteDatabase(path)
    await migrate(database, [POSTS])
    await database.close()
    return path


@pytest.fixture
def clock() -> SteerableClock:
    """A clock that stands still."""
    return SteerableClock()


@pytest.fixture
async def database(path: Path) -> AsyncIterator[SqliteDatabase]:
    """The open database."""
    database = SqliteDatabase(path)
    yield database
    await database.close()


@pytest.fixture
def store(database: SqliteDatabase) -> SqlStore:
    """The store over it."""
    return SqlStore(database)


@pytest.fixture
async def url() -> AsyncIterator[str]:
    """Where a PostgreSQL database is; posts are migrated."""
    async with migrated_database((POSTS,)) as url:
        yield url


@pytest.fixture
async def postgres(url: str) -> AsyncIterator[PostgresDatabase]:
    """The open database."""
    database = PostgresDatabase(url)
    yield database
    await database.close()


async def read(database: Database, statement: str, scan: bool = False) -> Any:
    """The first value of the first row a statement gives."""
    [rows] = await database.snapshot([(text(statement), {})], scan=scan)
    return rows[0][0] if rows else None


async def until(is_so: Callable[[], Awaitable[bool]]) -> None:
    """Let others run until something is so."""
    async with asyncio.timeout(10):
        while not await is_so():
            await asyncio.sleep(0)


@asynccontextmanager
async def out_of_reach(url: str, who: str = "true") -> AsyncIterator[None]:
    """Nobody can connect to the database, and of those who had those named have been thrown out."""
    name = urlsplit(url).path.removeprefix("/")
    theirs = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1 AND {who}"
    async with administering(server_url()) as owner:
        await owner.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        try:
            await owner.fetch(theirs, name)
            yield
        finally:
            await owner.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")


async def waiting_for_locks(onlooker: Any) -> int:
    """How many in the database of this connection wait for a lock."""
    waiting = (
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    return int(await onlooker.fetchval(waiting))


async def waits_for_a_lock(onlooker: Any) -> bool:
    """Whether somebody does."""
    return await waiting_for_locks(onlooker) > 0


async def bring(
    database: Database, clock: SteerableClock, posts: list[Post], job_id: str = "job"
) -> None:
    """Fetch these posts."""
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
    """So many posts, ten by each user."""
    return [Post(n, n // 10 + 1, f"title {n}", f"body {n}") for n in range(1, count + 1)]
