"""Jobs over SQL: one row each with lease and fence, their history, and their sources' totals."""

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

import msgspec
from sqlalchemy import Select, Text, and_, bindparam, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from adapters.sql.engine.database import Database, Row, SqlSession, SqlWrite, named_row
from adapters.sql.engine.dialects import listed, now
from adapters.sql.schema.tables import jobs, source_totals
from application.ports.jobs import JobFilter, JobHistory, Jobs, SourceHistory
from application.ports.system import Clock
from domain.errors import LeaseLost, StoreUnavailable
from domain.jobs import AHEAD, LEASE, LONGEST_LEASE, LOST, FetchJob, JobStatus, Mode
from domain.reports import Counts, Failure, FetchReport, SourceReport, SourceStatus
from domain.times import MICROSECOND, to_micros
from domain.totals import SourceTotals

_TIMES = ("queued_at", "run_at", "started_at", "finished_at", "lease_until")
_LEASE_US = LEASE // MICROSECOND
#: A job may end between a conflict with it and reading it; then the request is tried again.
_TRIES = 10

_REQUEST = upsert(jobs).on_conflict_do_nothing()
_CONFLICT = (
    select(jobs)
    .where(
        or_(
            jobs.c.id == bindparam("job"),
            and_(jobs.c.dataset == bindparam("of"), jobs.c.finished_at.is_(None)),
        )
    )
    .order_by((jobs.c.id == bindparam("job")).desc())
    .limit(1)
)
#: A time that is further ahead than a clock can have set it: the clock was set back since.
_MISDATED = jobs.c.started_at > now() + AHEAD // MICROSECOND
_WAITING = and_(
    jobs.c.status == JobStatus.QUEUED.value,
    or_(jobs.c.run_at.is_(None), jobs.c.run_at <= now(), _MISDATED),
)
ABANDONED = and_(
    jobs.c.status == JobStatus.RUNNING.value,
    or_(
        jobs.c.lease_until <= now(),
        jobs.c.lease_until > now() + LONGEST_LEASE // MICROSECOND,
    ),
)
_CLAIM = (
    update(jobs)
    .where(jobs.c.id == bindparam("job"), or_(_WAITING, ABANDONED))
    .values(
        status=JobStatus.RUNNING.value,
        fence=jobs.c.fence + 1,
        attempts=jobs.c.attempts + 1,
        run_at=None,
        started_at=now(),
        lease_until=now() + _LEASE_US,
    )
    .returning(jobs)
)
_HELD = and_(
    jobs.c.id == bindparam("job"),
    jobs.c.fence == bindparam("held"),
    jobs.c.status == JobStatus.RUNNING.value,
)
_RENEW = update(jobs).where(_HELD).values(lease_until=now() + _LEASE_US)
_RELEASE = (
    update(jobs)
    .where(_HELD)
    .values(
        status=bindparam("new_status"),
        attempts=bindparam("new_attempts"),
        run_at=bindparam("new_run_at"),
        finished_at=bindparam("new_finished_at"),
        lease_until=None,
        report=bindparam("new_report"),
    )
)
#: The status of a dataset is that of the job that ended last.
_BOUND_ENDS = (
    update(jobs)
    .where(jobs.c.dataset == bindparam("of"), jobs.c.finished_at > bindparam("furthest"))
    .values(finished_at=bindparam("before"))
)
_CANCEL = (
    update(jobs)
    .where(jobs.c.id == bindparam("job"), jobs.c.finished_at.is_(None))
    .values(
        status=JobStatus.CANCELLED.value,
        fence=jobs.c.fence + 1,
        run_at=None,
        lease_until=None,
        finished_at=now(),
    )
    .returning(jobs)
)


