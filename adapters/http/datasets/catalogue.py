"""Overviews: what this is, which datasets there are, and whether all is well."""

from collections.abc import Callable
from datetime import datetime
from http import HTTPStatus
from typing import Any

import msgspec
from litestar import Request, Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.datastructures import ResponseSpec

from adapters.http.datasets.catalogue_schemas import DatasetInfo, dataset_info_of
from adapters.http.protocol.access import ANYONE, OPEN, may_call, role_of
from adapters.http.protocol.asgi import request_id_of
from adapters.http.protocol.problems import Refusal
from adapters.http.protocol.routing import documented, guarded
from application.datasets.catalogue import Catalogue, Entry
from application.operations.health import CheckHealth, HealthStatus, SourceHealth


class DatasetList(msgspec.Struct, frozen=True):
    """The catalogue."""

    datasets: list[DatasetInfo]
    request_id: str


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """One dataset at a glance."""

    name: str
    records: int
    fetched_at: datetime | None
    stale: bool
    url: str


class Welcome(msgspec.Struct, frozen=True, kw_only=True):
    """What this is, and three requests to try."""

    name: str
    version: str
    about: str
    datasets: list[Summary]
    links: dict[str, str]
    try_: list[str] = msgspec.field(name="try")
    request_id: str


class HealthSummary(msgspec.Struct, frozen=True, kw_only=True):
    """The service's condition; `timestamp` is in Unix seconds."""

    status: HealthStatus
    database: str
    queue: str
    timestamp: float
    request_id: str
    sources: tuple[SourceHealth, ...]


class Liveness(msgspec.Struct, frozen=True):
    """One word on whether the process lives, or can serve."""

    status: str


_LINKS = {
    "docs": "/docs",
    "openapi": "/openapi.json",
    "datasets": "/datasets",
    "stats": "/stats",
    "health": "/health",
}


_DOWN = ResponseSpec(HealthSummary, generate_examples=False, description="The service is down")


def overview_routes(
    catalogue: Catalogue,
    health: CheckHealth,
    draining: Callable[[], bool],
    version: str,
    default_dataset: str,
) -> list[HTTPRouteHandler]:
    """The routes that give an overview; `draining` once the process is about to stop."""

    @get(
        "/",
        summary="What this is",
        responses=documented(Welcome, 503),
        before_request=guarded(),
        opt=may_call(ANYONE),
        tags=["overview"],
    )
    async def welcome(request: Request[Any, Any, Any]) -> Response[Welcome]:
        """What this is, with the datasets and three requests to try."""
        base = str(request.base_url).rstrip("/")
        entries = await catalogue.entries(role_of(request.scope))
        return Response(
            Welcome(
                name="catchment",
                version=version,
                about="Gathers records from the APIs you rely on and serves them back, filtered.",
                datasets=[_summary(entry) for entry in entries],
                links=_LINKS,
                try_=_suggestions(base, default_dataset),
                request_id=request_id_of(request.scope),
            )
        )

    @get(
        "/datasets",
        summary="Which datasets there are",
        responses=documented(DatasetList, 503),
        before_request=guarded(),
        opt=may_call(ANYONE),
        tags=["overview"],
    )
    async def datasets(request: Request[Any, Any, Any]) -> Response[DatasetList]:
        """The catalogue: fields, operators, counts and freshness of every dataset."""
        cards = [
            dataset_info_of(entry) for entry in await catalogue.entries(role_of(request.scope))
        ]
        return Response(DatasetList(cards, request_id_of(request.scope)))

    @get(
        "/health",
        summary="Whether all is well",
        responses={**documented(HealthSummary), 503: _DOWN},
        before_request=guarded(),
        opt=may_call(OPEN),
        tags=["overview"],
    )
    async def check(request: Request[Any, Any, Any]) -> Response[HealthSummary]:
        """The condition of the database, the queue and every source."""
        report = await health()
        down = report.status is HealthStatus.DOWN
        return Response(
            HealthSummary(
                status=report.status,
                database=report.database,
                queue=report.queue,
                timestamp=round(report.checked_at.timestamp(), 3),
                request_id=request_id_of(request.scope),
                sources=report.sources,
            ),
            status_code=HTTPStatus.SERVICE_UNAVAILABLE if down else HTTPStatus.OK,
            headers={"Cache-Control": "no-store"},
        )

    @get(
        "/health/live",
        summary="Whether the process lives",
        responses=documented(Liveness),
        before_request=guarded(),
        opt=may_call(OPEN),
        tags=["overview"],
    )
    async def live() -> Liveness:
        """The process is up; nothing else is looked at."""
        return Liveness("ok")

    @get(
        "/health/ready",
        summary="Whether requests can be served",
        responses=documented(Liveness, 503),
        before_request=guarded(),
        opt=may_call(OPEN),
        tags=["overview"],
    )
    async def ready() -> Liveness:
        """The database answers and is migrated, and the process is not about to stop."""
        if draining():
            raise Refusal(
                HTTPStatus.SERVICE_UNAVAILABLE, "draining", "this process is about to stop"
            )
        await health.ready()
        return Liveness("ok")

    return [welcome, datasets, check, live, ready]


def _summary(entry: Entry) -> Summary:
    return Summary(
        name=entry.dataset.name,
        records=entry.records,
        fetched_at=entry.standing.fetched_at,
        stale=entry.standing.stale,
        url=f"/data/{entry.dataset.name}",
    )


def _suggestions(base: str, dataset: str) -> list[str]:
    return [
        f"curl -X POST '{base}/fetch/{dataset}'",
        f"curl '{base}/data/{dataset}?limit=3'",
        f"curl '{base}/datasets'",
    ]
