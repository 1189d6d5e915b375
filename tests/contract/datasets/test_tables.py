"""Tables: datasets that are added and changed while others read and merge."""

import asyncio
import gc
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from weakref import ref

import msgspec
import pytest
from sqlalchemy import text

from adapters.memory.database import MemoryDatabase
from adapters.memory.system import SteerableClock
from adapters.sql.engine.sqlite.database import SqliteDatabase
from adapters.sql.schema.migrate import migrate
from domain.dataset import Dataset
from domain.errors import StoreUnavailable
from domain.filters import Filter
from domain.paging import PageRequest, Sort
from tests.contract.backends import Backend, in_memory, over
from tests.services.postgres import opened


class Well(msgspec.Struct, frozen=True):
    """The first record type of wells."""

    id: int
    depth: int


class WiderWell(Well, frozen=True):
    """A well with one more field."""

    name: str | None


class NamedWell(msgspec.Struct, frozen=True):
    """A well with only a depth, as text."""

    id: int
    depth: str


def wells(record: type[Any] = Well, key: str = "id") -> Dataset[Any]:
    """Return the dataset of wells, as a new value."""
    return Dataset(name="wells", record=record, key=(key,), indexes=(("depth",),))


@asynccontextmanager
async def _memory(_: Path) -> AsyncIterator[Backend]:
    yield in_memory(MemoryDatabase(), SteerableClock())


@asynccontextmanager
async def _sqlite(folder: Path) -> AsyncIterator[Backend]:
    database = SqliteDatabase(folder / "catchment.db")
    await migrate(database, [])
    yield over(database, SteerableClock())
    await database.close()


@asynccontextmanager
async def _postgres(_: Path) -> AsyncIterator[Backend]:
    async with opened(()) as database:
        yield over(database, SteerableClock())
        async with database.write() as session:
            await session.run(text("DROP TABLE IF EXISTS d_wells, d_springs"), {})
            await session.run(text("DELETE FROM datasets"), {})


@pytest.fixture(params=[_memory, _sqlite, _postgres], ids=lambda make: make.__name__[1:])
async def backend(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Backend]:
    """Return a backend without any dataset."""
    async with request.param(tmp_path) as backend:
        yield backend


async def _rows(backend: Backend, dataset: Dataset[Any]) -> list[tuple[Any, ...]]:
    return [msgspec.structs.astuple(row)[:-1] for row in await backend.everything(dataset)]


async def test_an_added_dataset_is_read_and_merged_at_once(backend: Backend) -> None:
    added = wells()

    await backend.tables.prepare([added])
    before = await _rows(backend, added)
    counts = await backend.bring([Well(1, 10), Well(2, 20)], added)

    assert before == []
    assert counts.inserted == 2
    assert await _rows(backend, added) == [(1, 10), (2, 20)]
    assert (await backend.store.freshness(added)).seq == 1


async def test_preparing_again_changes_nothing(backend: Backend) -> None:
    await backend.tables.prepare([wells()])
    await backend.bring([Well(1, 10)], wells())

    await backend.tables.prepare([wells()])

    assert (await backend.store.freshness(wells())).seq == 1
    assert await _rows(backend, wells()) == [(1, 10)]


async def test_others_stay_as_they_are(backend: Backend) -> None:
    kept = Dataset(name="springs", record=Well, key=("id",))
    await backend.tables.prepare([wells(), kept])
    await backend.bring([Well(1, 10)], kept)

    await backend.tables.prepare([wells(WiderWell)])

    assert await _rows(backend, kept) == [(1, 10)]
    assert (await backend.store.freshness(kept)).seq == 1


async def test_a_new_field_is_served_while_old_readers_and_intakes_finish(
    backend: Backend,
) -> None:
    old, new = wells(), wells(WiderWell)
    await backend.tables.prepare([old])
    await backend.bring([Well(1, 10)], old)
    job = await backend.claimed(old)

    async with backend.intakes.open(old, "one", job) as intake:
        await intake.add([Well(2, 20)], await intake.keep(backend.payload(b"more")))
        await backend.tables.prepare([new])
        seen = await _rows(backend, new)
        await intake.commit(backend.checkpoint(job))
    await backend.end(job)

    assert seen == [(1, 10, None)]
    assert [row[:2] for row in await _rows(backend, old)] == [(1, 10), (2, 20)]
    counts = await backend.bring([WiderWell(1, 10, "deep")], new)
    assert counts.updated == 1
    assert (await _rows(backend, new))[0] == (1, 10, "deep")
    assert await backend.store.count(old, Filter()) == 2


