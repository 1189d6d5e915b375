"""Index: `GET /`, a summary of the datasets, and links."""

from datetime import datetime

import msgspec
from litestar import get

from adapters.http.protocol.access import ANYONE, may_call, role_of
from adapters.http.protocol.asgi import request_id_of
from adapters.http.protocol.links import link_to
from adapters.http.protocol.routing import AnyRequest, Use, problems
from application.datasets.catalogue import Catalogue, Entry


class DatasetSummary(msgspec.Struct, frozen=True, kw_only=True):
    """The summary of a dataset."""

    name: str
    records: int
    fetched_at: datetime | None
    stale: bool
    url: str


class Index(msgspec.Struct, frozen=True, kw_only=True):
    """The service, its datasets, and three requests to try."""

    name: str
    version: str
    about: str
    datasets: list[DatasetSummary]
    links: dict[str, str]
    try_: list[str] = msgspec.field(name="try")
    request_id: str


_LINKS = {
    "docs": "/docs",
    "openapi": "/openapi.json",
    "datasets": "/datasets",
    "stats": "/stats",
    "health": "/health",
}


@get(
    "/",
    operation_id="show_index",
    summary="Show the index",
    responses=problems(503),
    opt=may_call(ANYONE),
    tags=["overview"],
)
async def welcome(
    request: AnyRequest, catalogue: Use[Catalogue], default_dataset: Use[str], version: Use[str]
) -> Index:
    """Return a summary of the datasets, links, and three requests to try."""
    entries = await catalogue.entries(role_of(request.scope))
    return Index(
        name="catchment",
        version=version,
        about="Gathers records from the APIs you rely on and serves them back, filtered.",
        datasets=list(map(_summary, entries)),
        links={name: link_to(path) for name, path in _LINKS.items()},
        try_=_suggestions(str(request.base_url).rstrip("/") + link_to(""), default_dataset),
        request_id=request_id_of(request.scope),
    )


INDEX_ROUTES = [welcome]


def _summary(entry: Entry) -> DatasetSummary:
    return DatasetSummary(
        name=entry.dataset.name,
        records=entry.records,
        fetched_at=entry.status.fetched_at,
        stale=entry.status.stale,
        url=link_to(f"/data/{entry.dataset.name}"),
    )


def _suggestions(base: str, dataset: str) -> list[str]:
    return [
        f"curl -X POST '{base}/fetch/{dataset}'",
        f"curl '{base}/data/{dataset}?limit=3'",
        f"curl '{base}/datasets'",
    ]
