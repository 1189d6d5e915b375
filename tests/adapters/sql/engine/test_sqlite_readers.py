"""Reads of SQLite: short ones run inline, others never block the event loop."""

import asyncio
import math
import sqlite3
from contextlib import suppress
from pathlib import Path

from msgspec.structs import replace
from sqlalchemy import text

from adapters.memory.system import SteerableClock
from adapters.sql.datasets.store import SqlStore
from adapters.sql.engine.database import BoundStatement
from adapters.sql.engine.sqlite.connections import InlineReader, _Reader, connect
from adapters.sql.engine.sqlite.database import SqliteDatabase
from domain.builtin.posts import POSTS
from domain.paging import PageRequest, Sort
from tests.adapters.sql.conftest import some_posts, store_posts

_LONG = (
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000)"
    " SELECT count(*) FROM n"
)
_TWO = [BoundStatement("SELECT 1", []), BoundStatement("SELECT 2", [])]


async def test_a_short_read_never_waits(database: SqliteDatabase) -> None:
    reading = database.snapshot([(text("SELECT 1"), {}), (text("SELECT 2"), {})], short=True)

    with suppress(StopIteration):
        reading.send(None)
        raise AssertionError("the read waited")
    reading.close()


async def test_a_read_that_turns_out_long_is_handed_to_a_thread(
    path: Path, database: SqliteDatabase
) -> None:
    reader = InlineReader(path)

    found = reader.read([BoundStatement(_LONG, [])])
    answer = await database.snapshot([(text(_LONG), {})], short=True)
    reader.close()

    assert found is None
    assert answer == [[(1_000_000,)]]


async def test_a_read_does_not_wait_for_a_writer(path: Path, database: SqliteDatabase) -> None:
    other = connect(path)
    other.execute("BEGIN EXCLUSIVE")
    other.execute("UPDATE datasets SET seq = 99")

    seen = await database.snapshot([(text("SELECT seq FROM datasets"), {})], short=True)
    other.execute("ROLLBACK")
    other.close()

    assert seen == [[(0,)]]


def test_a_reader_that_was_aborted_at_any_point_reads_on(path: Path) -> None:
    reader = _Reader(path)

    # SQLite checks the time after so many steps of a statement, counted over all of its runs.
    for _ in range(5000):
        with suppress(sqlite3.OperationalError):
            reader.answers(_TWO, -math.inf)

    assert reader.answers(_TWO, math.inf) == [[(1,)], [(2,)]]
    reader.connection.close()


def test_a_query_is_left_out_when_enough_was_found_before(path: Path) -> None:
    reader = _Reader(path)

    full = reader.answers(
        [BoundStatement("SELECT 1", [], 1), BoundStatement("SELECT 2", [], 1), *_TWO], math.inf
    )
    not_full = reader.answers(
        [BoundStatement("SELECT 1", [], 2), BoundStatement("SELECT 2", [], 2)], math.inf
    )
    reader.connection.close()

    assert full == [[(1,)], [], [(1,)], [(2,)]]
    assert not_full == [[(1,)], [(2,)]]


# ---------------------------------------------------------------- versions


async def test_requests_that_have_arrived_share_one_version(
    path: Path, database: SqliteDatabase
) -> None:
    other = connect(path)
    before = database.version()

    other.execute("UPDATE datasets SET seq = 99")
    now = database.version()
    await asyncio.sleep(0)
    later = database.version()
    other.close()

    assert before == now != later


async def test_a_page_and_its_freshness_share_one_snapshot(
    path: Path, database: SqliteDatabase, store: SqlStore, clock: SteerableClock
) -> None:
    await store_posts(database, clock, some_posts(10))
    request = PageRequest(sort=Sort.parse(POSTS, "id"))
    await store.find(POSTS, request)
    other = connect(path)

    database.version()
    other.execute("BEGIN IMMEDIATE")
    other.execute("UPDATE datasets SET seq = 99 WHERE name = 'posts'")
    other.execute("DELETE FROM d_posts WHERE id = 1")
    other.execute("COMMIT")
    page = await store.find(POSTS, replace(request, limit=1))
    other.close()

    assert (page.freshness.seq, page.rows[0].id) == (99, 2)
