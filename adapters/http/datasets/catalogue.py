"""Catalogue: `GET /datasets`, every dataset with its fields and their operators."""

from datetime import datetime

import msgspec
from litestar import get

from adapters.http.protocol.access import ANYONE, may_call, role_of
from adapters.http.protocol.asgi import request_id_of
from adapters.http.protocol.links import link_to
from adapters.http.protocol.routing import AnyRequest, Use, problems
from application.datasets.catalogue import Catalogue, Entry
from domain.filters import operators_of


class FieldInfo(msgspec.Struct, frozen=True):
    """A field with its operators."""

    name: str
    type: str
    nullable: bool
    sortable: bool
    operators: tuple[str, ...]
    choices: tuple[str, ...] = ()


class DatasetInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A dataset of the catalogue."""

    name: str
    about: str
    key: tuple[str, ...]
    default_sort: str
    fields: list[FieldInfo]
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

    datasets: list[DatasetInfo]
    request_id: str


@get(
    "/datasets",
    operation_id="list_datasets",
    summary="List datasets",
    responses=problems(503),
    opt=may_call(ANYONE),
    tags=["overview"],
)
async def datasets(request: AnyRequest, catalogue: Use[Catalogue]) -> DatasetList:
    """Return every dataset with its fields, operators, counts and freshness."""
    entries = await catalogue.entries(role_of(request.scope))
    return DatasetList(list(map(_dataset_info, entries)), request_id_of(request.scope))


CATALOGUE_ROUTES = [datasets]


def _dataset_info(entry: Entry) -> DatasetInfo:
    """Return a dataset's entry in the catalogue."""
    dataset = entry.dataset
    return DatasetInfo(
        name=dataset.name,
        about=dataset.about,
        key=dataset.key,
        default_sort=dataset.default_sort,
        fields=[
            FieldInfo(
                f.name, f.type.value, f.nullable, f.sortable, tuple(operators_of(f)), f.choices
            )
            for f in dataset.fields.values()
        ],
        indexes=(dataset.key, *dataset.indexes),
        sources=entry.sources,
        records=entry.records,
        quarantined=entry.quarantined,
        seq=entry.freshness.seq,
        fetched_at=entry.status.fetched_at,
        next_fetch_at=entry.status.next_fetch_at,
        stale=entry.status.stale,
        read_by=dataset.read_by.value,
        fetch_by=dataset.fetch_by.value,
        data_url=link_to(f"/data/{dataset.name}"),
        fetch_url=link_to(f"/fetch/{dataset.name}"),
    )
