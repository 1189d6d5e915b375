"""Cards: a dataset as the catalogue shows it, with its fields and what may be asked of them."""

from datetime import datetime

import msgspec

from application.datasets.catalogue import Entry
from domain.filters import operators_of


class FieldInfo(msgspec.Struct, frozen=True):
    """One field, and what may be asked of it."""

    name: str
    type: str
    nullable: bool
    sortable: bool
    operators: tuple[str, ...]
    choices: tuple[str, ...] = ()


class DatasetInfo(msgspec.Struct, frozen=True, kw_only=True):
    """One dataset of the catalogue."""

    name: str
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


def dataset_info_of(entry: Entry) -> DatasetInfo:
    """The card of one dataset."""
    dataset = entry.dataset
    return DatasetInfo(
        name=dataset.name,
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
        fetched_at=entry.standing.fetched_at,
        next_fetch_at=entry.standing.next_fetch_at,
        stale=entry.standing.stale,
        read_by=dataset.read_by.value,
        fetch_by=dataset.fetch_by.value,
        data_url=f"/data/{dataset.name}",
        fetch_url=f"/fetch/{dataset.name}",
    )
