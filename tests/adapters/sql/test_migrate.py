"""Migrations: what is applied, what a changed dataset does to its table, and by whom."""

import sqlite3
from pathlib import Path
from typing import Any

import msgspec
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine

from adapters.memory.clock import SteerableClock
from adapters.sql.migrate import HEAD, epoch_of, migrate
from adapters.sql.sqlite import SqliteDatabase
from adapters.sql.store import SqlStore
from adapters.sql.tables import metadata
from domain.dataset import Dataset
from domain.errors import StoreUnavailable
from domain.filters import Filter
from domain.paging import PageRequest, Sort
from domain.posts import POSTS
from tests.adapters.sql.conftest import bring, some_posts


def test_the_newest_revision_is_the_one_the_program_expects() -> None:
    scripts = ScriptDirectory("adapters/sql/migrations")

    assert scripts.get_current_head() == HEAD


def test_the_revisions_make_exactly_the_tables_the_program_uses(path: Path) -> None:
    engine = create_engine(f"sqlite:///{path}")
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={"include_name": lambda name, kind, _: kind != "table" or name[:2] != "d_"},
        )

        differences = compare_metadata(context, metadata)
    engine.dispose()

    assert differences == []


def test_migrating_again_does_nothing(path: Path) -> None:
    epoch = epoch_of(path)

    assert migrate(path, [POSTS]) == []
    assert epoch_of(path) == epoch


def test_every_new_database_has_an_epoch_of_its_own(path: Path, tmp_path: Path) -> None:
    migrate(tmp_path / "other.db", [POSTS])

    assert epoch_of(tmp_path / "other.db") != epoch_of(path)


def test_an_index_leads_with_the_declared_fields_and_ends_in_the_key(path: Path) -> None:
    assert _columns_of_indexes(path) == {("user_id", "id"), ("_changed_at", "id")}


class Wider(msgspec.Struct, frozen=True):
    """A post with one more field."""

    id: int
    user_id: int
    title: str
    body: str
    language: str | None


class Other(msgspec.Struct, frozen=True):
    """A post whose user is text."""

    id: int
    user_id: str
    title: str


def _posts(record: type[Any], *indexes: tuple[str, ...]) -> Dataset[Any]:
    return Dataset(name="posts", record=record, key=("id",), default_sort="id", indexes=indexes)


async def test_a_new_field_is_added_and_the_rows_stay(
    path: Path, database: SqliteDatabase, clock: SteerableClock
) -> None:
    await bring(database, clock, some_posts(3))
    wider = _posts(Wider, ("user_id",))

    done = migrate(path, [wider])
    rows = await _all(database, clock, wider)

    assert len(done) == 1
    assert [(row.id, row.title, row.language) for row in rows] == [
        (1, "title 1", None),
        (2, "title 2", None),
        (3, "title 3", None),
    ]


async def test_a_changed_type_builds_the_table_anew_and_keeps_what_still_fits(
    path: Path, database: SqliteDatabase, clock: SteerableClock
) -> None:
    await bring(database, clock, some_posts(2))
    other = _posts(Other)

    migrate(path, [other])
    rows = await _all(database, clock, other)

    assert [(row.id, row.user_id, row.title) for row in rows] == [
        (1, None, "title 1"),
        (2, None, "title 2"),
    ]
    assert _columns_of_indexes(path) == {("_changed_at", "id")}


async def test_another_key_empties_the_table_until_payloads_are_read_again(
    path: Path, database: SqliteDatabase, clock: SteerableClock
) -> None:
    await bring(database, clock, some_posts(2))
    rekeyed = Dataset(name="posts", record=Wider, key=("title",), default_sort="title")

    migrate(path, [rekeyed])

    assert await _all(database, clock, rekeyed) == []


async def test_changing_the_table_moves_the_sequence_so_that_no_old_etag_holds(
    path: Path, database: SqliteDatabase, clock: SteerableClock
) -> None:
    store = SqlStore(database, clock)
    before = (await store.freshness(POSTS)).seq

    migrate(path, [_posts(Wider, ("user_id",))])

    assert (await store.freshness(POSTS)).seq == before + 1


async def test_a_failed_migration_leaves_the_database_as_it_was(path: Path) -> None:
    before = _schema(path)

    with pytest.raises(sqlite3.Error):
        migrate(path, [Dataset(name="rivers", record=Wider, key=("id",)), _clashing()])

    assert _schema(path) == before


def _clashing() -> Dataset[Any]:
    # Its table's name is that of an index of the one before: SQLite refuses it.
    return Dataset(name="posts", record=Wider, key=("id",), indexes=(("title",), ("title",)))


async def _all(database: SqliteDatabase, clock: SteerableClock, dataset: Dataset[Any]) -> list[Any]:
    request = PageRequest(filter=Filter(), sort=Sort.parse(dataset, dataset.default_sort))
    return (await SqlStore(database, clock).find(dataset, request)).rows


def _columns_of_indexes(path: Path) -> set[tuple[str, ...]]:
    connection = sqlite3.connect(path)
    try:
        names = connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'index' AND tbl_name = 'd_posts'"
            " AND sql NOT NULL"
        ).fetchall()
        return {
            tuple(row[2] for row in connection.execute(f"PRAGMA index_info({name})"))
            for [name] in names
        }
    finally:
        connection.close()


def _schema(path: Path) -> list[Any]:
    connection = sqlite3.connect(path)
    try:
        return connection.execute("SELECT name, sql FROM sqlite_master ORDER BY name").fetchall()
    finally:
        connection.close()


def test_names_that_sql_knows_and_names_that_look_alike_are_all_right(
    path: Path, database: SqliteDatabase
) -> None:
    class Before(msgspec.Struct, frozen=True):
        id: int
        order: str
        group: int

    class After(msgspec.Struct, frozen=True):
        id: int
        order: str
        group: str

    alike = [
        Dataset(name="wells", record=Before, key=("id",), indexes=(("order",),)),
        Dataset(name="wells_old", record=Before, key=("id",)),
        Dataset(name="wells_order", record=Before, key=("id",), indexes=(("id", "order"),)),
    ]
    migrate(path, alike)

    changed = Dataset(name="wells", record=After, key=("id",), indexes=(("group",),))
    done = migrate(path, [changed, *alike[1:]])

    assert done == ["table of wells: changed; the next fetch reads kept payloads again"]


def test_a_database_of_a_newer_version_is_refused_in_plain_words(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.commit()
    connection.close()

    with pytest.raises(StoreUnavailable, match="newer version"):
        migrate(path, [POSTS])


def test_a_folder_that_cannot_be_made_is_refused_in_plain_words(path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="cannot be made"):
        migrate(path / "folder" / "catchment.db", [POSTS])
