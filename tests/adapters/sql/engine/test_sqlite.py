"""SQLite: other writers, full disks, slow queries, damaged files."""

import asyncio
import sqlite3
from pathlib import Path

import pytest
from msgspec.structs import replace
from sqlalchemy import text

from adapters.memory.system import SteerableClock
from adapters.sql.datasets.queries import Shape, page_values, statements_of
from adapters.sql.datasets.store import SqlStore
from adapters.sql.engine.database import MAX_WAITING
from adapters.sql.engine.sqlite.connections import connect
from adapters.sql.engine.sqlite.database import SqliteDatabase, sqlite_compiler
from adapters.sql.schema.migrate import migrate
from domain.builtin.posts import POSTS
from domain.errors import QueryTooSlow, StoreFull, StoreUnavailable
from domain.filters import Filter
from domain.paging import Counting, PageRequest, Sort
from tests.adapters.sql.conftest import FAST_POSTS, some_posts, store_posts

_ENDLESS = text(
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
)


@pytest.mark.parametrize(
    ("pragma", "expected"),
    [("journal_mode", "wal"), ("synchronous", 2), ("busy_timeout", 10000), ("foreign_keys", 1)],
)
def test_every_writer_has_the_pragmas_that_durability_needs(
    path: Path, pragma: str, expected: object
) -> None:
    connection = connect(path)

    found = connection.execute(f"PRAGMA {pragma}").fetchone()[0]
    connection.close()

    assert found == expected


def test_a_reader_cannot_write(path: Path) -> None:
    connection = connect(path, read_only=True)

    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        connection.execute("DELETE FROM datasets")
    connection.close()


async def test_a_transaction_that_raises_leaves_nothing_behind(database: SqliteDatabase) -> None:
    with pytest.raises(RuntimeError):
        async with database.write() as session:
            await session.run(text("UPDATE datasets SET seq = 99"), {})
            raise RuntimeError

    assert await database.snapshot([(text("SELECT seq FROM datasets"), {})]) == [[(0,)]]


async def test_a_cancelled_transaction_leaves_nothing_and_holds_no_lock(
    database: SqliteDatabase,
) -> None:
    inside = asyncio.Event()

    async def write() -> None:
        async with database.write() as session:
            await session.run(text("UPDATE datasets SET seq = 99"), {})
            inside.set()
            await asyncio.Event().wait()

    writing = asyncio.create_task(write())
    await inside.wait()
    writing.cancel()
    await asyncio.wait([writing])

    async with database.write() as session:
        assert await session.rows(text("SELECT seq FROM datasets"), {}) == [(0,)]


async def test_reads_go_on_while_another_process_writes(
    path: Path, database: SqliteDatabase
) -> None:
    other = connect(path)
    other.execute("BEGIN IMMEDIATE")
    other.execute("UPDATE datasets SET seq = 99")

    seen = await database.snapshot([(text("SELECT seq FROM datasets"), {})])
    other.execute("ROLLBACK")
    other.close()

    assert seen == [[(0,)]]


async def test_no_other_process_writes_between_a_transactions_read_and_write(
    path: Path, database: SqliteDatabase
) -> None:
    other = connect(path)
    other.execute("PRAGMA busy_timeout=0")

    async with database.write() as session:
        await session.rows(text("SELECT seq FROM datasets"), {})
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("UPDATE datasets SET seq = 99")
        await session.run(text("UPDATE datasets SET seq = 1"), {})
    other.close()

    assert await database.snapshot([(text("SELECT seq FROM datasets"), {})]) == [[(1,)]]


async def test_a_query_that_takes_too_long_is_stopped(path: Path) -> None:
    database = SqliteDatabase(path, read_s=0.05)

    with pytest.raises(QueryTooSlow):
        await database.snapshot([(_ENDLESS, {})], scan=True)
    assert await database.snapshot([(text("SELECT 1"), {})], scan=True) == [[(1,)]]
    await database.close()


async def test_a_slow_query_does_not_hold_up_the_fast_ones(path: Path) -> None:
    database = SqliteDatabase(path, read_s=0.3)

    slow = asyncio.create_task(database.snapshot([(_ENDLESS, {})], scan=True))
    for _ in range(20):
        assert await database.snapshot([(text("SELECT 1"), {})]) == [[(1,)]]

    assert not slow.done()
    with pytest.raises(QueryTooSlow):
        await slow
    await database.close()


async def test_a_full_disk_is_an_error_and_not_a_damaged_database(
    path: Path, database: SqliteDatabase, clock: SteerableClock
) -> None:
    await store_posts(database, clock, some_posts(10))
    store = SqlStore(database)

    # A limit on the number of pages gives the same error as a full disk.
    async with database.session() as session:
        await session.rows(text("PRAGMA max_page_count = 1"), {})
        with pytest.raises(StoreFull):
            async with session.transaction():
                await session.run(text("INSERT INTO payloads VALUES ('x', zeroblob(4000000))"), {})

    assert await store.count(POSTS, Filter()) == 10
    assert await database.snapshot([(text("PRAGMA integrity_check"), {})]) == [[("ok",)]]


async def test_a_file_that_is_not_a_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "letter.db").write_text("Dear reader, " * 1000)

    database = SqliteDatabase(tmp_path / "letter.db")

    with pytest.raises(StoreUnavailable, match="not a database"):
        await migrate(database, [POSTS])
    await database.close()


async def test_a_database_that_was_never_migrated_is_not_ready(tmp_path: Path) -> None:
    (tmp_path / "new.db").touch()
    database = SqliteDatabase(tmp_path / "new.db")

    with pytest.raises(StoreUnavailable, match="catchment migrate"):
        await database.check()
    await database.close()