class SqlJobs(Jobs):
    """Jobs in a SQL database."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def request(self, job: FetchJob) -> FetchJob:
        """Insert a queued job, or return the one it conflicts with."""
        async with self._database.write() as session:
            return await requested(session, job)

    async def claim(self, job_id: str) -> FetchJob | None:
        """Claim a waiting or abandoned job; return None if it is neither."""
        # As of now: its holder may be waiting for the database as well, to extend the lease.
        named = {"job": job_id, "now": self._now()}
        async with self._database.write() as session:
            rows = await session.rows(_CLAIM, named)
        return job_of(rows[0]) if rows else None

    async def renew(self, job: FetchJob) -> None:
        """Extend the lease; losing this in a crash is harmless, so it need not be durable."""
        async with self._database.write(durable=False) as session:
            named = {"job": job.id, "held": job.fence, "now": self._now()}
            _require_held(job, await session.run(_RENEW, named))

    async def release(self, job: FetchJob) -> None:
        """Store the new state of a held job, and add its runs to the totals."""
        named = {
            "job": job.id,
            "held": job.fence,
            "new_status": job.status.value,
            "new_attempts": job.attempts,
            "new_run_at": to_micros(job.run_at),
            "new_finished_at": to_micros(job.finished_at),
            "new_report": _text(job.report),
        }
        async with self._database.write() as session:
            writes = [(_RELEASE, named), *_bounded_ends(job), *_added_totals(job)]
            [changed, *_] = await session.run_all(writes)
            _require_held(job, changed)
            await session.note_change()

    async def cancel(self, job_id: str) -> FetchJob | None:
        """Cancel an unfinished job, also one that a worker holds."""
        async with self._database.write() as session:
            rows = await session.rows(_CANCEL, {"job": job_id, "now": self._now()})
            cancelled = job_of(rows[0]) if rows else None
            if cancelled is not None:
                await session.run_all(_bounded_ends(cancelled))
            await session.note_change()
        return cancelled

    def _now(self) -> int | None:
        return self._database.now(self._clock)


async def requested(session: SqlSession, job: FetchJob) -> FetchJob:
    """Insert a queued job within a transaction, or return the one it conflicts with."""
    for _ in range(_TRIES):
        if await session.run(_REQUEST, _row_of(job)):
            return job
        rows = await session.rows(_CONFLICT, {"job": job.id, "of": job.dataset})
        if rows:
            return job_of(rows[0])
    raise StoreUnavailable(f"the jobs of {job.dataset} change too quickly; try again")


def _bounded_ends(job: FetchJob) -> list[SqlWrite]:
    """Return what moves ends that a clock has put far ahead of this one to just before it."""
    if job.finished_at is None:
        return []
    furthest, before = job.finished_at + AHEAD, job.finished_at - MICROSECOND
    named = {"of": job.dataset, "furthest": to_micros(furthest), "before": to_micros(before)}
    return [(_BOUND_ENDS, named)]


def job_of(row: Row) -> FetchJob:
    """Return the job in a row of the jobs table.

    What is damaged of a row is left out: one row must not hide all others, nor keep its dataset
    from being fetched.
    """
    named = named_row(jobs.c.keys(), row, _TIMES)
    named["mode"] = _mode_of(named["mode"])
    named["force"] = bool(named["force"])
    named["status"] = JobStatus(named["status"])
    if named["report"] is not None:
        named["report"] = _report_of(named["report"])
    return FetchJob(**named)


def _mode_of(stored: str) -> Mode:
    return Mode(stored) if stored in {*Mode} else Mode.TASK


def _report_of(stored: str) -> FetchReport | None:
    try:
        return msgspec.json.decode(stored, type=FetchReport)
    except (msgspec.MsgspecError, ValueError):
        return None


def _row_of(job: FetchJob) -> dict[str, Any]:
    row = msgspec.structs.asdict(job)
    row.update({name: to_micros(row[name]) for name in _TIMES})
    return {
        **row,
        "mode": job.mode.value,
        "status": job.status.value,
        "report": _text(job.report),
    }


def _require_held(job: FetchJob, changed: int) -> None:
    if not changed:
        raise LeaseLost(f"job {job.id} has ended or been taken over")


def _text(value: FetchReport | Failure | None) -> str | None:
    return None if value is None else msgspec.json.encode(value).decode()


_LOST_US = LOST // MICROSECOND

_GET = select(jobs).where(jobs.c.id == bindparam("job"))
_LEFT_WAITING = and_(
    jobs.c.status == JobStatus.QUEUED.value,
    or_(
        jobs.c.run_at <= now(),
        _MISDATED,
        and_(
            jobs.c.run_at.is_(None),
            or_(
                jobs.c.queued_at <= now() - _LOST_US,
                jobs.c.queued_at > now() + AHEAD // MICROSECOND,
            ),
        ),
    ),
)
_OVERDUE = (
    select(jobs.c.id)
    .where(jobs.c.finished_at.is_(None), or_(_LEFT_WAITING, ABANDONED))
    .order_by(jobs.c.queued_at)
    .limit(bindparam("most"))
)
_UNFINISHED = select(jobs).where(jobs.c.finished_at.is_(None)).order_by(jobs.c.queued_at)


class SqlJobHistory(JobHistory):
    """The job history in a SQL database."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def get(self, job_id: str) -> FetchJob | None:
        """Return a job, or None."""
        [rows] = await self._database.snapshot([(_GET, {"job": job_id})])
        return job_of(rows[0]) if rows else None

    async def recent(
        self, wanted: JobFilter, limit: int, before: str | None = None
    ) -> list[FetchJob]:
        """Return the matching jobs, newest first."""
        datasets = msgspec.json.encode(wanted.datasets).decode()
        named = {"of": datasets, "most": limit, "before": before, "status": wanted.status}
        query = _recent(wanted.status is not None, before is not None)
        [rows] = await self._database.snapshot([(query, named)])
        return [job_of(row) for row in rows]

    async def overdue(self, limit: int) -> list[str]:
        """Return the jobs that no worker runs, though they may run."""
        named = {"most": limit, "now": self._database.now(self._clock)}
        [rows] = await self._database.snapshot([(_OVERDUE, named)])
        return [job_id for [job_id] in rows]

    async def unfinished(self) -> list[FetchJob]:
        """Return every job that has not ended, oldest first."""
        [rows] = await self._database.snapshot([(_UNFINISHED, {})])
        return [job_of(row) for row in rows]


