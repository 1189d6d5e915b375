"""PostgreSQL: settings of connections, transactions, slow queries, cancelled reads."""

import asyncio
from typing import Any

import asyncpg
import pytest
from sqlalchemy import text

from adapters.sql.engine.database import MAX_WAITING
from adapters.sql.engine.postgres.database import READERS, SCANNERS, PostgresDatabase
from domain.errors import QueryTooSlow, StoreUnavailable
from tests.adapters.sql.conftest import read, until, waits_for_a_lock
from tests.services.postgres import administering

_SEQ = text("SELECT seq FROM datasets")
_MOVE = text("UPDATE datasets SET seq = 99")
_ENDLESS = text("SELECT pg_sleep(1000)")


# ---------------------------------------------------------------- settings of connections


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("application_name", "catchment"),
        ("jit", "off"),
        ("statement_timeout", "5s"),
        ("default_transaction_read_only", "on"),
        ("idle_in_transaction_session_timeout", "30s"),
    ],
)
async def test_every_reader_has_its_limits(
    postgres: PostgresDatabase, setting: str, expected: str
) -> None:
    assert await read(postgres, f"SHOW {setting}") == expected


async def test_a_slow_query_takes_one_core_alone(postgres: PostgresDatabase) -> None:
    workers = "SHOW max_parallel_workers_per_gather"

    assert await read(postgres, workers, scan=True) == "0"
    assert await read(postgres, workers) != "0"


async def test_every_writer_has_its_limits(postgres: PostgresDatabase) -> None:
    async with postgres.write() as session:
        waits = await session.rows(text("SHOW lock_timeout"), {})
        durable = await session.rows(text("SHOW synchronous_commit"), {})
    async with postgres.write(durable=False) as session:
        not_durable = await session.rows(text("SHOW synchronous_commit"), {})

    # Databases for tests do not wait for the disk at all.
    assert (waits, durable, not_durable) == ([("10s",)], [("off",)], [("off",)])


async def test_a_reader_cannot_write(postgres: PostgresDatabase) -> None:
    with pytest.raises(StoreUnavailable, match="takes no writes"):
        await read(postgres, "UPDATE datasets SET seq = 99 RETURNING seq")


# ---------------------------------------------------------------- transactions


async def test_a_transaction_that_raises_leaves_nothing_behind(postgres: PostgresDatabase) -> None:
    with pytest.raises(RuntimeError):
        async with postgres.write() as session:
            await session.run(_MOVE, {})
            raise RuntimeError

    assert await read(postgres, "SELECT seq FROM datasets") == 0


async def test_a_cancelled_transaction_leaves_nothing_and_holds_no_lock(
    postgres: PostgresDatabase,
) -> None:
    inside = asyncio.Event()

    async def write() -> None:
        async with postgres.write() as session:
            await session.run(_MOVE, {})
            inside.set()
            await asyncio.Event().wait()

    writing = asyncio.create_task(write())
    await inside.wait()
    writing.cancel()
    await asyncio.wait([writing])

    async with postgres.write() as session:
        assert await session.rows(text("SELECT seq FROM datasets FOR UPDATE"), {}) == [(0,)]


async def test_an_ignored_error_prevents_the_commit(postgres: PostgresDatabase) -> None:
    with pytest.raises(StoreUnavailable, match="did not commit"):
        async with postgres.write() as session:
            await session.run(_MOVE, {})
            with pytest.raises(asyncpg.DivisionByZeroError):
                await session.run(text("SELECT 1 / 0"), {})

    assert await read(postgres, "SELECT seq FROM datasets") == 0


async def test_several_queries_share_one_snapshot(postgres: PostgresDatabase, url: str) -> None:
    async with administering(url) as other:
        # The first query waits until the other connection has committed.
        await other.execute("SELECT pg_advisory_lock(1)")
        waiting = text("SELECT pg_advisory_lock_shared(1)")
        reading = asyncio.create_task(
            postgres.snapshot([(_SEQ, {}), (waiting, {}), (_SEQ, {})], scan=True)
        )
        await until(lambda: waits_for_a_lock(other))
        await other.execute("UPDATE datasets SET seq = 7; SELECT pg_advisory_unlock(1)")

        before, _, after = await reading

    assert (before, after) == ([(0,)], [(0,)])
    assert await read(postgres, "SELECT seq FROM datasets") == 7


# ---------------------------------------------------------------- slow queries


async def test_a_query_that_takes_too_long_is_stopped_at_the_server_too(url: str) -> None:
    database = PostgresDatabase(url, read_s=0.1)

    with pytest.raises(QueryTooSlow):
        await read(database, _ENDLESS.text, scan=True)

    async with administering(url) as other:
        await until(lambda: _nothing_runs(other))
    assert await read(database, "SELECT 1", scan=True) == 1
    await database.close()


async def _nothing_runs(other: Any) -> bool:
    running = await other.fetchval(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        " AND state = 'active' AND pid <> pg_backend_pid()"
    )
    return not running


async def test_a_slow_query_does_not_hold_up_the_fast_ones(url: str) -> None:
    database = PostgresDatabase(url, read_s=0.5)

    slow = [asyncio.create_task(read(database, _ENDLESS.text, scan=True)) for _ in range(4)]
    for _ in range(20):
        assert await read(database, "SELECT 1") == 1

    assert not any(task.done() for task in slow)
    ended = await asyncio.gather(*slow, return_exceptions=True)
    assert {type(end) for end in ended} == {QueryTooSlow}
    await database.close()


async def test_a_read_that_waited_too_long_fails_without_being_started(url: str) -> None:
    database = PostgresDatabase(url, read_s=0.1)

    reads = [asyncio.create_task(read(database, _ENDLESS.text, scan=True)) for _ in range(9)]
    ended = await asyncio.gather(*reads, return_exceptions=True)

    assert {type(end) for end in ended} == {QueryTooSlow}
    assert sum("other slow queries" in str(end) for end in ended) >= 9 - 2 * SCANNERS
    await database.close()


async def test_a_pool_limits_how_many_reads_wait(url: str) -> None:
    database = PostgresDatabase(url, read_s=0.2)

    reads = [read(database, _ENDLESS.text, scan=True) for _ in range(MAX_WAITING + 10)]
    ended = await asyncio.gather(*reads, return_exceptions=True)

    assert sum("waiting already" in str(end) for end in ended) == 10
    await database.close()


async def test_cancelled_reads_leave_every_connection_usable(
    postgres: PostgresDatabase, url: str
) -> None:
    several = [(_SEQ, {}), (_ENDLESS, {})]
    for scan in (False, True):
        reads = [asyncio.create_task(postgres.snapshot(several, scan)) for _ in range(250)]
        async with administering(url) as other:
            await until(lambda: _sleeps(other))
        for reading in reads:
            reading.cancel()
        await asyncio.wait(reads)

        again = [read(postgres, "SELECT 1", scan) for _ in range(50)]
        assert await asyncio.gather(*again) == [1] * 50

    async with administering(url) as other:
        opened = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'catchment'"
        mine = await other.fetchval(f"{opened} AND datname = current_database()")
    assert mine <= READERS + SCANNERS


async def _sleeps(other: Any) -> bool:
    return bool(
        await other.fetchval(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE datname = current_database() AND wait_event = 'PgSleep'"
        )
    )
