"""Connections to PostgreSQL: how each is made, and pools that lend them to one task at a time."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeAlias

import asyncpg
from sqlalchemy import Table

from adapters.sql.engine.database import (
    MAX_CHARACTERS,
    MAX_WAITING,
    BoundStatement,
    Row,
    Turns,
    characters_in,
)
from adapters.sql.engine.postgres.errors import (
    may_be_read_again,
    translated,
    translated_while_connecting,
)
from application.ports.operations import PoolUsage
from domain.errors import QueryTooSlow, StoreError, StoreUnavailable

#: An asyncpg.Connection; the driver has no type hints.
Connection: TypeAlias = Any
Queries = Sequence[BoundStatement]

#: A database that does not accept a connection within this time is unreachable.
CONNECT_S = 1.5
#: Time to roll back on a connection whose last use was cancelled.
_ROLLBACK_S = 2.0
_END_S = 2.0
#: A connection that is not returned by then, when the pool is closed, is abandoned.
_RETURN_S = 10.0
#: A page of more rows is read in steps, the first of this many rows: for fewer, the additional
#: round trips cost more than they save.
_ROWS_AT_ONCE = 101
_MOST_ROWS_AT_ONCE = 1000
_SNAPSHOT = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"

_SETTINGS: Mapping[str, str] = {
    "application_name": "catchment",
    "default_transaction_isolation": "read committed",
    "idle_in_transaction_session_timeout": "30s",
    # Compiling a plan takes longer than any of our queries.
    "jit": "off",
    "tcp_keepalives_idle": "30",
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "3",
}
#: The same at the client, so that no write waits a quarter of an hour for a lost machine.
_KEEPALIVE: Mapping[str, int] = {
    "TCP_KEEPIDLE": 10,
    "TCP_KEEPINTVL": 5,
    "TCP_KEEPCNT": 3,
    "TCP_USER_TIMEOUT": 10_000,
}


def _is_large(enough: int | None) -> bool:
    """Return whether a page has so many rows that they are read in steps."""
    return enough is not None and enough > _ROWS_AT_ONCE


async def _fetch_in_steps(
    connection: Connection, text: str, values: list[Any], timeout_s: float
) -> list[Row]:
    """Return the rows of a page, only as many as it can show."""
    rows: list[Row] = []
    characters, step = 0, _ROWS_AT_ONCE
    cursor = await connection.cursor(text, *values, timeout=timeout_s)
    while characters <= MAX_CHARACTERS:
        some = await cursor.fetch(step, timeout=timeout_s)
        rows += some
        if len(some) < step:
            break
        characters += characters_in(some)
        room = (MAX_CHARACTERS - characters) * len(rows) // max(1, characters)
        step = max(_ROWS_AT_ONCE, min(room, _MOST_ROWS_AT_ONCE))
    return rows


class Connector:
    """Factory of connections; when one fails, all callers that already wait fail at once."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._failed_at = float("-inf")
        self._failure = ""

    async def connect(
        self, asked_at: float, settings: Mapping[str, str], command_s: float | None = None
    ) -> Connection:
        """Return a new connection; fail if another attempt failed after `asked_at`."""
        if self._failed_at >= asked_at:
            raise StoreUnavailable(self._failure)
        try:
            with translated_while_connecting():
                async with asyncio.timeout(CONNECT_S):
                    connection = await asyncpg.connect(
                        self._url,
                        server_settings={**_SETTINGS, **settings},
                        statement_cache_size=256,
                        max_cached_statement_lifetime=0,
                        command_timeout=command_s,
                    )
        except StoreError as error:
            self._failed_at, self._failure = time.monotonic(), str(error)
            raise
        _keep_alive(connection)
        return connection


def _keep_alive(connection: Connection) -> None:
    # The driver has no option for these.
    opened = connection._transport.get_extra_info("socket")
    if opened.family in (socket.AF_INET, socket.AF_INET6):
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in _KEEPALIVE.items():
            if hasattr(socket, name):  # some systems lack some of them
                opened.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


async def end(connection: Connection) -> None:
    """Close a connection, also if the server does not respond."""
    with suppress(StoreError), translated():
        await connection.close(timeout=_END_S)