@lru_cache(maxsize=4)
def _recent(of_status: bool, older: bool) -> Select[Any]:
    query = select(jobs).where(listed(jobs.c.dataset, bindparam("of", type_=Text())))
    if of_status:
        query = query.where(jobs.c.status == bindparam("status"))
    if older:
        query = query.where(jobs.c.id < bindparam("before"))
    return query.order_by(jobs.c.id.desc()).limit(bindparam("most"))


# ---------------------------------------------------------------- the history of sources

_SUMMED = ("runs", *Counts.__struct_fields__)
_totals = source_totals.c
_added = upsert(source_totals).excluded
_ADD_TOTALS = upsert(source_totals).on_conflict_do_update(
    index_elements=["dataset", "source"],
    set_={
        **{name: _totals[name] + _added[name] for name in _SUMMED},
        **{name: _added[name] for name in ("last_run_at", "last_status", "last_error")},
        "last_success_at": func.coalesce(_added.last_success_at, _totals.last_success_at),
    },
)
_TOTALS = select(source_totals).where(listed(_totals.dataset, bindparam("of", type_=Text())))


class SqlSourceHistory(SourceHistory):
    """The totals of sources in a SQL database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def totals(self, datasets: Sequence[str]) -> list[SourceTotals]:
        """Return the totals of the sources of these datasets that have run."""
        named = {"of": msgspec.json.encode(datasets).decode()}
        [rows] = await self._database.snapshot([(_TOTALS, named)])
        # The order of names depends on the database.
        return sorted(map(_totals_of, rows), key=lambda totals: (totals.dataset, totals.source))


def _added_totals(job: FetchJob) -> list[SqlWrite]:
    """Return the writes that add an ended job's runs to the totals of its sources."""
    if job.report is None or job.finished_at is None:
        return []
    ended_at, sources = job.finished_at, job.report.sources
    return [(_ADD_TOTALS, _totals_row(job.dataset, report, ended_at)) for report in sources]


def _totals_row(dataset: str, report: SourceReport, ended_at: datetime) -> dict[str, Any]:
    run = SourceTotals(dataset=dataset, source=report.source).after(report, ended_at)
    row = msgspec.structs.asdict(run)
    counts = msgspec.structs.asdict(row.pop("counts"))
    return {
        **row,
        **counts,
        "last_run_at": to_micros(run.last_run_at),
        "last_status": report.status.value,
        "last_success_at": to_micros(run.last_success_at),
        "last_error": _text(run.last_error),
    }


def _totals_of(row: Row) -> SourceTotals:
    named = named_row(_totals.keys(), row, ("last_run_at", "last_success_at"))
    counts = Counts(**{name: named.pop(name) for name in Counts.__struct_fields__})
    error = named["last_error"]
    named["last_status"] = SourceStatus(named["last_status"])
    named["last_error"] = None if error is None else msgspec.json.decode(error, type=Failure)
    return SourceTotals(**named, counts=counts)
