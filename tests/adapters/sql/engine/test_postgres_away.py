"""PostgreSQL that fails, is unreachable or restarts: which error, how soon, and the recovery."""

import asyncio
import socket
import time
from typing import Any
from urllib.parse import urlsplit

import pytest
from sqlalchemy import text

from adapters.memory.system import SteerableClock
from adapters.sql.engine.postgres.database import (
    READERS,
    SCANNERS,
    WRITE_S,
    WRITERS,
    PostgresDatabase,
)
from adapters.sql.engine.postgres.pool import CONNECT_S
from adapters.sql.schema.migrate import migrate
from domain.builtin.posts import POSTS
from domain.errors import StoreError, StoreFull, StoreUnavailable
from tests.adapters.sql.conftest import read, unreachable, until, waits_for_a_lock
from tests.services.postgres import administering, empty_database, user
from tests.services.proxy import proxied

_SEQ = text("SELECT seq FROM datasets")
_MOVE = text("UPDATE datasets SET seq = 99")
_ENDLESS = text("SELECT pg_sleep(1000)")


# ---------------------------------------------------------------- errors


def _raising(state: str) -> Any:
    return text(f"DO $$ BEGIN RAISE SQLSTATE '{state}'; END $$")


@pytest.mark.parametrize(
    ("state", "kind"),
    [
        ("53100", StoreFull),
        ("57014", StoreUnavailable),
        ("08006", StoreUnavailable),
        ("25P03", StoreUnavailable),
        ("40001", StoreUnavailable),
        ("40P01", StoreUnavailable),
        ("42P01", StoreUnavailable),
        ("53200", StoreUnavailable),
        ("53300", StoreUnavailable),
        ("55P03", StoreUnavailable),
        ("57P01", StoreUnavailable),
        ("57P02", StoreUnavailable),
        ("57P03", StoreUnavailable),
        ("58030", StoreUnavailable),
        ("53400", StoreUnavailable),
        ("XX000", StoreUnavailable),
        ("XX001", StoreUnavailable),
    ],
)
async def test_every_error_of_the_server_becomes_a_store_error(
    postgres: PostgresDatabase, state: str, kind: type[StoreError]
) -> None:
    with pytest.raises(kind):
        async with postgres.write() as session:
            await session.run(_raising(state), {})


async def _failure(url: str) -> str:
    database = PostgresDatabase(url)
    with pytest.raises(StoreUnavailable) as failure:
        await database.check()
    await database.close()
    return str(failure.value)


async def test_errors_about_a_wrong_url_hide_its_password(url: str) -> None:
    parts = urlsplit(url)
    async with user(url, "LOGIN CONNECTION LIMIT 0") as crowded, user(url, "NOLOGIN") as locked_out:
        failures = [
            await _failure(locked_out),
            await _failure(crowded),
            await _failure(parts._replace(path="/no_such_database").geturl()),
            await _failure(f"{url}{'&' if parts.query else '?'}colour=blue"),
            await _failure("postgresql://u:hunter2@h:port/d"),
        ]

    assert ["user or the password" in failures[0], "no more connections" in failures[1]] == [
        True
    ] * 2
    assert ["does not exist" in failures[2], "a setting in its URL" in failures[3]] == [True] * 2
    assert "cannot be understood" in failures[4]
    assert "hunter2" not in " ".join(failures)


async def test_a_database_that_was_never_migrated_is_not_ready() -> None:
    async with empty_database() as url:
        assert "catchment migrate" in await _failure(url)


async def _every_call(database: PostgresDatabase) -> list[Any]:
    async def write() -> None:
        async with database.write():
            pass

    async def stage() -> None:
        async with database.session():
            pass

    calls = [
        *(read(database, "SELECT 1") for _ in range(50)),
        *(read(database, "SELECT 1", scan=True) for _ in range(50)),
        *(write() for _ in range(50)),
        stage(),
        database.check(),
        migrate(database, [POSTS]),
    ]
    return await asyncio.gather(*calls, return_exceptions=True)


