"""Jobs over SQL: every move is one conditional statement, so that only one worker makes it."""

from typing import Any

import msgspec
from sqlalchemy import and_, bindparam, or_, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from adapters.sql.database import Database, Row
from adapters.sql.tables import from_micros, jobs, to_micros
from application.ports.clock import Clock
from application.ports.jobs import Jobs
from domain.errors import LeaseLost
from domain.jobs import LEASE, FetchJob, JobStatus
from domain.reports import FetchReport

_TIMES = ("queued_at", "started_at", "finished_at", "lease_until")

_REQUEST = upsert(jobs).on_conflict_do_nothing()
_GET = select(jobs).where(jobs.c.id == bindparam("job"))
_UNFINISHED = select(jobs).where(jobs.c.dataset == bindparam("of"), jobs.c.finished_at.is_(None))
_CLAIM = (
    update(jobs)
    .where(
        jobs.c.id == bindparam("job"),
        or_(
            jobs.c.status == JobStatus.QUEUED.value,
            and_(
                jobs.c.status == JobStatus.RUNNING.value,
                jobs.c.lease_until <= bindparam("now"),
            ),
        ),
    )
    .values(
        status=JobStatus.RUNNING.value,
        fence=jobs.c.fence + 1,
        started_at=bindparam("now"),
        lease_until=bindparam("until"),
    )
    .returning(jobs)
)
_HELD = and_(
    jobs.c.id == bindparam("job"),
    jobs.c.fence == bindparam("held"),
    jobs.c.status == JobStatus.RUNNING.value,
)
_RENEW = update(jobs).where(_HELD).values(lease_until=bindparam("until"))
_FINISH = (
    update(jobs)
    .where(_HELD)
    .values(
        status=bindparam("ended"),
        finished_at=bindparam("now"),
        lease_until=None,
        report=bindparam("told"),
    )
)


class SqlJobs(Jobs):
    """Keeps jobs in a SQL database."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def request(self, job: FetchJob) -> FetchJob:
        """Write down a queued job, or return the unfinished one of its dataset."""
        async with self._database.write() as session:
            if await session.run(_REQUEST, _row_of(job)):
                return job
            [row] = await session.rows(_UNFINISHED, {"of": job.dataset})
            return _job_of(row)

    async def claim(self, job_id: str) -> FetchJob | None:
        """Take a waiting or abandoned job; None if it is taken."""
        now = self._clock.now()
        named = {"job": job_id, "now": to_micros(now), "until": to_micros(now + LEASE)}
        async with self._database.write() as session:
            rows = await session.rows(_CLAIM, named)
        return _job_of(rows[0]) if rows else None

    async def renew(self, job: FetchJob) -> None:
        """Extend the lease; a forgotten renewal costs nothing, so it does not wait for the disk."""
        until = to_micros(self._clock.now() + LEASE)
        async with self._database.write(durable=False) as session:
            _check(job, await session.run(_RENEW, {**_held(job), "until": until}))

    async def finish(self, job: FetchJob) -> None:
        """Write down the end of a job."""
        named = {
            **_held(job),
            "ended": job.status.value,
            "now": _micros(job.finished_at),
            "told": _text(job.report),
        }
        async with self._database.write() as session:
            _check(job, await session.run(_FINISH, named))

    async def get(self, job_id: str) -> FetchJob | None:
        """One job."""
        [rows] = await self._database.snapshot([(_GET, {"job": job_id})])
        return _job_of(rows[0]) if rows else None


def _held(job: FetchJob) -> dict[str, Any]:
    return {"job": job.id, "held": job.fence}


def _check(job: FetchJob, touched: int) -> None:
    if not touched:
        raise LeaseLost(f"job {job.id} has ended or been taken over")


def _micros(moment: Any) -> int | None:
    return None if moment is None else to_micros(moment)


def _text(report: FetchReport | None) -> str | None:
    return None if report is None else msgspec.json.encode(report).decode()


def _row_of(job: FetchJob) -> dict[str, Any]:
    row = msgspec.structs.asdict(job)
    row.update({name: _micros(row[name]) for name in _TIMES})
    return {**row, "status": job.status.value, "report": _text(job.report)}


def _job_of(row: Row) -> FetchJob:
    named = dict(zip(jobs.c.keys(), row, strict=True))
    named.update({n: from_micros(named[n]) for n in _TIMES if named[n] is not None})
    named["status"] = JobStatus(named["status"])
    if named["report"] is not None:
        named["report"] = msgspec.json.decode(named["report"], type=FetchReport)
    return FetchJob(**named)
