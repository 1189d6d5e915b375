"""Connections to SQLite: how each is opened, and those that write, each on a thread of its own."""

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

from sqlalchemy import ClauseElement, Insert, Table, insert

from adapters.sql.engine.database import Compiler, Row, SqlSession, Values
from domain.errors import QueryTooSlow, StoreFull, StoreUnavailable

T = TypeVar("T")

BUSY_S = 10.0

_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}


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
            cached_statements=128,
        )
        connection.execute(f"PRAGMA busy_timeout={int(BUSY_S * 1000)}")
        if read_only:
            connection.execute("PRAGMA query_only=ON")
        else:
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
        raise translation(error) from error


def translation(error: sqlite3.DatabaseError) -> Exception:
    """The store's error for one of the driver's; the same one where we have no word for it."""
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


class SqliteSession(SqlSession):
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

    async def stage(self, table: Table, rows: Iterable[Row]) -> None:
        """Add many rows to a temporary table; those of a generator are made on the thread."""
        await self.many(_adding(table), rows)

    async def note_change(self) -> None:
        """Nothing: `data_version` moves with every commit."""

    async def write_ahead(self) -> None:
        """Choose write-ahead logging, which the file remembers."""
        await self._call(_write_ahead)

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
        """Close the connection, if there was ever one, and let its thread end."""
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
            # Nobody may use the connection while its thread still does.
            await asyncio.wait([future])
            future.exception()
            raise

    def _work(self, work: Callable[[sqlite3.Connection], T]) -> T:
        with translated():
            if self._connection is None:
                self._connection = self._open()
            return work(self._connection)


@lru_cache(maxsize=256)
def _adding(table: Table) -> Insert:
    return insert(table)


def _write_ahead(connection: sqlite3.Connection) -> None:
    # SQLite itself does not wait here, whatever its busy_timeout.
    until = time.monotonic() + BUSY_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(0.02)


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
