"""A connection to PostgreSQL that one task uses."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from itertools import islice

from sqlalchemy import ClauseElement, Insert

from adapters.sql.engine.database import Compiler, Row, SqlSession, SqlWrite, Values
from adapters.sql.engine.postgres.errors import POOLED, translated
from adapters.sql.engine.postgres.pool import Connection
from domain.errors import StoreUnavailable

#: Every change is notified on this channel.
CHANNEL = "catchment_changes"

_ROLLBACK_S = 0.5
_BATCH = 1000


class PostgresSession(SqlSession):
    """A connection from a pool or of its own; `begin` is the statement that begins transactions."""

    def __init__(
        self,
        connection: Connection,
        compiler: Compiler,
        on_change: Callable[[], None],
        begin: str = "BEGIN",
    ) -> None:
        self._connection = connection
        self._compiler = compiler
        self._on_change = on_change
        self._begin = begin
        self._changes = False

    async def require_direct(self) -> None:
        """Raise StoreUnavailable if a pooler stands between, which tells a process of its own."""
        with translated():
            process = await self._connection.fetchval("SELECT pg_backend_pid()")
        if process != self._connection.get_server_pid():
            raise StoreUnavailable(POOLED)

    async def rows(self, clause: ClauseElement, values: Values) -> list[Row]:
        """Run a statement and return its rows."""
        bound = self._compiler.bind(clause, values)
        with translated():
            rows: list[Row] = await self._connection.fetch(bound.text, *bound.values)
            return rows

    async def run(self, clause: ClauseElement, values: Values) -> int:
        """Run a statement and return the number of rows it changed."""
        bound = self._compiler.bind(clause, values)
        with translated():
            tag = await self._connection.execute(bound.text, *bound.values)
        count = tag.rpartition(" ")[2]  # such as INSERT 0 1, or CREATE TABLE
        return int(count) if count.isdecimal() else 0

    async def run_all(self, writes: Sequence[SqlWrite]) -> list[int]:
        """Run statements in order and return the number of rows each of them changed."""
        return [await self.run(*write) for write in writes]

    async def many(self, clause: ClauseElement, values: Iterable[Row]) -> None:
        """Run a statement once for each row of values."""
        with translated():
            await self._connection.executemany(self._compiler.bind(clause, {}).text, values)

    async def stage(self, into: Insert, rows: Iterable[Row]) -> None:
        """Add many rows to a temporary table; a generator of them runs on a thread."""
        with translated():
            await self._connection.copy_records_to_table(into.table.name, records=_in_batches(rows))

    async def note_change(self) -> None:
        """Notify all processes at the commit, this one at once."""
        self._changes = True
        with translated():
            await self._connection.fetch("SELECT pg_notify($1, '')", CHANNEL)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        """Begin a write transaction."""
        with translated():
            await self._connection.execute(self._begin)
        try:
            yield
            await self._commit()
        except BaseException:
            await self._roll_back()
            raise
        finally:
            # Also after an error: the commit may have succeeded without our learning of it.
            if self._changes:
                self._changes = False
                self._on_change()

    async def _commit(self) -> None:
        with translated():
            if await self._connection.execute("COMMIT") != "COMMIT":
                raise StoreUnavailable("the database did not commit this write; try again")

    async def _roll_back(self) -> None:
        # If this fails, too, the connection is not used again, and its end rolls back.
        with suppress(Exception):
            await self._connection.execute("ROLLBACK", timeout=_ROLLBACK_S)


async def _in_batches(rows: Iterable[Row]) -> AsyncIterator[Row]:
    """Yield the rows, made in batches on a thread to bound memory and free the event loop."""
    iterator: Iterator[Row] = iter(rows)
    while batch := await asyncio.to_thread(_next, iterator):
        for row in batch:
            yield row


def _next(rows: Iterator[Row]) -> list[Row]:
    return list(islice(rows, _BATCH))
