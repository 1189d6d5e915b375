"""How PostgreSQL tells of changes: at once of our own, soon of others', and never too few."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest
from sqlalchemy import text

from adapters.memory.clock import SteerableClock
from adapters.sql.postgres import PostgresDatabase
from adapters.sql.store import SqlStore
from domain.filters import Filter
from domain.posts import POSTS
from tests.adapters.sql.conftest import bring, some_posts, until
from tests.services.postgres import administering, server_url

_END_LISTENERS = (
    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
    " WHERE datname = $1 AND query LIKE 'LISTEN%'"
)


@pytest.fixture
async def other(url: str) -> AsyncIterator[PostgresDatabase]:
    """The same database, opened by another process."""
    other = PostgresDatabase(url)
    yield other
    await other.close()


async def _heard(database: PostgresDatabase, before: int) -> None:
    async def has_moved() -> bool:
        return database.version() != before

    await until(has_moved)


def _stands_still(database: PostgresDatabase) -> bool:
    return len({database.version() for _ in range(3)}) == 1


@asynccontextmanager
async def _out_of_reach(database: PostgresDatabase, url: str) -> AsyncIterator[None]:
    """Nobody can connect to the database, and those who listened to it have been thrown out."""
    name = urlsplit(url).path.removeprefix("/")
    async with administering(server_url()) as owner:
        await owner.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        try:
            assert await owner.fetchval(_END_LISTENERS, name) == 1

            async def is_deaf() -> bool:
                return not _stands_still(database)

            await until(is_deaf)
            yield
        finally:
            await owner.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")


async def test_while_nobody_listens_every_version_is_new(postgres: PostgresDatabase) -> None:
    versions = [postgres.version() for _ in range(5)]

    await asyncio.wait_for(postgres.listening(), 5)

    assert len({*versions, postgres.version()}) == 6
    assert _stands_still(postgres)


async def test_own_changes_count_at_once(postgres: PostgresDatabase, clock: SteerableClock) -> None:
    await postgres.listening()
    before = postgres.version()

    async with postgres.write() as session:
        await session.note_change()
        during = postgres.version()

    assert during == before
    assert postgres.version() != before


async def test_a_write_that_notes_no_change_moves_nothing(postgres: PostgresDatabase) -> None:
    await postgres.listening()
    before = postgres.version()

    async with postgres.write() as session:
        await session.run(text("UPDATE datasets SET seq = seq"), {})

    assert postgres.version() == before


async def test_the_changes_of_another_process_are_heard(
    postgres: PostgresDatabase, other: PostgresDatabase, clock: SteerableClock
) -> None:
    await postgres.listening()
    store = SqlStore(postgres, clock)
    assert await store.count(POSTS, Filter()) == 0
    before = postgres.version()

    await bring(other, clock, some_posts(3))
    await _heard(postgres, before)

    assert await store.count(POSTS, Filter()) == 3


async def test_what_was_undone_is_not_told(
    postgres: PostgresDatabase, other: PostgresDatabase
) -> None:
    await asyncio.gather(postgres.listening(), other.listening())
    before = postgres.version()

    with pytest.raises(ZeroDivisionError):
        async with other.write() as session:
            await session.note_change()
            raise ZeroDivisionError
    async with other.write() as session:
        await session.note_change()
    await _heard(postgres, before)

    assert postgres.version() == before + 1


async def test_while_the_connection_is_lost_nothing_kept_is_used(
    postgres: PostgresDatabase, url: str
) -> None:
    await postgres.listening()
    before = postgres.version()

    async with _out_of_reach(postgres, url):
        away = [postgres.version() for _ in range(3)]
    await asyncio.wait_for(postgres.listening(), 5)

    back = postgres.version()
    assert len({before, *away, back}) == 5
    assert _stands_still(postgres)


async def test_what_changed_while_the_connection_was_lost_is_not_missed(
    postgres: PostgresDatabase, other: PostgresDatabase, url: str, clock: SteerableClock
) -> None:
    await postgres.listening()
    store = SqlStore(postgres, clock)
    async with other.session() as session:  # connected before nobody else can be
        assert (await store.freshness(POSTS)).seq == 0

        async with _out_of_reach(postgres, url):
            await session.run(text("UPDATE datasets SET seq = 7"), {})
        await asyncio.wait_for(postgres.listening(), 5)

    assert (await store.freshness(POSTS)).seq == 7


async def test_a_database_nobody_asked_for_changes_opens_no_connection_for_them(
    postgres: PostgresDatabase, url: str
) -> None:
    await postgres.check()

    async with administering(url) as owner:
        listening: Any = await owner.fetchval(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE datname = current_database() AND query LIKE 'LISTEN%'"
        )
    assert listening == 0
