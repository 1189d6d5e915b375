"""Connections to SQLite: how each is opened, those that write, and those that read.

A thread costs more than the read itself where an index leads straight to a few rows, for handing
over, waking up and contending for the interpreter; so short reads run on the event loop's thread.
"""

import asyncio
import math
import sqlite3
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TypeVar

from sqlalchemy import ClauseElement, Insert

from adapters.sql.engine.database import (
    MAX_WAITING,
    BoundStatement,
    Compiler,
    Row,
    SqlSession,
    SqlWrite,
    Values,
)
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


# ---------------------------------------------------------------- writing


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

    async def run_all(self, writes: Sequence[SqlWrite]) -> list[int]:
        """Run statements one after another, with one way to the thread and back."""
        bound = self._compiler.bound(writes)
        return await self._call(lambda c: [c.execute(b.text, b.values).rowcount for b in bound])

    async def many(self, clause: ClauseElement, values: Iterable[Row]) -> None:
        """Run a statement once for each row of values."""
        text = self._compiler(clause).text
        # One transaction for all of them, also where only a temporary table is written.
        await self._call(lambda c: _many(c, text, values))

    async def stage(self, into: Insert, rows: Iterable[Row]) -> None:
        """Add many rows to a temporary table; those of a generator are made on the thread."""
        await self.many(into, rows)

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


# ---------------------------------------------------------------- reading

#: Inline reads are given up after this long.
INLINE_S = 0.002

_STEPS_BETWEEN_LOOKS_AT_THE_CLOCK = 10_000
_GIVEN_UP = {sqlite3.SQLITE_INTERRUPT, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}


class ReaderPool:
    """Threads that read, each on a read-only connection of its own."""

    def __init__(self, path: Path, threads: int, name: str, read_s: float) -> None:
        self._path = path
        self._read_s = read_s
        self._waiting = 0
        self._local = threading.local()
        self._readers: list[_Reader] = []
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix=name)

    async def snapshot(self, queries: Sequence[BoundStatement]) -> list[list[Row]]:
        """The rows of several queries on one state of the data; waiting counts as time taken."""
        if self._waiting >= MAX_WAITING:
            raise QueryTooSlow("too many slow queries are waiting already; try again shortly")
        loop = asyncio.get_running_loop()
        self._waiting += 1
        try:
            until = time.monotonic() + self._read_s
            return await loop.run_in_executor(self._threads, self._read, queries, until)
        finally:
            self._waiting -= 1

    def _read(self, queries: Sequence[BoundStatement], until: float) -> list[list[Row]]:
        with translated():
            reader = self._reader()
            if time.monotonic() > until:
                raise QueryTooSlow("other slow queries took the time this one had; try again")
            return reader.answers(queries, until)

    def _reader(self) -> "_Reader":
        reader: _Reader | None = getattr(self._local, "reader", None)
        if reader is None:
            reader = self._local.reader = _Reader(self._path)
            self._readers.append(reader)
        return reader

    def close(self) -> None:
        """Wait for what is being read, and close every connection."""
        self._threads.shutdown(wait=True)
        for reader in self._readers:
            reader.connection.close()


class InlineReader:
    """One read-only connection that never makes its caller wait."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._reader: _Reader | None = None

    def read(self, queries: Sequence[BoundStatement]) -> list[list[Row]] | None:
        """The rows of several queries on one state of the data; None when they take too long."""
        reader = self._reader or self._opened()
        try:
            return reader.answers(queries, time.monotonic() + INLINE_S)
        except sqlite3.DatabaseError as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF in _GIVEN_UP:
                return None
            raise translation(error) from error

    def close(self) -> None:
        """Close the connection, if there was ever one."""
        if self._reader is not None:
            self._reader.connection.close()

    def _opened(self) -> "_Reader":
        reader = self._reader = _Reader(self._path)
        reader.connection.execute("PRAGMA busy_timeout=0")
        return reader


class _Reader:
    """A read-only connection that stops what it reads when the time for it is over."""

    def __init__(self, path: Path) -> None:
        self.connection = connect(path, read_only=True)
        self._until = math.inf
        self.connection.set_progress_handler(self._is_over, _STEPS_BETWEEN_LOOKS_AT_THE_CLOCK)

    def answers(self, queries: Sequence[BoundStatement], until: float) -> list[list[Row]]:
        """The rows of several queries on one state of the data."""
        connection = self.connection
        self._until = until
        try:
            if len(queries) == 1:  # one statement is one state of the data anyway
                return [connection.execute(queries[0].text, queries[0].values).fetchall()]
            connection.execute("BEGIN")
            answers: list[list[Row]] = []
            found = 0
            for text, values, enough in queries:
                is_full = enough is not None and found >= enough
                answers.append([] if is_full else connection.execute(text, values).fetchall())
                found += 0 if enough is None else len(answers[-1])
            return answers
        finally:
            self._until = math.inf  # ending a transaction must not be stopped as well
            if connection.in_transaction:  # some errors have ended it already
                connection.execute("COMMIT")

    def _is_over(self) -> bool:
        return time.monotonic() > self._until
