"""Statistics: `GET /stats`, the numbers of records received, stored and rejected."""

from datetime import datetime

import msgspec
from litestar import get

from adapters.http.protocol.access import ANYONE, may_call, role_of
from adapters.http.protocol.asgi import request_id_of
from adapters.http.protocol.routing import AnyRequest, Use, problems
from application.operations.stats import ShowStats
from domain.reports import Counts, SourceStatus
from domain.totals import SourceTotals


class LastError(msgspec.Struct, frozen=True):
    """The error of a source's last run."""

    code: str
    detail: str


class SourceStats(msgspec.Struct, frozen=True, kw_only=True):
    """A source with the totals of all its runs."""

    source: str
    dataset: str
    last_run: datetime | None
    last_status: SourceStatus | None
    runs: int
    counts: Counts
    last_error: LastError | None
    last_success_at: datetime | None


class StatsSummary(msgspec.Struct, frozen=True, kw_only=True):
    """The numbers of the datasets that the caller may read."""

    raw_records: int
    normalized_records: int
    quarantined: int
    sources: list[SourceStats]
    request_id: str


@get(
    "/stats",
    operation_id="show_stats",
    summary="Show statistics",
    responses=problems(503),
    opt=may_call(ANYONE),
    tags=["overview"],
)
async def stats(request: AnyRequest, show_stats: Use[ShowStats]) -> StatsSummary:
    """Return the numbers of records received, stored and rejected, by source."""
    found = await show_stats(role_of(request.scope))
    return StatsSummary(
        raw_records=found.received,
        normalized_records=found.stored,
        quarantined=found.quarantined,
        sources=[_source_stats(totals) for totals in found.sources],
        request_id=request_id_of(request.scope),
    )


STATS_ROUTES = [stats]


def _source_stats(totals: SourceTotals) -> SourceStats:
    error = totals.last_error
    return SourceStats(
        source=totals.source,
        dataset=totals.dataset,
        last_run=totals.last_run_at,
        last_status=totals.last_status,
        runs=totals.runs,
        counts=totals.counts,
        last_error=None if error is None else LastError(error.code, error.detail),
        last_success_at=totals.last_success_at,
    )
