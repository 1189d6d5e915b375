"""SQLite: the driver on its own threads, one writer at a time, read-only readers."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from sqlalchemy import Table
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite

from adapters.sql.engine.database import (
    READ_S,
    BoundStatement,
    Compiler,
    Database,
    Row,
    SqlQuery,
    SqlSession,
    Turns,
)
from adapters.sql.engine.sqlite.connections import (
    InlineReader,
    ReaderPool,
    SqliteSession,
    connect,
    translation,
)
from application.ports.operations import Connections, PoolUsage, Probe
from application.ports.system import Clock
from domain.errors import StoreError, StoreUnavailable
from domain.times import to_micros

READERS = 2


def sqlite_compiler() -> Compiler:
    """Return a compiler of statements for SQLite."""
    return Compiler(SQLiteDialect_pysqlite(paramstyle="qmark"))


class SqliteDatabase(Database, Probe, Connections):
    """One SQLite file; a read that takes longer than `read_s` is stopped."""

    engine = "sqlite"

    def __init__(self, path: Path, read_s: float = READ_S) -> None:
        self.path = path
        self._compiler = sqlite_compiler()
        self._lock = Turns(1)
        self._durable = SqliteSession(path, self._compiler, self._lock)
        self._quick = SqliteSession(path, self._compiler, self._lock, durable=False)
        self._reads = ReaderPool(path, READERS, "read", read_s)
        self._scans = ReaderPool(path, 1, "scan", read_s)
        self._inline = InlineReader(path)
        # Never writes, so that its `data_version` counts every commit.
        self._watcher: sqlite3.Connection | None = None
        self._version: int | None = None

    async def snapshot(
        self,
        queries: Sequence[SqlQuery],
        scan: bool = False,
        short: bool = False,
        table: Table | None = None,
    ) -> list[list[Row]]:
        """Return the rows of several queries in one snapshot; short ones are read inline."""
        bound = self._compiler.bound(queries)
        if short:
            self._version = None  # a version compared afterwards must be read after this
            if (found := self._inline.read(bound)) is not None:
                return found
        return await (self._scans if scan else self._reads).snapshot(bound)

    @asynccontextmanager
    async def write(self, durable: bool = True) -> AsyncIterator[SqlSession]:
        """Begin a write transaction."""
        session = self._durable if durable else self._quick
        async with session.transaction():
            yield session

    @asynccontextmanager
    async def session(self) -> AsyncIterator[SqliteSession]:
        """Open a connection for temporary tables."""
        session = SqliteSession(self.path, self._compiler, self._lock)
        try:
            yield session
        finally:
            await session.close()

    @asynccontextmanager
    async def migration(self) -> AsyncIterator[SqlSession]:
        """Begin the transaction that creates or changes tables; create the file if needed."""
        try:
            await asyncio.to_thread(self._make)
        except OSError as error:
            raise StoreUnavailable(f"{self.path} cannot be made ({error.strerror})") from error
        async with self.session() as session:
            await session.write_ahead()
            async with session.transaction():
                yield session

    async def distrust(self, session: SqlSession) -> None:
        """Do nothing: a version read here is never older than a read after it."""

    def _make(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        # Password hashes are in it; SQLite gives its journal files the same mode.
        self.path.touch(mode=0o600)

    def now(self, clock: Clock) -> int:
        """Return the clock's time: SQLite's own has only milliseconds."""
        return to_micros(clock.now())

    @property
    def works(self) -> str:
        """The status text of a healthy database."""
        return "connected"

    async def check(self) -> None:
        """Return if the database can be read; raise StoreUnavailable with the reason if not."""
        try:
            await self._reads.snapshot([BoundStatement("SELECT name FROM datasets LIMIT 1", [])])
        except StoreError:
            raise
        except sqlite3.Error as error:
            raise StoreUnavailable(
                "the database is not migrated; run: catchment migrate"
            ) from error

    def pools(self) -> list[PoolUsage]:
        """Return the present use of each pool; there is one writer at a time."""
        return [self._reads.usage, self._scans.usage, self._lock.usage("write")]

    def version(self) -> int:
        """Return SQLite's count of the commits of other connections, read without waiting.

        It is read once for all requests that have arrived by now: the event loop serves those
        before it forgets the number, and any later ones after it.
        """
        if self._version is None:
            self._version = self._read_version()
            asyncio.get_running_loop().call_soon(self._forget_version)
        return self._version

    def _forget_version(self) -> None:
        self._version = None

    def _read_version(self) -> int:
        if self._watcher is None:
            self._watcher = connect(self.path, read_only=True)
        try:
            [version] = self._watcher.execute("PRAGMA data_version").fetchone()
        except sqlite3.DatabaseError as error:
            raise translation(error) from error
        return int(version)

    async def close(self) -> None:
        """Close every connection after the writes in progress."""
        if self._watcher is not None:
            self._watcher.close()
        self._inline.close()
        async with self._lock:
            await self._durable.close()
            await self._quick.close()
        await asyncio.to_thread(self._reads.close)
        await asyncio.to_thread(self._scans.close)
