"""Merges beside other merges and heartbeats, and in bounded memory, on both engines."""

import asyncio
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from sqlalchemy import text

from adapters.memory.system import SteerableClock
from adapters.sql.engine.postgres.database import PostgresDatabase
from adapters.sql.ingest.intake import SqlIntakes
from adapters.sql.jobs.jobs import SqlJobs
from adapters.sql.schema.sql_dataset import SqlDataset
from application.ports.ingest import Intake
from domain.builtin.posts import POSTS, Post
from domain.checkpoints import Checkpoint
from domain.errors import LeaseLost
from domain.jobs import LEASE, FetchJob
from domain.payloads import Payload
from tests.adapters.sql.conftest import read, some_posts, until, waiting_for_locks, waits_for_a_lock
from tests.services.postgres import administering


@pytest.fixture(params=["sqlite", "postgres"])
def either(request: pytest.FixtureRequest) -> Any:
    """Return a database of each engine."""
    return request.getfixturevalue("database" if request.param == "sqlite" else "postgres")


async def _claimed(database: Any, clock: SteerableClock) -> FetchJob:
    jobs = SqlJobs(database, clock)
    await jobs.request(FetchJob(id="job", dataset="posts", queued_at=clock.now()))
    job = await jobs.claim("job")
    assert job is not None
    return job


@asynccontextmanager
async def _staged(
    database: Any, clock: SteerableClock, job: FetchJob, posts: list[Post], source: str = "one"
) -> AsyncIterator[Intake[Post]]:
    async with SqlIntakes(database, clock).open(POSTS, source, job) as intake:
        payload = await intake.keep(Payload(url="u", body=b"x", received_at=clock.now()))
        await intake.add(posts, payload)
        yield intake


def _checkpoint(clock: SteerableClock, source: str = "one") -> Checkpoint:
    return Checkpoint(source=source, fetched_at=clock.now(), job_id="job")


async def test_staging_takes_no_more_memory_for_more_rows(either: Any) -> None:
    row = (1, 1, "a title", "a body " * 50, 1, 1)
    merge = SqlDataset.of(POSTS).merge

    async with either.session() as session:
        await session.run(merge.create, {})
        tracemalloc.start()
        await session.stage(merge.stage, (([*row, number]) for number in range(30_000)))
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        staged = await session.rows(text("SELECT count(*) FROM stage_posts"), {})

    assert staged == [(30_000,)]
    assert peak < 3_000_000  # all at once they would be over 10 MB


async def test_two_merges_at_once_are_serialised(either: Any, clock: SteerableClock) -> None:
    job = await _claimed(either, clock)

    async with (
        _staged(either, clock, job, some_posts(100), "one") as one,
        _staged(either, clock, job, some_posts(150), "two") as two,
    ):
        counts = await asyncio.gather(
            one.commit(_checkpoint(clock, "one")), two.commit(_checkpoint(clock, "two"))
        )

    assert sorted(count.inserted for count in counts) in ([0, 150], [50, 100])
    assert await read(either, "SELECT count(*) FROM d_posts") == 150


async def test_the_numbers_of_merges_are_in_the_order_of_their_commits(
    postgres: PostgresDatabase, url: str, clock: SteerableClock
) -> None:
    job = await _claimed(postgres, clock)

    async with (
        administering(url) as other,
        administering(url) as observer,
        _staged(postgres, clock, job, some_posts(100), "one") as one,
        _staged(postgres, clock, job, some_posts(250)[100:], "two") as two,
    ):
        await other.execute("BEGIN; LOCK TABLE d_posts IN SHARE MODE")
        commits = [
            asyncio.create_task(intake.commit(_checkpoint(clock, source)))
            for intake, source in ((one, "one"), (two, "two"))
        ]

        async def both_wait() -> bool:
            return await waiting_for_locks(observer) == 2

        await until(both_wait)
        await other.execute("COMMIT")
        await asyncio.gather(*commits)

    assert await read(postgres, "SELECT seq FROM datasets") == 2


async def test_the_last_of_repeats_across_pages_is_kept(either: Any, clock: SteerableClock) -> None:
    job = await _claimed(either, clock)
    again = [Post(post.id, 7, "again", "") for post in reversed(some_posts(500)) if post.id % 2]

    async with _staged(either, clock, job, some_posts(500)) as intake:
        await intake.add(again, Payload(url="u", body=b"", received_at=clock.now(), receipt=1))
        await intake.add(again[:50], Payload(url="u", body=b"", received_at=clock.now(), receipt=1))
        counts = await intake.commit(_checkpoint(clock))

    assert (counts.received, counts.inserted, counts.duplicates) == (800, 500, 300)
    assert await read(either, "SELECT count(*) FROM d_posts WHERE title = 'again'") == 250


async def test_a_worker_that_lost_its_lease_writes_nothing(
    either: Any, clock: SteerableClock
) -> None:
    job = await _claimed(either, clock)
    counts = (
        "SELECT (SELECT count(*) FROM payloads) + (SELECT count(*) FROM receipts)"
        " + (SELECT count(*) FROM quarantine) + (SELECT count(*) FROM checkpoints)"
        " + (SELECT count(*) FROM d_posts)"
    )

    async with _staged(either, clock, job, some_posts(3)) as intake:
        before = await read(either, counts)
        async with either.write() as session:
            await session.run(text("UPDATE jobs SET fence = fence + 1"), {})  # as a claim does

        with pytest.raises(LeaseLost):
            await intake.keep(Payload(url="u", body=b"new", received_at=clock.now()))
        with pytest.raises(LeaseLost):
            await intake.commit(_checkpoint(clock))

    assert await read(either, counts) == before


async def test_a_job_can_be_renewed_during_its_merge(url: str, clock: SteerableClock) -> None:
    postgres = PostgresDatabase(url, own_time=False)
    job = await _claimed(postgres, clock)

    async with (
        administering(url) as other,
        _staged(postgres, clock, job, some_posts(3)) as intake,
    ):
        await other.execute("BEGIN; SELECT seq FROM datasets FOR UPDATE")
        committing = asyncio.create_task(intake.commit(_checkpoint(clock)))
        async with administering(url) as observer:
            await until(lambda: waits_for_a_lock(observer))
        clock.advance(1)

        await SqlJobs(postgres, clock).renew(job)

        await other.execute("COMMIT")
        assert (await committing).inserted == 3
    await postgres.close()


async def test_a_claim_waits_for_a_merge_that_is_just_committing(
    url: str, clock: SteerableClock
) -> None:
    postgres = PostgresDatabase(url, own_time=False)
    job = await _claimed(postgres, clock)
    clock.advance(LEASE)

    async with postgres.session() as session, session.transaction():
        await session.rows(text("SELECT id FROM jobs WHERE id = 'job' FOR UPDATE"), {})
        claiming = asyncio.create_task(SqlJobs(postgres, clock).claim("job"))
        async with administering(url) as observer:
            await until(lambda: waits_for_a_lock(observer))
        assert not claiming.done()

    successor = await claiming
    assert successor is not None
    assert successor.fence == job.fence + 1
    await postgres.close()
