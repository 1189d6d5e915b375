"""Overviews: what this is, which datasets there are, and whether all is well."""

from datetime import datetime
from http import HTTPStatus
from typing import Any

import msgspec
from litestar import Request, Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.datastructures import ResponseSpec

from adapters.http.answers import documented, guarded
from adapters.http.asgi import request_id_of
from application.catalogue import Catalogue, Entry
from application.health import CheckHealth, Condition, SourceHealth
from domain.dataset import Role
from domain.filters import operators_of


class FieldCard(msgspec.Struct, frozen=True):
    """One field, and what may be asked of it."""

    name: str
    type: str
    nullable: bool
    sortable: bool
    operators: tuple[str, ...]
    choices: tuple[str, ...] = ()


class DatasetCard(msgspec.Struct, frozen=True, kw_only=True):
    """One dataset of the catalogue."""

    name: str
    key: tuple[str, ...]
    default_sort: str
    fields: list[FieldCard]
    indexes: tuple[tuple[str, ...], ...]
    sources: tuple[str, ...]
    records: int
    quarantined: int
    seq: int
    fetched_at: datetime | None
    next_fetch_at: datetime | None
    stale: bool
    read_by: str
    fetch_by: str
    data_url: str
    fetch_url: str


class DatasetList(msgspec.Struct, frozen=True):
    """The catalogue."""

    datasets: list[DatasetCard]
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


class HealthCard(msgspec.Struct, frozen=True, kw_only=True):
    """The service's condition; `timestamp` is in Unix seconds."""

    status: str
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
    "health": "/health",
}


_DOWN = ResponseSpec(HealthCard, generate_examples=False, description="The service is down")


def overview_routes(
    catalogue: Catalogue, health: CheckHealth, version: str, default_dataset: str
) -> list[HTTPRouteHandler]:
    """The routes that give an overview."""

    @get(
        "/",
        summary="What this is",
        responses=documented(Welcome, 503),
        before_request=guarded(),
        tags=["overview"],
    )
    async def welcome(request: Request[Any, Any, Any]) -> Response[Welcome]:
        """What this is, with the datasets and three requests to try."""
        base = str(request.base_url).rstrip("/")
        entries = await catalogue.entries(Role.ANYONE)
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
        tags=["overview"],
    )
    async def datasets(request: Request[Any, Any, Any]) -> Response[DatasetList]:
        """The catalogue: fields, operators, counts and freshness of every dataset."""
        cards = [_card(entry) for entry in await catalogue.entries(Role.ANYONE)]
        return Response(DatasetList(cards, request_id_of(request.scope)))

    @get(
        "/health",
        summary="Whether all is well",
        responses={**documented(HealthCard), 503: _DOWN},
        before_request=guarded(),
        tags=["overview"],
    )
    async def check(request: Request[Any, Any, Any]) -> Response[HealthCard]:
        """The condition of the database, the queue and every source."""
        report = await health()
        down = report.status is Condition.DOWN
        return Response(
            HealthCard(
                status=report.status.value,
                database=report.database,
                queue="embedded",
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
        tags=["overview"],
    )
    async def ready() -> Liveness:
        """The database answers and is migrated; 503 otherwise."""
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


def _card(entry: Entry) -> DatasetCard:
    dataset = entry.dataset
    return DatasetCard(
        name=dataset.name,
        key=dataset.key,
        default_sort=dataset.default_sort,
        fields=[
            FieldCard(
                f.name, f.type.value, f.nullable, f.sortable, tuple(operators_of(f)), f.choices
            )
            for f in dataset.fields.values()
        ],
        indexes=(dataset.key, *dataset.indexes),
        sources=entry.sources,
        records=entry.records,
        quarantined=entry.quarantined,
        seq=entry.freshness.seq,
        fetched_at=entry.standing.fetched_at,
        next_fetch_at=entry.standing.next_fetch_at,
        stale=entry.standing.stale,
        read_by=dataset.read_by.value,
        fetch_by=dataset.fetch_by.value,
        data_url=f"/data/{dataset.name}",
        fetch_url=f"/fetch/{dataset.name}",
    )


def _suggestions(base: str, dataset: str) -> list[str]:
    return [
        f"curl -X POST '{base}/fetch/{dataset}'",
        f"curl '{base}/data/{dataset}?limit=3'",
        f"curl '{base}/datasets'",
    ]
