"""The built-in datasets are stored, merged and found equally on every backend."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domain.builtin.crypto_assets import CRYPTO_ASSETS, CryptoAsset
from domain.builtin.data_points import DATA_POINTS, DataPoint, point_of
from domain.builtin.posts import POSTS, Post
from domain.dataset import Dataset, Role
from domain.filters import Filter
from domain.paging import PageRequest, Sort
from domain.reports import Counts
from tests.contract.backends import Backend

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def asset(number: int, **more: Any) -> CryptoAsset:
    """Return one asset of which little is known."""
    name = f"coin-{number}"
    return CryptoAsset(source="csv", source_id=name, symbol="C", name=name, **more)


def point(second: int, *tags: str, late: timedelta = timedelta(0)) -> DataPoint:
    """Return one point."""
    time = NOON + timedelta(seconds=second)
    return point_of(int(time.timestamp()), [157, 42, 76, 190], tags, time + late)


RECORDS: dict[Dataset[Any], list[Any]] = {
    POSTS: [Post(1, 1, "a title", "a body")],
    CRYPTO_ASSETS: [
        asset(1, rank=2, price_usd=0.1 + 0.2, updated_at=NOON),
        asset(2, rank=1, price_usd=5e-324, market_cap_usd=1.7e308, percent_change_24h=-0.5),
        asset(3),
    ],
    DATA_POINTS: [
        point(1),
        point(2, "suspect"),
        point(3, "noon", "dry"),
        point(4, late=timedelta(hours=2)),
    ],
}


@pytest.mark.parametrize("dataset", RECORDS, ids=lambda dataset: dataset.name)
async def test_records_are_read_as_they_were_stored(
    backend: Backend, dataset: Dataset[Any]
) -> None:
    records = RECORDS[dataset]

    first = await backend.bring(records, dataset)
    again = await backend.bring(records, dataset)

    assert first == Counts(received=len(records), inserted=len(records))
    assert again == Counts(received=len(records), unchanged=len(records))
    by_key = {dataset.key_of(row): row for row in await backend.everything(dataset)}
    assert by_key == {
        dataset.key_of(record): dataset.stored(record, by_key[dataset.key_of(record)]._changed_at)
        for record in records
    }


async def found(backend: Backend, dataset: Dataset[Any], sort: str, seen: Filter) -> list[Any]:
    """Return the first two pages of an answer, a record each."""
    request = PageRequest(filter=seen, sort=Sort.parse(dataset, sort), limit=1)
    first = await backend.store.find(dataset, request)
    second = await backend.store.find(
        dataset,
        PageRequest(filter=seen, sort=request.sort, limit=1, cursor=first.next_cursor),
    )
    return [*first.rows, *second.rows]


@pytest.mark.parametrize(
    ("sort", "names"),
    [
        ("rank", ["coin-2", "coin-1"]),
        ("-rank", ["coin-1", "coin-2"]),
        ("-market_cap_usd", ["coin-2", "coin-3"]),
        ("price_usd", ["coin-2", "coin-1"]),
    ],
)
async def test_assets_are_ordered(backend: Backend, sort: str, names: list[str]) -> None:
    await backend.bring(RECORDS[CRYPTO_ASSETS], CRYPTO_ASSETS)

    rows = await found(backend, CRYPTO_ASSETS, sort, Filter())

    assert [row.name for row in rows] == names


@pytest.mark.parametrize(("role", "seconds"), [(Role.USER, [3, 1]), (Role.ADMIN, [4, 3])])
async def test_points_are_seen_by_role_latest_first(
    backend: Backend, role: Role, seconds: list[int]
) -> None:
    await backend.bring(RECORDS[DATA_POINTS], DATA_POINTS)

    rows = await found(backend, DATA_POINTS, DATA_POINTS.default_sort, DATA_POINTS.seen_by(role))

    assert [row.time.second for row in rows] == seconds
