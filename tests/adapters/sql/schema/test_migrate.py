"""Migrations: revisions of the system tables, and tables that follow their datasets."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, text
from sqlalchemy.schema import CreateIndex, CreateTable

from adapters.memory.system import SteerableClock
from adapters.sql.accounts.accounts import SqlAccounts
from adapters.sql.accounts.api_tokens import SqlApiTokens
from adapters.sql.accounts.generations import begin_generations
from adapters.sql.accounts.sessions import SqlSessions
from adapters.sql.datasets.store import SqlStore
from adapters.sql.engine.postgres.database import PostgresDatabase
from adapters.sql.engine.sqlite.database import SqliteDatabase
from adapters.sql.schema.migrate import HEAD, database_id_of, migrate
from adapters.sql.schema.migrations.upgrade import steps
from adapters.sql.schema.tables import metadata
from domain.builtin.posts import POSTS
from domain.dataset import Dataset, Role
from domain.errors import StoreUnavailable
from domain.filters import Filter
from domain.paging import PageRequest, Sort
from domain.users import Caller
from tests.adapters.sql.conftest import some_posts, store_posts
from tests.services.postgres import administering, empty_database, user

#: Opens the same database each time it is called.
Open = Callable[[], Any]
#: Creates an empty database.
Make = Callable[[], Awaitable[Open]]

_INDEXES = {
    "sqlite": text(
        "SELECT m.name, i.name FROM sqlite_master m, pragma_index_info(m.name) i"
        " WHERE m.type = 'index' AND m.tbl_name = 'd_posts' AND m.sql NOT NULL"
        " ORDER BY m.name, i.seqno"
    ),
    "postgresql": text(
        "SELECT i.indexrelid, a.attname FROM pg_index i, unnest(i.indkey) WITH ORDINALITY k(n, p),"
        " pg_attribute a WHERE i.indrelid = to_regclass('d_posts') AND NOT i.indisprimary"
        " AND a.attrelid = i.indrelid AND a.attnum = k.n ORDER BY i.indexrelid, k.p"
    ),
}
_SCHEMA = {
    "sqlite": [text("SELECT name, sql FROM sqlite_master ORDER BY name")],
    "postgresql": [
        text(
            "SELECT table_name, column_name, data_type, is_nullable, column_default,"
            " collation_name FROM information_schema.columns"
            " WHERE table_schema = 'public' ORDER BY table_name, column_name"
        ),
        text("SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY indexdef"),
        text(
            "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid)"
            " FROM pg_constraint WHERE connamespace = 'public'::regnamespace"
            " AND contype <> 'n' ORDER BY 1, 2"
        ),
    ],
}


@pytest.fixture(params=["sqlite", "postgres"])
async def make(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Make]:
    """Return a function that creates empty databases, for each engine."""
    async with AsyncExitStack() as stack:

        def opener(kind: type[Any], location: Any) -> Open:
            def open_() -> Any:
                database = kind(location)
                stack.push_async_callback(database.close)
                return database

            return open_

        async def sqlite() -> Open:
            return opener(SqliteDatabase, tmp_path / f"{len(list(tmp_path.iterdir()))}.db")

        async def postgres() -> Open:
            return opener(PostgresDatabase, await stack.enter_async_context(empty_database()))

        yield sqlite if request.param == "sqlite" else postgres


@pytest.fixture
async def reopen(make: Make) -> Open:
    """Return a function that opens a database with a table of posts."""
    reopen = await make()
    await migrate(reopen(), [POSTS])
    return reopen


@pytest.fixture
def database(reopen: Open) -> Any:
    """Open the database of `reopen`."""
    return reopen()


async def _rows(database: Any, statement: Any) -> list[Any]:
    [rows] = await database.snapshot([(statement, {})])
    return [tuple(row) for row in rows]


async def _schema(database: Any) -> list[list[Any]]:
    return [await _rows(database, statement) for statement in _SCHEMA[database.engine]]


async def _indexes(database: Any) -> set[tuple[str, ...]]:
    fields: dict[Any, tuple[str, ...]] = {}
    for index, field in await _rows(database, _INDEXES[database.engine]):
        fields[index] = (*fields.get(index, ()), field)
    return set(fields.values())


# ---------------------------------------------------------------- system tables


def test_the_program_expects_the_newest_revision() -> None:
    scripts = ScriptDirectory("adapters/sql/schema/migrations")

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


async def test_the_revisions_make_exactly_these_tables_on_postgresql_too() -> None:
    async with empty_database() as migrated_url, empty_database() as made_url:
        migrated, made = PostgresDatabase(migrated_url), PostgresDatabase(made_url)
        await migrate(migrated, [])
        async with migrated.write() as session:
            await session.run(text("DROP TABLE alembic_version"), {})
        async with made.write() as session:
            for table in metadata.sorted_tables:
                await session.run(CreateTable(table), {})
                for index in table.indexes:
                    await session.run(CreateIndex(index), {})

        assert await _schema(migrated) == await _schema(made)
        await migrated.close()
        await made.close()


async def test_migrating_again_does_nothing(database: Any) -> None:
    database_id = await database_id_of(database)

    assert await migrate(database, [POSTS]) == []
    assert await database_id_of(database) == database_id


async def test_every_new_database_has_its_own_identifier(database: Any, make: Make) -> None:
    other = (await make())()
    await migrate(other, [POSTS])

    assert await database_id_of(other) != await database_id_of(database)


async def test_of_several_processes_that_start_at_once_one_migrates(make: Make) -> None:
    reopen = await make()

    done = await asyncio.gather(*(migrate(reopen(), [POSTS]) for _ in range(4)))

    assert sorted(map(len, done)) == [0, 0, 0, 2]


async def test_a_database_of_the_first_version_is_upgraded_to_this_one(make: Make) -> None:
    reopen = await make()
    database = reopen()
    async with database.migration() as session:
        for step in steps(None, "0001", database.engine):
            await session.run(text(step), {})
        await session.run(text("INSERT INTO meta VALUES ('epoch', 'the first')"), {})
        await session.run(text("INSERT INTO hosts VALUES ('h', 1, 0, '', 0, 0, 1)"), {})

    done = await migrate(database, [])

    assert done == [f"system tables: 0001 -> {HEAD}"]
    assert await database_id_of(database) == "the first"
    assert await _rows(database, text("SELECT host, version FROM hosts")) == [("h", 0)]
    newest = (await make())()
    await migrate(newest, [])
    if database.engine == "postgresql":
        assert await _schema(database) == await _schema(newest)


async def test_who_was_logged_in_before_an_upgrade_is_logged_in_after_it(
    make: Make, clock: SteerableClock
) -> None:
    database = (await make())()
    async with database.migration() as session:
        for step in steps(None, "0007", database.engine):
            await session.run(text(step), {})
        await session.run(text("INSERT INTO meta VALUES ('epoch', 'the first')"), {})
        await session.run(text("INSERT INTO sessions VALUES ('1', 'ann', 0, 0, 1e17, NULL)"), {})
        await session.run(text("INSERT INTO refresh_tokens VALUES ('one', '1', NULL)"), {})
        await session.run(text("INSERT INTO api_tokens VALUES ('2', 'ann', 'ci', 'd', 0)"), {})
        user = "'ann', 'Ann', 'admin', 'a hash', FALSE, 0, 0"
        await session.run(text(f"INSERT INTO users VALUES ({user})"), {})

    await migrate(database, [])
    for key_id in ("mine", "another"):  # only the first counts
        await begin_generations(database, key_id)
    # As a process of the version before does meanwhile.
    async with database.write() as session:
        into = 'sessions (id, "user", version, created_at, expires_at)'
        await session.run(text(f"INSERT INTO {into} VALUES ('3', 'x', 0, 0, 1e17)"), {})

    ann = await SqlAccounts(database).get("ann")
    kept = await SqlApiTokens(database, "mine").find("d")
    assert ann is not None
    assert kept is not None
    assert kept.is_valid(ann, clock.now())
    assert kept.caller(ann) == Caller(Role.ADMIN, "Ann")
    mine = SqlSessions(database, clock, "mine")
    assert (await mine.rotate("one", "two")).id == "1"
    assert [await mine.is_open(session_id) for session_id in ("1", "3")] == [True, True]
    others = SqlSessions(database, clock, "another")
    assert [await others.is_open(session_id) for session_id in ("1", "3")] == [False, False]
    assert await SqlApiTokens(database, "another").find("d") is None


async def test_a_database_of_a_newer_version_is_refused(database: Any) -> None:
    async with database.write() as session:
        await session.run(text("UPDATE alembic_version SET version_num = '9999'"), {})

    with pytest.raises(StoreUnavailable, match="newer version"):
        await migrate(database, [POSTS])


async def test_a_failed_migration_leaves_the_database_as_it_was(database: Any) -> None:
    before = await _schema(database)

    with pytest.raises((sqlite3.Error, asyncpg.PostgresError)):
        await migrate(database, [Dataset(name="rivers", record=Wider, key=("id",)), _clashing()])

    assert await _schema(database) == before


def _clashing() -> Dataset[Any]:
    # Two of its indexes have the same name, which both engines refuse.
    return Dataset(name="posts", record=Wider, key=("id",), indexes=(("title",), ("title",)))


async def test_a_folder_that_cannot_be_created_is_refused(path: Path) -> None:
    database = SqliteDatabase(path / "folder" / "catchment.db")

    with pytest.raises(StoreUnavailable, match="cannot be made"):
        await migrate(database, [POSTS])
    await database.close()


async def test_a_user_without_the_right_to_create_tables_is_refused() -> None:
    async with empty_database() as url:
        async with administering(url) as owner:
            await owner.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
        async with user(url) as restricted:
            database = PostgresDatabase(restricted)

            with pytest.raises(StoreUnavailable, match="the right to make"):
                await migrate(database, [POSTS])
            await database.close()


# ---------------------------------------------------------------- dataset tables


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


async def _all(database: Any, clock: SteerableClock, dataset: Dataset[Any]) -> list[Any]:
    request = PageRequest(filter=Filter(), sort=Sort.parse(dataset, dataset.default_sort))
    return (await SqlStore(database).find(dataset, request)).rows


async def test_an_index_leads_with_the_declared_fields_and_ends_in_the_key(database: Any) -> None:
    assert await _indexes(database) == {("user_id", "id"), ("_changed_at", "id")}


async def test_a_new_field_is_added_and_the_rows_stay(database: Any, clock: SteerableClock) -> None:
    await store_posts(database, clock, some_posts(3))
    wider = _posts(Wider, ("user_id",))

    done = await migrate(database, [wider])
    rows = await _all(database, clock, wider)

    assert len(done) == 1
    assert [(row.id, row.title, row.language) for row in rows] == [
        (1, "title 1", None),
        (2, "title 2", None),
        (3, "title 3", None),
    ]


async def test_a_changed_type_rebuilds_the_table_and_keeps_what_still_fits(
    database: Any, clock: SteerableClock
) -> None:
    await store_posts(database, clock, some_posts(2))
    other = _posts(Other)

    await migrate(database, [other])
    rows = await _all(database, clock, other)

    assert [(row.id, row.user_id, row.title) for row in rows] == [
        (1, None, "title 1"),
        (2, None, "title 2"),
    ]
    assert await _indexes(database) == {("_changed_at", "id")}


async def test_a_table_can_be_rebuilt_again_and_again(database: Any, clock: SteerableClock) -> None:
    await store_posts(database, clock, some_posts(2))

    for dataset in (_posts(Other), POSTS, _posts(Other), POSTS):
        assert len(await migrate(database, [dataset])) == 1

    await store_posts(database, clock, some_posts(3), job_id="next")
    assert [row.user_id for row in await _all(database, clock, POSTS)] == [1, 1, 1]
    assert await _indexes(database) == {("user_id", "id"), ("_changed_at", "id")}


async def test_another_key_empties_the_table_until_payloads_are_read_again(
    database: Any, clock: SteerableClock
) -> None:
    await store_posts(database, clock, some_posts(2))
    rekeyed = Dataset(name="posts", record=Wider, key=("title",), default_sort="title")

    await migrate(database, [rekeyed])

    assert await _all(database, clock, rekeyed) == []


async def test_changing_the_table_moves_the_sequence_and_so_every_etag(
    database: Any, clock: SteerableClock
) -> None:
    store = SqlStore(database)
    before = (await store.freshness(POSTS)).seq

    await migrate(database, [_posts(Wider, ("user_id",))])

    assert (await store.freshness(POSTS)).seq == before + 1


async def test_a_process_reads_on_after_another_has_migrated(
    reopen: Open, clock: SteerableClock
) -> None:
    reading, migrating = reopen(), reopen()
    await store_posts(reading, clock, some_posts(3))
    before = [await _all(reading, clock, POSTS) for _ in range(10)]

    await migrate(migrating, [_posts(Wider, ("user_id",), ("title",))])

    assert [await _all(reading, clock, POSTS) for _ in range(10)] == before


async def test_reserved_words_and_similar_names_are_valid(database: Any) -> None:
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
        Dataset(name="wells_new", record=Before, key=("id",)),
        Dataset(name="wells_order", record=Before, key=("id",), indexes=(("id", "order"),)),
    ]
    await migrate(database, alike)

    changed = Dataset(name="wells", record=After, key=("id",), indexes=(("group",),))
    done = await migrate(database, [changed, *alike[1:]])

    assert done == ["table of wells: changed; the next fetch reads kept payloads again"]


async def test_the_longest_names_fit_every_engine(database: Any, clock: SteerableClock) -> None:
    fields = [f"{letter}{'x' * 30}" for letter in "abcd"]
    record = msgspec.defstruct("Long", [(name, int) for name in fields], frozen=True)
    indexes = ((fields[0], fields[1]), (fields[0], fields[2]), (fields[0], fields[3]))
    longest = Dataset(name="y" * 31, record=record, key=(fields[0],), indexes=indexes)

    assert len(await migrate(database, [longest])) == 1
    assert await migrate(database, [longest]) == []


@pytest.mark.postgres
async def test_a_database_that_cannot_store_every_character_is_refused_in_one_line() -> None:
    async with empty_database() as url, administering(url) as connection:
        name = f"{url.rpartition('/')[2]}_latin"
        await connection.execute(
            f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'LATIN1'"
            " LC_COLLATE 'C' LC_CTYPE 'C'"
        )
        database = PostgresDatabase(f"{url.rpartition('/')[0]}/{name}")
        try:
            with pytest.raises(StoreUnavailable, match=r"LATIN1.*UTF8 is needed"):
                await migrate(database, [POSTS])
        finally:
            await database.close()
            await connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
