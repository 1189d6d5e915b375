"""Readers of SQLite: lanes of threads, and glances on the event loop's own thread.

A thread costs more than the read itself, where an index leads straight to a few rows: handing over,
waking up, and quarrelling over the interpreter at every row.
"""

import asyncio
import math
import sqlite3
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from adapters.sql.engine.database import MAX_WAITING, Row, Text
from adapters.sql.engine.sqlite.connections import connect, translated, translation
from domain.errors import QueryTooSlow

#: A glance that takes longer was none.
GLANCE_S = 0.002

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

    async def snapshot(self, queries: Sequence[Text]) -> list[list[Row]]:
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

    def _read(self, queries: Sequence[Text], until: float) -> list[list[Row]]:
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

    def read(self, queries: Sequence[Text]) -> list[list[Row]] | None:
        """The rows of several queries on one state of the data; None when they take too long."""
        reader = self._reader or self._opened()
        try:
            return reader.answers(queries, time.monotonic() + GLANCE_S)
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

    def answers(self, queries: Sequence[Text], until: float) -> list[list[Row]]:
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
