"""Stats: `GET /stats`, the numbers of everything received, stored and rejected."""

from datetime import datetime
from typing import Any

import msgspec
from litestar import Request, Response, get
from litestar.handlers import HTTPRouteHandler

from adapters.http.protocol.access import ANYONE, may_call, role_of
from adapters.http.protocol.asgi import request_id_of
from adapters.http.protocol.routing import documented, guarded
from application.operations.stats import ShowStats
from domain.reports import Counts, SourceStatus
from domain.totals import SourceTotals


class LastError(msgspec.Struct, frozen=True):
    """Why the last run of a source failed."""

    code: str
    detail: str


class SourceStats(msgspec.Struct, frozen=True, kw_only=True):
    """One source, with what all its runs have brought together."""

    source: str
    dataset: str
    last_run: datetime | None
    last_status: SourceStatus | None
    runs: int
    counts: Counts
    last_error: LastError | None
    last_success_at: datetime | None


class StatsSummary(msgspec.Struct, frozen=True, kw_only=True):
    """All numbers of the datasets one may read."""

    raw_records: int
    normalized_records: int
    quarantined: int
    sources: list[SourceStats]
    request_id: str


def stats_routes(show_stats: ShowStats) -> list[HTTPRouteHandler]:
    """The route that tells the numbers."""

    @get(
        "/stats",
        summary="How much was received, and what became of it",
        responses=documented(StatsSummary, 503),
        before_request=guarded(),
        opt=may_call(ANYONE),
        tags=["overview"],
    )
    async def stats(request: Request[Any, Any, Any]) -> Response[StatsSummary]:
        """The numbers of everything received, stored and rejected, source by source."""
        told = await show_stats(role_of(request.scope))
        return Response(
            StatsSummary(
                raw_records=told.received,
                normalized_records=told.stored,
                quarantined=told.quarantined,
                sources=[_card_of(totals) for totals in told.sources],
                request_id=request_id_of(request.scope),
            ),
            headers={"Cache-Control": "no-store"},
        )

    return [stats]


def _card_of(totals: SourceTotals) -> SourceStats:
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
