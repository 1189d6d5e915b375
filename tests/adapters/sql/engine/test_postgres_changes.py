"""Changes in PostgreSQL: our own are seen at once, others' soon, and none is missed."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msgspec
import pytest
from sqlalchemy import text

from adapters.memory.system import SteerableClock
from adapters.sql.datasets.store import SqlStore
from adapters.sql.engine.postgres.database import PostgresDatabase
from adapters.sql.engine.postgres.listen import TRUST_LOCK, Listener
from adapters.sql.engine.postgres.pool import Connector
from adapters.sql.schema.migrate import SqlTables
from adapters.sql.schema.sql_dataset import SqlDataset
from domain.builtin.posts import POSTS
from domain.dataset import Dataset
from domain.errors import StoreUnavailable
from domain.filters import Filter
from domain.paging import PageRequest, Sort
from tests.adapters.sql.conftest import (
    some_posts,
    store_posts,
    unreachable,
    until,
    waits_for_a_lock,
)
from tests.services.postgres import administering

_LISTENERS = "query LIKE 'SELECT pg_try_advisory_lock%'"


@pytest.fixture
async def other(url: str) -> AsyncIterator[PostgresDatabase]:
    """Open the same database as another process would."""
    other = PostgresDatabase(url)
    yield other
    await other.close()


async def _wait_for_change(database: PostgresDatabase, before: int) -> None:
    async def has_changed() -> bool:
        return database.version() != before

    await until(has_changed)


def _is_stable(database: PostgresDatabase | Listener) -> bool:
    return len({database.version() for _ in range(3)}) == 1


async def _wait_for_disconnect(database: PostgresDatabase | Listener) -> None:
    async def is_disconnected() -> bool:
        return not _is_stable(database)

    await until(is_disconnected)


async def test_without_a_connection_every_version_is_new(postgres: PostgresDatabase) -> None:
    versions = [postgres.version() for _ in range(5)]

    await asyncio.wait_for(postgres.listening(), 5)

    assert len({*versions, postgres.version()}) == 6
    assert _is_stable(postgres)


async def test_own_changes_count_at_once(postgres: PostgresDatabase, clock: SteerableClock) -> None:
    await postgres.listening()
    before = postgres.version()

    async with postgres.write() as session:
        await session.note_change()
        during = postgres.version()

    assert during == before
    assert postgres.version() != before


async def test_a_write_that_notes_no_change_leaves_the_version(postgres: PostgresDatabase) -> None:
    await postgres.listening()
    before = postgres.version()

    async with postgres.write() as session:
        await session.run(text("UPDATE datasets SET seq = seq"), {})

    assert postgres.version() == before


async def test_the_changes_of_another_process_are_wait_for_change(
    postgres: PostgresDatabase, other: PostgresDatabase, clock: SteerableClock
) -> None:
    await postgres.listening()
    store = SqlStore(postgres)
    assert await store.count(POSTS, Filter()) == 0
    before = postgres.version()

    await store_posts(other, clock, some_posts(3))
    await _wait_for_change(postgres, before)

    assert await store.count(POSTS, Filter()) == 3


async def test_a_rolled_back_change_is_not_notified(
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
    await _wait_for_change(postgres, before)

    assert postgres.version() == before + 1


async def test_while_the_connection_is_lost_no_cache_is_used(
    postgres: PostgresDatabase, url: str
) -> None:
    await postgres.listening()
    before = postgres.version()

    async with unreachable(url, _LISTENERS):
        await _wait_for_disconnect(postgres)
        away = [postgres.version() for _ in range(3)]
    await asyncio.wait_for(postgres.listening(), 5)

    back = postgres.version()
    assert len({before, *away, back}) == 5
    assert _is_stable(postgres)


async def test_a_change_while_the_connection_was_lost_is_not_missed(
    postgres: PostgresDatabase, other: PostgresDatabase, url: str, clock: SteerableClock
) -> None:
    await postgres.listening()
    store = SqlStore(postgres)
    async with other.session() as session:  # connected before connections are refused
        assert (await store.freshness(POSTS)).seq == 0

        async with unreachable(url, _LISTENERS):
            await _wait_for_disconnect(postgres)
            await session.run(text("UPDATE datasets SET seq = 7"), {})
        await asyncio.wait_for(postgres.listening(), 5)

    assert (await store.freshness(POSTS)).seq == 7


async def test_no_connection_listens_until_a_version_is_read(
    postgres: PostgresDatabase, url: str
) -> None:
    await postgres.check()

    async with administering(url) as owner:
        listening: Any = await owner.fetchval(
            "SELECT count(*) FROM pg_stat_activity"
            f" WHERE datname = current_database() AND {_LISTENERS}"
        )
    assert listening == 0


# ---------------------------------------------------------------- rebuilt tables


class _Renamed(msgspec.Struct, frozen=True):
    """A post whose user is a text."""

    id: int
    user_id: str


_CHANGED = Dataset(name="posts", record=_Renamed, key=("id",))


@pytest.fixture
async def restored(url: str) -> AsyncIterator[None]:
    """Restore the table of posts after the test."""
    yield
    database = PostgresDatabase(url)
    await SqlTables(database).prepare([POSTS])
    await database.close()


@pytest.mark.usefixtures("restored")
async def test_a_table_is_rebuilt_once_no_process_relies_on_a_version(
    postgres: PostgresDatabase, other: PostgresDatabase, url: str
) -> None:
    await postgres.listening()
    async with administering(url) as slow, administering(url) as observer:
        await slow.execute(f"SELECT pg_advisory_lock_shared({TRUST_LOCK})")

        preparing = asyncio.create_task(SqlTables(other).prepare([_CHANGED]))
        await until(lambda: waits_for_a_lock(observer))
        await _wait_for_disconnect(postgres)
        assert not preparing.done()
        assert (await SqlStore(postgres).freshness(POSTS)).seq == 0

        await slow.execute(f"SELECT pg_advisory_unlock_shared({TRUST_LOCK})")
        await preparing
    await asyncio.wait_for(postgres.listening(), 5)

    assert _is_stable(postgres)
    assert (await SqlStore(postgres).freshness(_CHANGED)).seq == 1


@pytest.mark.usefixtures("restored")
async def test_a_column_is_added_without_waiting_for_readers(
    postgres: PostgresDatabase, url: str
) -> None:
    wider = msgspec.defstruct("Wider", [*POSTS.record.__annotations__.items(), ("note", str)])
    added = Dataset(name="posts", record=wider, key=POSTS.key, indexes=POSTS.indexes)
    async with administering(url) as slow:
        await slow.execute(f"SELECT pg_advisory_lock_shared({TRUST_LOCK})")

        await asyncio.wait_for(SqlTables(postgres).prepare([added]), 5)

    assert (await SqlStore(postgres).freshness(added)).seq == 1


@pytest.mark.usefixtures("restored")
async def test_a_reader_that_waited_for_a_rebuild_is_refused(
    postgres: PostgresDatabase, url: str
) -> None:
    layout = SqlDataset.of(_CHANGED).layout_text
    request = PageRequest(sort=Sort.parse(POSTS, "id"))
    async with administering(url) as owner, administering(url) as observer:
        await owner.execute(
            "BEGIN; ALTER TABLE d_posts RENAME TO old; CREATE TABLE d_posts (LIKE old)"
        )
        await owner.execute("UPDATE datasets SET layout = $1 WHERE name = 'posts'", layout)

        reading = asyncio.create_task(SqlStore(postgres).find(POSTS, request))
        await until(lambda: waits_for_a_lock(observer))
        await owner.execute("COMMIT")

        with pytest.raises(StoreUnavailable, match="have been changed"):
            await reading
        await owner.execute("DROP TABLE d_posts; ALTER TABLE old RENAME TO d_posts")


# ---------------------------------------------------------------- connections that fall silent


async def _pump(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, flows: asyncio.Event
) -> None:
    try:
        while data := await reader.read(65536):
            await flows.wait()
            writer.write(data)
    except ConnectionError:
        pass  # one end is gone, so the other is closed
    finally:
        writer.transport.abort()


@asynccontextmanager
async def _interruptible(url: str) -> AsyncIterator[tuple[str, asyncio.Event]]:
    """Forward connections to the server as long as the event is set."""
    parts, flows = urlsplit(url), asyncio.Event()
    folder = dict(parse_qsl(parts.query)).get("host")

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if folder:
            answers, server = await asyncio.open_unix_connection(f"{folder}/.s.PGSQL.5432")
        else:
            answers, server = await asyncio.open_connection(parts.hostname, parts.port or 5432)
        await asyncio.gather(_pump(reader, server, flows), _pump(answers, writer, flows))

    flows.set()
    async with await asyncio.start_server(serve, "127.0.0.1", 0) as served:
        port = served.sockets[0].getsockname()[1]
        yield parts._replace(netloc=f"postgres@127.0.0.1:{port}", query="").geturl(), flows
        flows.set()


async def test_a_connection_that_has_fallen_silent_is_noticed(url: str) -> None:
    lost = asyncio.Event()
    async with _interruptible(url) as (through, flows):
        connector = Connector(through)
        listener = Listener(lambda: connector.connect(time.monotonic(), {}), lost.set, 0.05)
        await listener.hearing()
        assert _is_stable(listener)

        flows.clear()
        await asyncio.wait_for(lost.wait(), 5)
        assert not _is_stable(listener)

        flows.set()
        await asyncio.wait_for(listener.hearing(), 5)
        await listener.close()
