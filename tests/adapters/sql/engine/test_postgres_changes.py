"""How PostgreSQL tells of changes: at once of our own, soon of others', and never too few."""

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
from tests.adapters.sql.conftest import bring, out_of_reach, some_posts, until, waits_for_a_lock
from tests.services.postgres import administering

_LISTENERS = "query LIKE 'SELECT pg_try_advisory_lock%'"


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


def _stands_still(database: PostgresDatabase | Listener) -> bool:
    return len({database.version() for _ in range(3)}) == 1


async def _is_deaf(database: PostgresDatabase | Listener) -> None:
    async def is_deaf() -> bool:
        return not _stands_still(database)

    await until(is_deaf)


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
    store = SqlStore(postgres)
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

    async with out_of_reach(url, _LISTENERS):
        await _is_deaf(postgres)
        away = [postgres.version() for _ in range(3)]
    await asyncio.wait_for(postgres.listening(), 5)

    back = postgres.version()
    assert len({before, *away, back}) == 5
    assert _stands_still(postgres)


async def test_what_changed_while_the_connection_was_lost_is_not_missed(
    postgres: PostgresDatabase, other: PostgresDatabase, url: str, clock: SteerableClock
) -> None:
    await postgres.listening()
    store = SqlStore(postgres)
    async with other.session() as session:  # connected before nobody else can be
        assert (await store.freshness(POSTS)).seq == 0

        async with out_of_reach(url, _LISTENERS):
            await _is_deaf(postgres)
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
            f" WHERE datname = current_database() AND {_LISTENERS}"
        )
    assert listening == 0


# ---------------------------------------------------------------- tables that are built anew


class _Renamed(msgspec.Struct, frozen=True):
    """A post whose user is a text."""

    id: int
    user_id: str


_CHANGED = Dataset(name="posts", record=_Renamed, key=("id",))


@pytest.fixture
async def as_before(url: str) -> AsyncIterator[None]:
    """Leave the table of the posts as others expect it."""
    yield
    database = PostgresDatabase(url)
    await SqlTables(database).prepare([POSTS])
    await database.close()


@pytest.mark.usefixtures("as_before")
async def test_a_table_is_built_anew_once_nobody_relies_on_a_version(
    postgres: PostgresDatabase, other: PostgresDatabase, url: str
) -> None:
    await postgres.listening()
    async with administering(url) as slow, administering(url) as onlooker:
        await slow.execute(f"SELECT pg_advisory_lock_shared({TRUST_LOCK})")

        preparing = asyncio.create_task(SqlTables(other).prepare([_CHANGED]))
        await until(lambda: waits_for_a_lock(onlooker))
        await _is_deaf(postgres)
        assert not preparing.done()
        assert (await SqlStore(postgres).freshness(POSTS)).seq == 0

        await slow.execute(f"SELECT pg_advisory_unlock_shared({TRUST_LOCK})")
        await preparing
    await asyncio.wait_for(postgres.listening(), 5)

    assert _stands_still(postgres)
    assert (await SqlStore(postgres).freshness(_CHANGED)).seq == 1


@pytest.mark.usefixtures("as_before")
async def test_a_column_is_added_without_waiting_for_anybody(
    postgres: PostgresDatabase, url: str
) -> None:
    wider = msgspec.defstruct("Wider", [*POSTS.record.__annotations__.items(), ("note", str)])
    added = Dataset(name="posts", record=wider, key=POSTS.key, indexes=POSTS.indexes)
    async with administering(url) as slow:
        await slow.execute(f"SELECT pg_advisory_lock_shared({TRUST_LOCK})")

        await asyncio.wait_for(SqlTables(postgres).prepare([added]), 5)

    assert (await SqlStore(postgres).freshness(added)).seq == 1


@pytest.mark.usefixtures("as_before")
async def test_a_reader_that_waited_for_a_table_being_built_anew_is_refused(
    postgres: PostgresDatabase, url: str
) -> None:
    layout = SqlDataset.of(_CHANGED).layout_text
    request = PageRequest(sort=Sort.parse(POSTS, "id"))
    async with administering(url) as owner, administering(url) as onlooker:
        await owner.execute(
            "BEGIN; ALTER TABLE d_posts RENAME TO old; CREATE TABLE d_posts (LIKE old)"
        )
        await owner.execute("UPDATE datasets SET layout = $1 WHERE name = 'posts'", layout)

        reading = asyncio.create_task(SqlStore(postgres).find(POSTS, request))
        await until(lambda: waits_for_a_lock(onlooker))
        await owner.execute("COMMIT")

        with pytest.raises(StoreUnavailable, match="have been changed"):
            await reading
        await owner.execute("DROP TABLE d_posts; ALTER TABLE old RENAME TO d_posts")


# ---------------------------------------------------------------- lines that fall silent


async def _pump(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, flows: asyncio.Event
) -> None:
    try:
        while data := await reader.read(65536):
            await flows.wait()
            writer.write(data)
    except ConnectionError:
        pass  # one end is gone, and the other shall be told
    finally:
        writer.transport.abort()


@asynccontextmanager
async def _line(url: str) -> AsyncIterator[tuple[str, asyncio.Event]]:
    """A way to the server on which, when the event is cleared, nothing comes through any more."""
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
    async with _line(url) as (through, flows):
        connector = Connector(through)
        listener = Listener(lambda: connector.connect(time.monotonic(), {}), lost.set, 0.05)
        await listener.hearing()
        assert _stands_still(listener)

        flows.clear()
        await asyncio.wait_for(lost.wait(), 5)
        assert not _stands_still(listener)

        flows.set()
        await asyncio.wait_for(listener.hearing(), 5)
        await listener.close()
