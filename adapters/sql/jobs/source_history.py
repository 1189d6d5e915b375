"""The history of sources over SQL: one row a source, moved by the transaction that ends a job."""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Text, bindparam, func, select
from sqlalchemy.dialects.postgresql import insert as upsert

from adapters.sql.engine.database import Database, Row, SqlSession, from_micros, to_micros
from adapters.sql.engine.dialects import listed
from adapters.sql.schema.tables import source_totals
from application.ports.jobs import SourceHistory
from domain.jobs import FetchJob
from domain.reports import Counts, Failure, SourceReport, SourceStatus
from domain.totals import SourceTotals

_ADDED = ("runs", *Counts.__struct_fields__)
_columns = source_totals.c
_ADD = upsert(source_totals)
_ADD = _ADD.on_conflict_do_update(
    index_elements=["dataset", "source"],
    set_={
        **{name: _columns[name] + _ADD.excluded[name] for name in _ADDED},
        **{name: _ADD.excluded[name] for name in ("last_run_at", "last_status", "last_error")},
        "last_success_at": func.coalesce(_ADD.excluded.last_success_at, _columns.last_success_at),
    },
)
_TOTALS = select(source_totals).where(listed(_columns.dataset, bindparam("of", type_=Text())))


class SqlSourceHistory(SourceHistory):
    """Reads the totals a SQL database holds."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def totals(self, datasets: Sequence[str]) -> list[SourceTotals]:
        """The totals of every source of these datasets that has run."""
        named = {"of": msgspec.json.encode(datasets).decode()}
        [rows] = await self._database.snapshot([(_TOTALS, named)])
        # A database may have an order of its own for names.
        return sorted(map(_totals_of, rows), key=lambda known: (known.dataset, known.source))


async def add_to_totals(session: SqlSession, job: FetchJob) -> None:
    """Add what a job did to the totals of its sources, if it has ended."""
    if job.report is not None and job.finished_at is not None:
        ended_at = to_micros(job.finished_at)
        for report in job.report.sources:
            await session.run(_ADD, _row_of(job.dataset, report, ended_at))


def _row_of(dataset: str, report: SourceReport, ended_at: int) -> dict[str, Any]:
    failed = report.status is SourceStatus.FAILED
    error = report.error
    return {
        "dataset": dataset,
        "source": report.source,
        "runs": 1,
        "last_run_at": ended_at,
        "last_status": report.status.value,
        "last_success_at": None if failed else ended_at,
        "last_error": None if error is None else msgspec.json.encode(error).decode(),
        **msgspec.structs.asdict(report.counts),
    }


def _totals_of(row: Row) -> SourceTotals:
    named = dict(zip(_columns.keys(), row, strict=True))
    counts = Counts(**{name: named.pop(name) for name in Counts.__struct_fields__})
    error = named["last_error"]
    named["last_run_at"] = from_micros(named["last_run_at"])
    named["last_status"] = SourceStatus(named["last_status"])
    named["last_success_at"] = from_micros(named["last_success_at"])
    named["last_error"] = None if error is None else msgspec.json.decode(error, type=Failure)
    return SourceTotals(**named, counts=counts)