async def test_changing_fields_moves_the_sequence_number(backend: Backend) -> None:
    await backend.tables.prepare([wells()])
    await backend.bring([Well(1, 10)], wells())
    version = backend.changes.version()

    await backend.tables.prepare([wells(NamedWell)])

    assert (await backend.store.freshness(wells(NamedWell))).seq == 2
    assert backend.changes.version() != version


@pytest.mark.parametrize("changed", [wells(NamedWell), wells(key="depth")], ids=["type", "key"])
async def test_who_has_a_dataset_as_it_was_is_refused_and_gets_nothing_wrong(
    backend: Backend, changed: Dataset[Any]
) -> None:
    old = wells()
    await backend.tables.prepare([old])
    await backend.bring([Well(1, 10)], old)
    sort = Sort.parse(old, "depth")
    asked = Filter.parse(old.fields, [("depth", "10")])
    reads: list[Callable[[], Any]] = [
        lambda: backend.store.find(old, PageRequest(sort=sort)),
        lambda: backend.store.find(old, PageRequest(filter=asked, sort=sort)),
        lambda: backend.store.get(old, (1,), Filter()),
        lambda: backend.store.count(old, asked),
    ]
    for read in reads:
        await read()

    await backend.tables.prepare([changed])

    for read in reads:
        # It reports the change, so that no reader takes the table for the old one.
        assert (await backend.store.freshness(old)).seq == 2
        with pytest.raises(StoreUnavailable, match="have been changed"):
            await read()


async def test_an_intake_into_a_dataset_as_it_was_writes_nothing(backend: Backend) -> None:
    old, new = wells(), wells(NamedWell)
    await backend.tables.prepare([old])
    await backend.bring([Well(1, 10)], old)
    job = await backend.claimed(old)

    async with backend.intakes.open(old, "one", job) as intake:
        await intake.add([Well(1, 11)], await intake.keep(backend.payload(b"more")))
        await backend.tables.prepare([new])
        with pytest.raises(StoreUnavailable, match="have been changed"):
            await intake.commit(backend.checkpoint(job))
    await backend.end(job)

    assert await _rows(backend, new) == [(1, None)]
    assert (await backend.bring([NamedWell(1, "ten")], new)).updated == 1
    assert await _rows(backend, new) == [(1, "ten")]


async def test_another_key_leaves_no_row(backend: Backend) -> None:
    await backend.tables.prepare([wells()])
    await backend.bring([Well(1, 10)], wells())

    await backend.tables.prepare([wells(key="depth")])

    assert await _rows(backend, wells(key="depth")) == []


async def test_readers_never_see_a_table_that_is_not_theirs(backend: Backend) -> None:
    old, new = wells(), wells(NamedWell)
    await backend.tables.prepare([old])
    await backend.bring([Well(number, 10) for number in range(300)], old)
    pages: list[Any] = []

    async def read_on() -> None:
        sort = Sort.parse(old, "depth")
        while True:
            await asyncio.sleep(0)
            pages.append((await backend.store.find(old, PageRequest(sort=sort))).rows)

    readers = [asyncio.create_task(read_on()) for _ in range(4)]
    while len(pages) < 20:
        await asyncio.sleep(0)
    await backend.tables.prepare([new])
    ends = await asyncio.gather(*readers, return_exceptions=True)

    assert {type(end) for end in ends} == {StoreUnavailable}
    assert all(len(rows) == 100 and {row.depth for row in rows} == {10} for rows in pages)


async def test_a_dataset_that_is_dropped_is_forgotten(backend: Backend) -> None:
    async def use() -> ref[Any]:
        dropped = wells()
        await backend.tables.prepare([dropped])
        await backend.bring([Well(1, 10)], dropped)
        await _rows(backend, dropped)
        await backend.store.count(dropped, Filter())
        await backend.store.get(dropped, (1,), Filter())
        return ref(dropped)

    used = await use()
    gc.collect()

    assert used() is None
