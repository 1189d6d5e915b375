"""SQLite: the driver on its own threads, one writer at a time, readers that can only read."""

import asyncio
import sqlite3
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import ClauseElement
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite

from adapters.sql.database import Compiler, Database, Row, Session, Values
from application.ports.health import Probe
from domain.errors import QueryTooSlow, StoreError, StoreFull, StoreUnavailable

T = TypeVar("T")

BUSY_S = 10.0
#: A read that needs longer is stopped.
READ_S = 5.0
READERS = 2

_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_STEPS_BETWEEN_LOOKS_AT_THE_CLOCK = 10_000


def connect(path: Path, *, read_only: bool = False, durable: bool = True) -> sqlite3.Connection:
    """Open a connection the way every connection of ours is: WAL, explicit transactions."""
    mode = "ro" if read_only else "rwc"
    with translated():
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode={mode}",
            uri=True,
            timeout=BUSY_S,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=512,
        )
        connection.execute(f"PRAGMA busy_timeout={int(BUSY_S * 1000)}")
        if read_only:
            connection.execute("PRAGMA query_only=ON")
        else:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
            connection.execute("PRAGMA foreign_keys=ON")
        return connection


@contextmanager
def translated() -> Iterator[None]:
    """Turn the driver's errors into the store's."""
    try:
        yield
    except sqlite3.IntegrityError:
        raise
    except sqlite3.DatabaseError as error:
        raise _translated(error) from error


def _translated(error: sqlite3.DatabaseError) -> Exception:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_INTERRUPT:
        return QueryTooSlow("this query needs more time than a query gets; use an indexed field")
    if code == sqlite3.SQLITE_FULL:
        return StoreFull("there is no room left to write; free some space and try again")
    if code in _BUSY:
        return StoreUnavailable("the database is busy with another process's writing")
    if code in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY):
        return StoreUnavailable("the database file cannot be opened or used")
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return StoreUnavailable("the database file is damaged or is not a database")
    return error


class SqliteSession(Session):
    """One connection on one thread of its own."""

    def __init__(
        self, path: Path, compiler: Compiler, lock: asyncio.Lock, durable: bool = True
    ) -> None:
        self._compiler = compiler
        self._lock = lock
        self._connection: sqlite3.Connection | None = None
        self._open: Callable[[], sqlite3.Connection] = lambda: connect(path, durable=durable)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="sqlite-writer")

    async def rows(self, clause: ClauseElement, values: Values) -> list[Row]:
        """Run a statement and return its rows."""
        statement = self._compiler(clause)
        given = statement.values(values)
        return await self._call(lambda c: c.execute(statement.text, given).fetchall())

    async def run(self, clause: ClauseElement, values: Values) -> int:
        """Run a statement and return how many rows it touched."""
        statement = self._compiler(clause)
        given = statement.values(values)
        return await self._call(lambda c: c.execute(statement.text, given).rowcount)

    async def many(self, clause: ClauseElement, values: Iterable[Row]) -> None:
        """Run a statement once for each row of values."""
        text = self._compiler(clause).text
        # One transaction for all of them, also where only a temporary table is written.
        await self._call(lambda c: _many(c, text, values))

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        """A write transaction; in one process the writers wait here, not at the file's lock."""
        async with self._lock:
            try:
                await self._call(lambda c: c.execute("BEGIN IMMEDIATE"))
                yield
                await self._call(lambda c: c.execute("COMMIT"))
            except BaseException:
                await self._call(_undo)
                raise

    async def close(self) -> None:
        """Close the connection and let its thread end."""
        try:
            await self._call(lambda c: c.close())
        finally:
            self._thread.shutdown(wait=False)

    async def _call(self, work: Callable[[sqlite3.Connection], T]) -> T:
        loop = asyncio.get_running_loop()
        future = loop.run_in_executor(self._thread, self._work, work)
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            # Nobody may use the connection while its thread still does.
            await asyncio.wait([future])
            future.exception()
            raise

    def _work(self, work: Callable[[sqlite3.Connection], T]) -> T:
        with translated():
            if self._connection is None:
                self._connection = self._open()
            return work(self._connection)


def _undo(connection: sqlite3.Connection) -> None:
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
        _undo(connection)
        raise


class _Lane:
    """Threads that read, each on a read-only connection of its own."""

    def __init__(self, path: Path, threads: int, name: str, read_s: float) -> None:
        self._path = path
        self._read_s = read_s
        self._local = threading.local()
        self._connections: list[sqlite3.Connection] = []
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix=name)

    async def snapshot(self, queries: Sequence[tuple[str, list[Any]]]) -> list[list[Row]]:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, self._read, queries)

    def _read(self, queries: Sequence[tuple[str, list[Any]]]) -> list[list[Row]]:
        with translated():
            connection = self._connection()
            self._local.until = time.monotonic() + self._read_s
            connection.execute("BEGIN")
            try:
                return [connection.execute(text, values).fetchall() for text, values in queries]
            finally:
                connection.execute("COMMIT")

    def _connection(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = connect(self._path, read_only=True)
            connection.set_progress_handler(self._too_long, _STEPS_BETWEEN_LOOKS_AT_THE_CLOCK)
            self._connections.append(connection)
        return connection

    def _too_long(self) -> bool:
        return bool(time.monotonic() > self._local.until)

    def close(self) -> None:
        self._threads.shutdown(wait=True)
        for connection in self._connections:
            connection.close()


class SqliteDatabase(Database, Probe):
    """One SQLite file, already migrated; a read that takes longer than `read_s` is stopped."""

    def __init__(self, path: Path, read_s: float = READ_S) -> None:
        self.path = path
        self._compiler = Compiler(SQLiteDialect_pysqlite(paramstyle="qmark"))
        self._lock = asyncio.Lock()
        self._durable = SqliteSession(path, self._compiler, self._lock)
        self._quick = SqliteSession(path, self._compiler, self._lock, durable=False)
        self._reads = _Lane(path, READERS, "sqlite-reader", read_s)
        self._scans = _Lane(path, 1, "sqlite-scan", read_s)

    async def snapshot(
        self, queries: Sequence[tuple[ClauseElement, Values]], scan: bool = False
    ) -> list[list[Row]]:
        """The rows of several queries on one state of the data."""
        compiled = [
            (statement.text, statement.values(values))
            for statement, values in ((self._compiler(clause), given) for clause, given in queries)
        ]
        return await (self._scans if scan else self._reads).snapshot(compiled)

    @asynccontextmanager
    async def write(self, durable: bool = True) -> AsyncIterator[Session]:
        """A write transaction."""
        session = self._durable if durable else self._quick
        async with session.transaction():
            yield session

    @asynccontextmanager
    async def session(self) -> AsyncIterator[Session]:
        """A connection of one's own."""
        session = SqliteSession(self.path, self._compiler, self._lock)
        try:
            yield session
        finally:
            await session.close()

    async def check(self) -> None:
        """Return when the database can be read; StoreUnavailable says why it cannot."""
        try:
            await self._reads.snapshot([("SELECT name FROM datasets LIMIT 1", [])])
        except StoreError:
            raise
        except sqlite3.Error as error:
            raise StoreUnavailable(
                "the database is not migrated; run: catchment migrate"
            ) from error

    async def close(self) -> None:
        """Close every connection; what is being written ends first."""
        async with self._lock:
            await self._durable.close()
            await self._quick.close()
        await asyncio.to_thread(self._reads.close)
        await asyncio.to_thread(self._scans.close)