async def test_a_server_that_refuses_connections_fails_every_call_at_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as reserved:
        port = reserved.getsockname()[1]
    database = PostgresDatabase(f"postgresql://u:p@127.0.0.1:{port}/d")

    began = time.monotonic()
    ended = await _every_call(database)

    assert time.monotonic() - began < CONNECT_S
    assert {type(end) for end in ended} == {StoreUnavailable}
    await database.close()


async def test_a_silent_server_fails_every_call_soon() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=500) as silent:
        port = silent.getsockname()[1]
        database = PostgresDatabase(f"postgresql://u:p@127.0.0.1:{port}/d")

        began = time.monotonic()
        ended = await _every_call(database)

        assert time.monotonic() - began < CONNECT_S + 1
        assert {type(end) for end in ended} == {StoreUnavailable}
        await database.close()


async def test_a_database_that_is_back_is_used_at_once(
    postgres: PostgresDatabase, url: str
) -> None:
    assert await read(postgres, "SELECT 1") == 1

    async with unreachable(url):
        assert {type(end) for end in await _every_call(postgres)} == {StoreUnavailable}

    assert not [end for end in await _every_call(postgres) if isinstance(end, Exception)]


# ---------------------------------------------------------------- lost connections


_END_ALL = (
    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
)


async def test_reads_do_not_notice_that_the_server_was_restarted(
    postgres: PostgresDatabase, url: str
) -> None:
    for scan, count in ((False, READERS), (True, SCANNERS)):
        reads = [read(postgres, "SELECT pg_sleep(0.01)", scan) for _ in range(count)]
        await asyncio.gather(*reads)

    async with administering(url) as other:
        for scan in (False, True):
            assert await other.fetchval(_END_ALL) > 0
            reads = [read(postgres, "SELECT 1", scan) for _ in range(20)]
            assert await asyncio.gather(*reads) == [1] * 20


async def test_a_read_that_loses_its_connection_is_made_once_more(
    postgres: PostgresDatabase, url: str
) -> None:
    async with administering(url) as other:
        await other.execute("SELECT pg_advisory_lock(1)")
        statement = "SELECT pg_advisory_lock_shared(1)"
        reading = asyncio.create_task(read(postgres, statement, scan=True))
        await until(lambda: waits_for_a_lock(other))

        await other.execute(_END_ALL)
        await other.execute("SELECT pg_advisory_unlock(1)")

        await reading


async def test_a_write_that_loses_its_connection_is_not_made_again(
    postgres: PostgresDatabase, url: str
) -> None:
    async with administering(url) as other:
        with pytest.raises(StoreUnavailable):
            async with postgres.write() as session:
                await session.run(_MOVE, {})
                await other.execute(_END_ALL)
                await session.run(text("UPDATE datasets SET seq = seq + 1"), {})

    assert await read(postgres, "SELECT seq FROM datasets") == 0
    async with postgres.write() as session:
        await session.run(_MOVE, {})
    assert await read(postgres, "SELECT seq FROM datasets") == 99


async def test_many_writers_take_turns(postgres: PostgresDatabase, url: str) -> None:
    async def write() -> None:
        async with postgres.write() as session:
            await session.run(text("UPDATE datasets SET seq = seq + 1"), {})

    await asyncio.gather(*(write() for _ in range(50)))

    assert await read(postgres, "SELECT seq FROM datasets") == 50
    async with administering(url) as other:
        opened = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        assert await other.fetchval(opened) <= WRITERS + 2


async def test_time_is_the_databases_own_unless_that_is_switched_off(
    postgres: PostgresDatabase, url: str
) -> None:
    steered = PostgresDatabase(url, own_time=False)
    clock = SteerableClock()

    assert postgres.now(clock) is None
    assert steered.now(clock) == int(clock.now().timestamp() * 1_000_000)
    await steered.close()


async def test_a_write_to_a_server_that_hangs_fails_and_ends_its_connection() -> None:
    async with empty_database() as url, proxied(url) as (proxy, through):
        database = PostgresDatabase(through)
        await migrate(database, [POSTS])
        async with database.write() as session:
            await session.run(_MOVE, {})
        proxy.stall()

        with pytest.raises(StoreUnavailable):
            async with asyncio.timeout(WRITE_S + 1), database.write() as session:
                await session.run(_MOVE, {})

        async with asyncio.timeout(20):
            await database.close()
