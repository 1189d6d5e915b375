"""The totals of sources over SQL: written in the transaction that ends the job."""

import sqlite3

import pytest
from sqlalchemy import text

from adapters.memory.system import SteerableClock
from adapters.sql.engine.sqlite.database import SqliteDatabase
from adapters.sql.jobs.jobs import SqlJobs
from domain.jobs import FetchJob, JobStatus
from domain.reports import FetchReport, SourceReport, SourceStatus
from tests.adapters.sql.conftest import read

REPORT = FetchReport(sources=(SourceReport(source="one", status=SourceStatus.SUCCEEDED),))


async def test_a_job_whose_totals_cannot_be_written_has_not_ended(
    database: SqliteDatabase, clock: SteerableClock
) -> None:
    jobs = SqlJobs(database, clock)
    await jobs.request(FetchJob(id="a job", dataset="posts", queued_at=clock.now()))
    job = await jobs.claim("a job")
    assert job is not None
    async with database.write() as session:
        await session.run(text("ALTER TABLE source_totals RENAME TO elsewhere"), {})

    with pytest.raises(sqlite3.OperationalError):
        await jobs.release(job.ended(JobStatus.SUCCEEDED, REPORT, clock.now()))

    assert await read(database, "SELECT status FROM jobs") == "running"
