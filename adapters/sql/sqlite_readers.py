"""Readers of SQLite: lanes of threads, and glances on the event loop's own thread.

A thread costs more than the read itself, where an index leads straight to a few rows: handing over,
waking up, and quarrelling over the interpreter at every row.
"""

import asyncio
import sqlite3
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from adapters.sql.database import MAX_WAITING, Row, Text
from adapters.sql.sqlite_connections import connect, translated, translation
from domain.errors import QueryTooSlow

_STEPS_BETWEEN_LOOKS_AT_THE_CLOCK = 10_000
_GIVEN_UP = {sqlite3.SQLITE_INTERRUPT, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}


class Lane:
    """Threads that read, each on a read-only connection of its own."""

    def __init__(self, path: Path, threads: int, name: str, read_s: float) -> None:
        self._path = path
        self._read_s = read_s
        self._waiting = 0
        self._local = threading.local()
        self._connections: list[sqlite3.Connection] = []
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
            connection = self._connection()
            self._local.until = until
            if self._too_long():
                raise QueryTooSlow("other slow queries took the time this one had; try again")
            return _answers(connection, queries)

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
        """Wait for what is being read, and close every connection."""
        self._threads.shutdown(wait=True)
        for connection in self._connections:
            connection.close()


class Glance:
    """One read-only connection that never makes its caller wait.

    After twenty or thirty thousand steps of SQLite's machine, a few milliseconds, it gives up.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None
        self._ticks = 0

    def read(self, queries: Sequence[Text]) -> list[list[Row]] | None:
        """The rows of several queries on one state of the data; None when they take too long."""
        connection = self._connection or self._opened()
        self._ticks = 0
        try:
            return _answers(connection, queries)
        except sqlite3.DatabaseError as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF in _GIVEN_UP:
                return None
            raise translation(error) from error

    def close(self) -> None:
        """Close the connection, if there was ever one."""
        if self._connection is not None:
            self._connection.close()

    def _opened(self) -> sqlite3.Connection:
        connection = self._connection = connect(self._path, read_only=True)
        connection.execute("PRAGMA busy_timeout=0")
        connection.set_progress_handler(self._takes_long, _STEPS_BETWEEN_LOOKS_AT_THE_CLOCK)
        return connection

    def _takes_long(self) -> bool:
        # SQLite counts on from the statement's last run, so that one tick alone says nothing.
        self._ticks += 1
        return self._ticks > 2


def _answers(connection: sqlite3.Connection, queries: Sequence[Text]) -> list[list[Row]]:
    """The rows of several queries on one state of the data."""
    if len(queries) == 1:  # one statement is one state of the data anyway
        return [connection.execute(queries[0].text, queries[0].values).fetchall()]
    connection.execute("BEGIN")
    try:
        answers: list[list[Row]] = []
        found = 0
        for text, values, enough in queries:
            is_full = enough is not None and found >= enough
            answers.append([] if is_full else connection.execute(text, values).fetchall())
            found += 0 if enough is None else len(answers[-1])
        return answers
    finally:
        if connection.in_transaction:  # some errors have ended it already
            connection.execute("COMMIT")
