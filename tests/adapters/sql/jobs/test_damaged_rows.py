"""Damaged rows: one of them hides no other, and keeps no dataset from being fetched."""

import pytest
from sqlalchemy import text

from adapters.memory.system import SteerableClock
from adapters.sql.datasets.store import SqlStore
from adapters.sql.engine.sqlite.database import SqliteDatabase
from adapters.sql.jobs.jobs import SqlJobHistory, SqlJobs
from application.ports.jobs import JobFilter
from domain.builtin.posts import POSTS
from domain.jobs import FetchJob, JobStatus, Mode
from tests.adapters.sql.jobs.test_source_history import REPORT


async def damage(database: SqliteDatabase, statement: str) -> None:
    """Change rows behind the back of the product."""
    async with database.write() as session:
        assert await session.run(text(statement), {})


@pytest.mark.parametrize("report", ['{"sources": [', '{"sources": 7}', "\x01"])
async def test_a_job_with_a_damaged_report_is_listed_without_it(
    database: SqliteDatabase, clock: SteerableClock, report: str
) -> None:
    jobs = SqlJobs(database, clock)
    for name in ("1", "2"):
        await jobs.request(FetchJob(id=name, dataset="posts", queued_at=clock.now()))
        job = await jobs.claim(name)
        assert job is not None
        await jobs.release(job.ended(JobStatus.SUCCEEDED, REPORT, clock.now()))

    await damage(database, f"UPDATE jobs SET report = '{report}' WHERE id = '1'")

    found = await SqlJobHistory(database, clock).recent(JobFilter(("posts",)), 10)
    assert [(job.id, job.report) for job in found] == [("2", REPORT), ("1", None)]


async def test_a_job_of_a_damaged_mode_is_run_to_its_end(
    database: SqliteDatabase, clock: SteerableClock
) -> None:
    jobs = SqlJobs(database, clock)
    await jobs.request(FetchJob(id="1", dataset="posts", queued_at=clock.now()))

    await damage(database, "UPDATE jobs SET mode = 'tisk'")

    job = await jobs.claim("1")
    assert job is not None
    assert job.mode is Mode.TASK
    await jobs.release(job.ended(JobStatus.SUCCEEDED, REPORT, clock.now()))


@pytest.mark.parametrize("spoiled", ["counts = '{'", "counts = '[]'", "fetched_at = 1 << 62"])
async def test_a_damaged_checkpoint_hides_no_other(database: SqliteDatabase, spoiled: str) -> None:
    async with database.write() as session:
        for source in ("one", "two"):
            await session.run(
                text(
                    "INSERT INTO checkpoints (dataset, source, fetched_at, job_id, url, digest,"
                    " normaliser, confirmations, counts)"
                    f" VALUES ('posts', '{source}', 0, 'job', '', '', '', 0, '{{}}')"
                ),
                {},
            )
    await damage(database, f"UPDATE checkpoints SET {spoiled} WHERE source = 'one'")

    freshness = await SqlStore(database).freshness(POSTS)

    assert [checkpoint.source for checkpoint in freshness.checkpoints] == ["two"]
