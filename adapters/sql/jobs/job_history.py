"""The history of jobs over SQL: what became of them, and which of them nobody runs."""

from datetime import timedelta
from functools import lru_cache
from typing import Any

from sqlalchemy import Select, and_, bindparam, or_, select

from adapters.sql.engine.database import Database
from adapters.sql.engine.dialects import moment
from adapters.sql.jobs.jobs import ABANDONED, job_of
from adapters.sql.schema.tables import jobs
from application.ports.jobs import JobHistory, Wanted
from application.ports.system import Clock
from domain.jobs import LOST, FetchJob, JobStatus

_LOST_US = LOST // timedelta(microseconds=1)

_GET = select(jobs).where(jobs.c.id == bindparam("job"))
_LEFT_WAITING = and_(
    jobs.c.status == JobStatus.QUEUED.value,
    or_(
        jobs.c.run_at <= moment(),
        and_(jobs.c.run_at.is_(None), jobs.c.queued_at <= moment() - _LOST_US),
    ),
)
_OVERDUE = (
    select(jobs.c.id)
    .where(jobs.c.finished_at.is_(None), or_(_LEFT_WAITING, ABANDONED))
    .order_by(jobs.c.queued_at)
    .limit(bindparam("most"))
)


class SqlJobHistory(JobHistory):
    """Reads the jobs a SQL database holds."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def get(self, job_id: str) -> FetchJob | None:
        """One job."""
        [rows] = await self._database.snapshot([(_GET, {"job": job_id})])
        return job_of(rows[0]) if rows else None

    async def recent(self, wanted: Wanted, limit: int, before: str | None = None) -> list[FetchJob]:
        """The wanted jobs, newest first."""
        named: dict[str, Any] = {f"of_{n}": name for n, name in enumerate(wanted.datasets)}
        named |= {"most": limit, "before": before, "status": wanted.status}
        query = _recent(len(wanted.datasets), wanted.status is not None, before is not None)
        [rows] = await self._database.snapshot([(query, named)])
        return [job_of(row) for row in rows]

    async def overdue(self, limit: int) -> list[str]:
        """The jobs nobody runs, though they may run."""
        named = {"most": limit, "now": self._database.now(self._clock)}
        [rows] = await self._database.snapshot([(_OVERDUE, named)])
        return [job_id for [job_id] in rows]


@lru_cache(maxsize=256)
def _recent(datasets: int, of_status: bool, older: bool) -> Select[Any]:
    named = [jobs.c.dataset == bindparam(f"of_{n}") for n in range(datasets)]
    query = select(jobs).where(or_(*named))
    if of_status:
        query = query.where(jobs.c.status == bindparam("status"))
    if older:
        query = query.where(jobs.c.id < bindparam("before"))
    return query.order_by(jobs.c.id.desc()).limit(bindparam("most"))
