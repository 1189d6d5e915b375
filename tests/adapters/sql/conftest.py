"""A SQLite database of one's own, with posts in it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from adapters.memory.clock import SteerableClock
from adapters.sql.jobs import SqlJobs
from adapters.sql.migrate import migrate
from adapters.sql.sqlite import SqliteDatabase
from adapters.sql.store import SqlStore
from domain.checkpoints import Checkpoint
from domain.jobs import FetchJob, JobStatus
from domain.payloads import Payload
from domain.posts import POSTS, Post
from domain.reports import FetchReport


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the database is; posts are migrated."""
    path = tmp_path / "catchment.db"
    migrate(path, [POSTS])
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
def store(database: SqliteDatabase, clock: SteerableClock) -> SqlStore:
    """The store over it."""
    return SqlStore(database, clock)


async def bring(
    database: SqliteDatabase, clock: SteerableClock, posts: list[Post], job_id: str = "job"
) -> None:
    """Fetch these posts."""
    jobs, store = SqlJobs(database, clock), SqlStore(database, clock)
    await jobs.request(FetchJob(id=job_id, dataset="posts", queued_at=clock.now()))
    job = await jobs.claim(job_id)
    assert job is not None
    async with store.intake(POSTS, "sample", job) as intake:
        payload = await intake.keep(Payload(url="u", body=b"x", received_at=clock.now()))
        await intake.add(posts, payload)
        await intake.commit(Checkpoint(source="sample", fetched_at=clock.now(), job_id=job_id))
    await jobs.finish(job.ended(JobStatus.SUCCEEDED, FetchReport(), clock.now()))


def some_posts(count: int) -> list[Post]:
    """So many posts, ten by each user."""
    return [Post(n, n // 10 + 1, f"title {n}", f"body {n}") for n in range(1, count + 1)]