# ---------------------------------------------------------------- fast queries use an index


@pytest.mark.parametrize(("filter", "sort"), FAST_POSTS)
async def test_a_fast_query_scans_and_sorts_nothing(
    database: SqliteDatabase, filter: list[tuple[str, str]], sort: str
) -> None:
    request = PageRequest(filter=Filter.parse(POSTS.fields, filter), sort=Sort.parse(POSTS, sort))

    assert POSTS.answers_fast(request.filter, request.sort.names)
    for asked in (request, await _second_page(request)):
        plan = await _plan(database, asked)
        assert "TEMP B-TREE" not in plan
        assert "SEARCH" in plan or not (filter or asked.cursor), plan


@pytest.mark.parametrize(
    ("filter", "sort"),
    [
        ([("title__contains", "x")], "id"),
        ([("title", "x")], "id"),
        ([], "title"),
        ([("user_id__gt", "1")], "id"),
        ([("user_id__ne", "1")], "id"),
    ],
)
def test_a_query_without_an_index_is_a_scan(filter: list[tuple[str, str]], sort: str) -> None:
    asked = Filter.parse(POSTS.fields, filter)

    assert not POSTS.answers_fast(asked, Sort.parse(POSTS, sort).names)


async def _second_page(request: PageRequest) -> PageRequest:
    row = POSTS.stored(some_posts(1)[0], SteerableClock().now())
    return replace(request, cursor=request.cursor_after(row), counting=Counting.NONE)


async def _plan(database: SqliteDatabase, request: PageRequest) -> str:
    compiler = sqlite_compiler()
    plans = []
    for segment in statements_of("sqlite", POSTS, Shape.of(request)).segments:
        statement = compiler.bind(segment, page_values(request))
        connection = connect(database.path, read_only=True)
        plan = f"EXPLAIN QUERY PLAN {statement.text}"
        rows = connection.execute(plan, statement.values).fetchall()
        connection.close()
        plans += [row[3] for row in rows]
    return "\n".join(plans)


# ---------------------------------------------------------------- the cost of many callers


async def test_lists_of_every_length_make_few_statements(store: SqlStore) -> None:
    shapes = set()
    for count in range(1, 201):
        values = ",".join(map(str, range(count)))
        asked = Filter.parse(POSTS.fields, [("user_id__in", values), ("title__nin", values)])
        request = PageRequest(filter=asked, sort=Sort.parse(POSTS, "id"))
        shapes.add(Shape.of(request))
        assert (await store.find(POSTS, request)).rows == []

    assert len(shapes) == 1


async def test_a_read_that_waited_too_long_fails_without_being_started(path: Path) -> None:
    database = SqliteDatabase(path, read_s=0.1)

    reads = [asyncio.create_task(database.snapshot([(_ENDLESS, {})], scan=True)) for _ in range(5)]
    ended = await asyncio.gather(*reads, return_exceptions=True)

    assert {type(end) for end in ended} == {QueryTooSlow}
    assert sum("other slow queries" in str(end) for end in ended) >= 3
    await database.close()


async def test_a_pool_limits_how_many_reads_wait(path: Path) -> None:
    database = SqliteDatabase(path, read_s=0.1)

    reads = [database.snapshot([(_ENDLESS, {})], scan=True) for _ in range(MAX_WAITING + 10)]
    ended = await asyncio.gather(*reads, return_exceptions=True)

    assert sum("waiting already" in str(end) for end in ended) == 10
    await database.close()


async def test_counting_everything_again_costs_no_count(
    database: SqliteDatabase, store: SqlStore, clock: SteerableClock
) -> None:
    await store_posts(database, clock, some_posts(10))
    assert await store.count(POSTS, Filter()) == 10
    async with database.write() as session:
        await session.run(text("DELETE FROM d_posts"), {})  # without the store noticing

    assert await store.count(POSTS, Filter()) == 10
    await store_posts(database, clock, some_posts(3), job_id="next")
    assert await store.count(POSTS, Filter()) == 3


# ---------------------------------------------------------------- the file is gone


@pytest.mark.parametrize("gone", ["moved", "replaced", "deleted"])
async def test_a_file_without_its_name_is_not_written_to(
    database: SqliteDatabase, path: Path, gone: str
) -> None:
    bump = text("UPDATE datasets SET seq = 99")
    async with database.write() as session:
        await session.run(bump, {})
    aside = path.with_suffix(".aside")
    path.rename(aside)
    if gone == "replaced":
        path.write_bytes(aside.read_bytes())

    with pytest.raises(StoreUnavailable, match="moved, replaced or deleted"):
        await database.check()
    for durable in (True, False):
        with pytest.raises(StoreUnavailable, match="moved, replaced or deleted"):
            async with database.write(durable):
                pass
    with pytest.raises(StoreUnavailable):
        async with database.session() as session, session.transaction():
            pass

    assert path.exists() is (gone == "replaced"), "no empty one is made in its place"
    aside.rename(path)
    await database.check()
    async with database.write() as session:
        await session.run(bump, {})


async def test_a_write_into_a_file_that_loses_its_name_meanwhile_is_not_acknowledged(
    database: SqliteDatabase, path: Path
) -> None:
    await database.check()

    with pytest.raises(StoreUnavailable, match="moved, replaced or deleted"):
        async with database.write() as session:
            await session.run(text("UPDATE datasets SET seq = 99"), {})
            path.rename(path.with_suffix(".aside"))
