"""Databases of the benchmarks, each a SQLite file or a PostgreSQL database, deleted at the end."""

import asyncio
import os
import secrets
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
from sqlalchemy import text

from adapters.sql.engine.database import Database
from adapters.sql.engine.postgres.database import PostgresDatabase
from adapters.sql.engine.sqlite.database import SqliteDatabase
from adapters.sql.schema.migrate import migrate
from domain.tasks import TASKS
from entrypoints.wiring.datasets import SHIPPED
from tests.services.postgres import server_url

ENGINES = ("sqlite", "postgres")

_COLUMNS = (
    "n, (n - 1) / 10 + 1, 'the title of post ' || n, 'quia et suscipit suscipit recusandae"
    " consequuntur expedita et cum reprehenderit molestiae ut ut quas totam nostrum rerum est autem"
    " sunt rem eveniet architecto', 'jsonplaceholder', 1, n, 1, 1764000000000000"
)
_FILL = {
    "sqlite": "WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {count})"
    " INSERT INTO d_posts SELECT {columns} FROM s",
    "postgresql": "INSERT INTO d_posts SELECT {columns} FROM generate_series(1, {count}) n",
}


class Databases:
    """The databases of a run."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._made: list[str] = []

    def make(self, engine: str) -> str:
        """Create an empty database and return its URL."""
        name = f"catchment_bench_{os.getpid()}_{secrets.token_hex(3)}"
        if engine == "sqlite":
            return f"sqlite:///{self._folder / name}.db"
        asyncio.run(_administer(f"CREATE DATABASE {name}"))
        self._made.append(name)
        return urlsplit(server_url())._replace(path=f"/{name}").geturl()

    def drop(self, url: str) -> None:
        """Delete a database."""
        if url.startswith("sqlite"):
            for file in self._folder.glob(f"{file_of(url).name}*"):
                file.unlink()
        else:
            name = urlsplit(url).path.removeprefix("/")
            asyncio.run(_administer(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
            self._made.remove(name)

    def drop_all(self) -> None:
        """Delete the remaining databases."""
        for name in list(self._made):
            self.drop(urlsplit(server_url())._replace(path=f"/{name}").geturl())


def has_postgres() -> bool:
    """Return whether a PostgreSQL server can be reached."""
    try:
        asyncio.run(_administer("SELECT 1"))
    except (OSError, asyncpg.PostgresError, ImportError):
        return False
    return True


def file_of(url: str) -> Path:
    """Return the file of a SQLite database."""
    return Path(url.removeprefix("sqlite:///"))


def fill(url: str, count: int) -> None:
    """Migrate a database and insert so many posts, much faster than by fetching."""

    async def filling(database: Database) -> None:
        await migrate(database, [*(line.dataset for line in SHIPPED), TASKS])
        async with database.session() as session, session.transaction():
            statement = _FILL[database.engine].format(count=count, columns=_COLUMNS)
            await session.run(text(statement), {})
        if database.engine == "postgresql":
            async with database.session() as session:
                await session.run(text("VACUUM ANALYZE d_posts"), {})

    asyncio.run(_with(url, filling))


def run(url: str, *statements: str) -> list[list[tuple[object, ...]]]:
    """Run statements in order and return the rows of each."""

    async def running(database: Database) -> list[list[tuple[object, ...]]]:
        async with database.session() as session:
            return [await session.rows(text(statement), {}) for statement in statements]

    return asyncio.run(_with(url, running))


async def _with(url: str, use: "object") -> "object":
    sqlite = url.startswith("sqlite")
    database = SqliteDatabase(file_of(url)) if sqlite else PostgresDatabase(url)
    try:
        return await use(database)
    finally:
        await database.close()


async def _administer(statement: str) -> None:
    connection = await asyncpg.connect(await asyncio.to_thread(server_url), timeout=5)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