class ConnectionPool:
    """Up to `size` connections, each lent to one task at a time; other tasks wait in order."""

    def __init__(
        self,
        name: str,
        connector: Connector,
        size: int,
        settings: Mapping[str, str],
        command_s: float | None = None,
    ) -> None:
        self._name = name
        self._connector = connector
        self._size = size
        self._settings = settings
        self._command_s = command_s
        self._turns = Turns(size)
        self._idle: list[Connection] = []
        self._rollbacks: set[asyncio.Task[None]] = set()

    @property
    def usage(self) -> PoolUsage:
        """Return the present use of the pool."""
        return self._turns.usage(self._name, idle=len(self._idle))

    @asynccontextmanager
    async def lend(self, wait_s: float, crowded: StoreError) -> AsyncIterator[Connection]:
        """Lend a connection; raise `crowded` if none becomes free in time."""
        asked_at = time.monotonic()
        try:
            async with asyncio.timeout(wait_s):
                await self._turns.acquire()
        except TimeoutError as error:
            raise crowded from error
        connection = None
        try:
            connection = self._pop_idle() or await self._connector.connect(
                asked_at, self._settings, self._command_s
            )
            yield connection
        except BaseException:
            self._recover(connection)
            raise
        self._idle.append(connection)
        self._turns.release()

    def forget_idle(self) -> None:
        """End the idle connections: their server may be gone."""
        while self._idle:
            self._idle.pop().terminate()

    async def close(self) -> None:
        """Wait for every connection to be returned, but not forever, and close it."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_RETURN_S):
                for _ in range(self._size):
                    await self._turns.acquire()
        while self._idle:
            await end(self._idle.pop())

    def _pop_idle(self) -> Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if not connection.is_closed():
                return connection
        return None

    def _recover(self, connection: Connection | None) -> None:
        if connection is None or connection.is_closed():
            self._turns.release()
            return
        # The cancelled task does not wait for it, but its turn is taken until then.
        rollback = asyncio.create_task(self._roll_back(connection))
        self._rollbacks.add(rollback)
        rollback.add_done_callback(self._rollbacks.discard)

    async def _roll_back(self, connection: Connection) -> None:
        try:
            # The driver has asked the server to cancel the running query, and waits for that first.
            await connection.execute("ROLLBACK", timeout=_ROLLBACK_S)
            self._idle.append(connection)
        except BaseException as error:
            connection.terminate()
            if not isinstance(error, Exception):
                raise
        finally:
            self._turns.release()


class ReadConnectionPool(ConnectionPool):
    """A pool of read-only connections; the time limit includes waiting for one."""

    def __init__(
        self,
        name: str,
        connector: Connector,
        size: int,
        read_s: float,
        settings: Mapping[str, str],
    ) -> None:
        limit = {"statement_timeout": f"{read_s * 1000:.0f}", "default_transaction_read_only": "on"}
        super().__init__(name, connector, size, {**settings, **limit}, read_s)
        self._read_s = read_s
        self._waiting = 0

    async def snapshot(self, queries: Queries, table: Table | None = None) -> list[list[Row]]:
        """Return the rows of several queries in one snapshot, with `table` locked before it."""
        if self._waiting >= MAX_WAITING:
            raise QueryTooSlow("too many slow queries are waiting already; try again shortly")
        until = time.monotonic() + self._read_s
        self._waiting += 1
        try:
            with translated():
                return await self._read_twice(queries, table, until)
        finally:
            self._waiting -= 1

    async def _read_twice(
        self, queries: Queries, table: Table | None, until: float
    ) -> list[list[Row]]:
        try:
            return await self._read(queries, table, until)
        except Exception as error:
            if not may_be_read_again(error):
                raise
        # The other idle connections have probably been lost as well.
        self.forget_idle()
        return await self._read(queries, table, until)

    async def _read(self, queries: Queries, table: Table | None, until: float) -> list[list[Row]]:
        crowded = QueryTooSlow("other slow queries took the time this one had; try again")
        async with self.lend(until - time.monotonic(), crowded) as connection:

            async def fetch(text: str, values: list[Any], enough: int | None) -> list[Row]:
                left_s = until - time.monotonic()
                if _is_large(enough):
                    return await _fetch_in_steps(connection, text, values, left_s)
                rows: list[Row] = await connection.fetch(text, *values, timeout=left_s)
                return rows

            if len(queries) == 1 and not _is_large(queries[0].enough):
                return [await fetch(*queries[0])]  # one statement is a snapshot in itself
            # The lock comes first: a snapshot covers rows, not tables, and would show no rows of a
            # table that was rebuilt after it.
            lock = "" if table is None else f'; LOCK TABLE "{table.name}" IN ACCESS SHARE MODE'
            await connection.execute(_SNAPSHOT + lock)
            answers: list[list[Row]] = []
            found = 0
            for text, values, enough in queries:
                is_full = enough is not None and found >= enough
                answers.append([] if is_full else await fetch(text, values, enough))
                found += 0 if enough is None else len(answers[-1])
            await connection.execute("COMMIT")
            return answers
