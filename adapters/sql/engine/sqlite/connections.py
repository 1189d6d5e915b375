"""Connections to SQLite: how each is opened, the errors of the driver, and readers.

Short reads run on the event loop's thread: where an index leads to a few rows, handing the read to
another thread and contending for the GIL would cost more than the read itself.
"""

import asyncio
import math
import sqlite3
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from adapters.sql.engine.database import (
    MAX_CHARACTERS,
    MAX_WAITING,
    BoundStatement,
    Row,
    characters_in,
)
from application.ports.operations import PoolUsage
from domain.errors import QueryTooSlow, StoreFull, StoreUnavailable

BUSY_S = 10.0

_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}


def connect(path: Path, *, read_only: bool = False, durable: bool = True) -> sqlite3.Connection:
    """Open a connection with explicit transactions and our pragmas."""
    mode = "ro" if read_only else "rw"
    try:
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
    except sqlite3.DatabaseError as error:
        raise translation(error) from error


def translation(error: sqlite3.DatabaseError) -> Exception:
    """Return the store's error for one of the driver's, or the same one if there is none."""
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


# ---------------------------------------------------------------- reading

#: Inline reads are aborted after this long.
INLINE_S = 0.002

#: The rows of a page that are read before their size is checked.
_ROWS_AT_ONCE = 16
_STEPS_BETWEEN_TIME_CHECKS = 10_000
_ABORTED = {sqlite3.SQLITE_INTERRUPT, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}


class ReaderPool:
    """Reader threads, each with its own read-only connection."""

    def __init__(self, path: Path, threads: int, name: str, read_s: float) -> None:
        self._path = path
        self._size = threads
        self._name = name
        self._read_s = read_s
        self._waiting = 0
        self._local = threading.local()
        self._readers: list[_Reader] = []
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix=f"sqlite-{name}")

    @property
    def usage(self) -> PoolUsage:
        """Return the present use of the threads."""
        return PoolUsage(
            name=self._name,
            most=self._size,
            open=len(self._readers),
            busy=min(self._size, self._waiting),
            waiting=max(0, self._waiting - self._size),
        )

    async def snapshot(self, queries: Sequence[BoundStatement]) -> list[list[Row]]:
        """Return the rows of several queries in one snapshot; the limit includes waiting."""
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
        reader = self._reader()
        if time.monotonic() > until:
            raise QueryTooSlow("other slow queries took the time this one had; try again")
        try:
            return reader.answers(queries, until)
        except sqlite3.DatabaseError as error:
            raise translation(error) from error

    def _reader(self) -> "_Reader":
        reader: _Reader | None = getattr(self._local, "reader", None)
        if reader is None:
            reader = self._local.reader = _Reader(self._path)
            self._readers.append(reader)
        return reader

    def close(self) -> None:
        """Wait for the reads in progress, and close every connection."""
        self._threads.shutdown(wait=True)
        for reader in self._readers:
            reader.connection.close()


class InlineReader:
    """A read-only connection on the event loop's thread, for reads that are over at once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._reader: _Reader | None = None

    def read(self, queries: Sequence[BoundStatement]) -> list[list[Row]] | None:
        """Return the rows of several queries in one snapshot; None if that takes too long."""
        reader = self._reader or self._opened()
        try:
            return reader.answers(queries, time.monotonic() + INLINE_S)
        except sqlite3.DatabaseError as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF in _ABORTED:
                return None
            raise translation(error) from error

    def close(self) -> None:
        """Close the connection, if it was opened."""
        if self._reader is not None:
            self._reader.connection.close()

    def _opened(self) -> "_Reader":
        reader = self._reader = _Reader(self._path)
        reader.connection.execute("PRAGMA busy_timeout=0")
        return reader


class _Reader:
    """A read-only connection with a time limit for each read."""

    def __init__(self, path: Path) -> None:
        self.connection = connect(path, read_only=True)
        self._until = math.inf
        self.connection.set_progress_handler(self._is_over, _STEPS_BETWEEN_TIME_CHECKS)

    def answers(self, queries: Sequence[BoundStatement], until: float) -> list[list[Row]]:
        """Return the rows of several queries in one snapshot."""
        connection = self.connection
        self._until = until
        try:
            if len(queries) == 1:  # one statement is a snapshot in itself
                text, values, enough = queries[0]
                return [_fetch(connection.execute(text, values), enough)]
            connection.execute("BEGIN")
            answers: list[list[Row]] = []
            found = 0
            for text, values, enough in queries:
                is_full = enough is not None and found >= enough
                rows = [] if is_full else _fetch(connection.execute(text, values), enough)
                answers.append(rows)
                found += 0 if enough is None else len(answers[-1])
            return answers
        finally:
            self._until = math.inf  # ending the transaction must not be aborted
            if connection.in_transaction:  # some errors end it themselves
                connection.execute("COMMIT")

    def _is_over(self) -> bool:
        return time.monotonic() > self._until


def _fetch(cursor: sqlite3.Cursor, enough: int | None) -> list[Row]:
    """Return the rows of a cursor; of a page only as many as it can show."""
    if enough is None:
        return cursor.fetchall()
    rows: list[Row] = []
    characters = 0
    while characters <= MAX_CHARACTERS and (some := cursor.fetchmany(_ROWS_AT_ONCE)):
        rows += some
        characters += characters_in(some)
    cursor.close()
    return rows
