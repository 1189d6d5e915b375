"""SQLite: one writer at a time, each session on its own thread, and read-only readers."""

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

from sqlalchemy import ClauseElement, Insert, Table
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite

from adapters.sql.engine.database import (
    READ_S,
    BoundStatement,
    Compiler,
    Database,
    Row,
    SqlQuery,
    SqlSession,
    SqlWrite,
    Turns,
    Values,
)
from adapters.sql.engine.sqlite.connections import (
    BUSY_S,
    InlineReader,
    ReaderPool,
    connect,
    translation,
)
from adapters.sql.engine.sqlite.file import DatabaseFile
from application.ports.operations import Connections, PoolUsage, Probe
from application.ports.system import Clock
from domain.errors import StoreError, StoreUnavailable
from domain.times import to_micros

T = TypeVar("T")
READERS = 2

# ---------------------------------------------------------------- writing


class SqliteSession(SqlSession):
    """One connection on its own thread."""

    def __init__(
        self,
        path: Path,
        compiler: Compiler,
        lock: Turns,
        file: DatabaseFile,
        durable: bool = True,
    ) -> None:
        self._file = file
        self._compiler = compiler
        self._lock = lock
        self._connection: sqlite3.Connection | None = None
        self._open: Callable[[], sqlite3.Connection] = lambda: connect(path, durable=durable)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="sqlite-writer")

    async def rows(self, clause: ClauseElement, values: Values) -> list[Row]:
        """Run a statement and return its rows."""
        bound = self._compiler.bind(clause, values)
        return await self._call(lambda c: c.execute(bound.text, bound.values).fetchall())

    async def run(self, clause: ClauseElement, values: Values) -> int:
        """Run a statement and return the number of rows it changed."""
        bound = self._compiler.bind(clause, values)
        return await self._call(lambda c: c.execute(bound.text, bound.values).rowcount)

    async def run_all(self, writes: Sequence[SqlWrite]) -> list[int]:
        """Run statements in order, all in one call to the thread."""
        bound = [self._compiler.bind(*write) for write in writes]
        return await self._call(lambda c: [c.execute(b.text, b.values).rowcount for b in bound])

    async def many(self, clause: ClauseElement, values: Iterable[Row]) -> None:
        """Run a statement once for each row of values."""
        text = self._compiler.bind(clause, {}).text
        # One transaction for all of them, also for a temporary table.
        await self._call(lambda c: _many(c, text, values))

    async def stage(self, into: Insert, rows: Iterable[Row]) -> None:
        """Add many rows to a temporary table; a generator of them runs on the thread."""
        await self.many(into, rows)

    async def note_change(self) -> None:
        """Do nothing: `data_version` changes with every commit."""

    async def write_ahead(self) -> None:
        """Turn on write-ahead logging, which the file keeps."""
        await self._call(_write_ahead)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        """Begin a write transaction; writers of one process wait here, not at the file's lock."""
        async with self._lock:
            try:
                await self._call(self._begin)
                yield
                await self._call(self._commit)
            except BaseException:
                await self._call(_roll_back)
                raise

    def _begin(self, connection: sqlite3.Connection) -> None:
        self._file.check()
        connection.execute("BEGIN IMMEDIATE")

    def _commit(self, connection: sqlite3.Connection) -> None:
        connection.execute("COMMIT")
        # Once more: nothing is acknowledged that went into a file without its name.
        self._file.check()

    async def close(self) -> None:
        """Close the connection, if it was opened, and end its thread."""
        try:
            if self._connection is not None:
                await self._call(lambda c: c.close())
        finally:
            self._thread.shutdown(wait=False)

    async def _call(self, work: Callable[[sqlite3.Connection], T]) -> T:
        loop = asyncio.get_running_loop()
        future = loop.run_in_executor(self._thread, self._work, work)
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            # The connection must not be used while its thread still uses it.
            await asyncio.wait([future])
            future.exception()
            raise

    def _work(self, work: Callable[[sqlite3.Connection], T]) -> T:
        try:
            if self._connection is None:
                self._file.check()
                self._connection = self._open()
            return work(self._connection)
        except sqlite3.IntegrityError:
            raise
        except sqlite3.DatabaseError as error:
            raise translation(error) from error


def _write_ahead(connection: sqlite3.Connection) -> None:
    # SQLite ignores busy_timeout here.
    until = time.monotonic() + BUSY_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(0.02)


def _roll_back(connection: sqlite3.Connection) -> None:
    if connection.in_transaction:
        connection.execute("ROLLBACK")


def _many(connection: sqlite3.Connection, text: str, values: Iterable[Row]) -> None:
    if connection.in_transaction:
        connection.executemany(text, values)
        return
    connection.execute("BEGIN")
    try:
        connection.executemany(text, values)
        connection.execute("COMMIT")
    except BaseException:
        _roll_back(connection)
        raise


# ---------------------------------------------------------------- the database


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
        self._file = DatabaseFile(path)
        common = path, self._compiler, self._lock, self._file
        self._durable = SqliteSession(*common)
        self._quick = SqliteSession(*common, durable=False)
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
        bound = [self._compiler.bind(*query) for query in queries]
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
        session = SqliteSession(self.path, self._compiler, self._lock, self._file)
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
        self._file.check()
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
