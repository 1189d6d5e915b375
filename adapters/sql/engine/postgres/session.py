"""A connection to PostgreSQL in use by one task."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from itertools import islice

from sqlalchemy import ClauseElement, Insert

from adapters.sql.engine.database import Compiler, Row, SqlSession, SqlWrite, Values
from adapters.sql.engine.postgres.errors import translated
from adapters.sql.engine.postgres.pool import Connection
from domain.errors import StoreUnavailable

#: Whoever listens on this channel hears of every change.
CHANNEL = "catchment_changes"

_UNDO_S = 0.5
_STAGED_AT_ONCE = 1000


class PostgresSession(SqlSession):
    """One connection, lent or one's own; `begin` is how its transactions begin."""

    def __init__(
        self,
        connection: Connection,
        compiler: Compiler,
        moved: Callable[[], None],
        begin: str = "BEGIN",
    ) -> None:
        self._connection = connection
        self._compiler = compiler
        self._moved = moved
        self._begin = begin
        self._changes = False

    async def rows(self, clause: ClauseElement, values: Values) -> list[Row]:
        """Run a statement and return its rows."""
        statement = self._compiler(clause)
        with translated():
            rows: list[Row] = await self._connection.fetch(
                statement.text, *statement.values(values)
            )
            return rows

    async def run(self, clause: ClauseElement, values: Values) -> int:
        """Run a statement and return how many rows it touched."""
        statement = self._compiler(clause)
        with translated():
            told = await self._connection.execute(statement.text, *statement.values(values))
        count = told.rpartition(" ")[2]  # such as INSERT 0 1, or CREATE TABLE
        return int(count) if count.isdecimal() else 0

    async def run_all(self, writes: Sequence[SqlWrite]) -> list[int]:
        """Run statements one after another, and return how many rows each of them touched."""
        return [await self.run(*write) for write in writes]

    async def many(self, clause: ClauseElement, values: Iterable[Row]) -> None:
        """Run a statement once for each row of values."""
        with translated():
            await self._connection.executemany(self._compiler(clause).text, values)

    async def stage(self, into: Insert, rows: Iterable[Row]) -> None:
        """Add many rows to a temporary table; those of a generator are made on a thread."""
        with translated():
            await self._connection.copy_records_to_table(into.table.name, records=_in_pieces(rows))

    async def note_change(self) -> None:
        """Notify everybody of this transaction, ourselves at once."""
        self._changes = True
        with translated():
            await self._connection.fetch("SELECT pg_notify($1, '')", CHANNEL)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        """A write transaction."""
        with translated():
            await self._connection.execute(self._begin)
        try:
            yield
            await self._commit()
        except BaseException:
            await self._undo()
            raise
        finally:
            # Also after an error: a commit may have come through without our hearing of it.
            if self._changes:
                self._changes = False
                self._moved()

    async def _commit(self) -> None:
        with translated():
            if await self._connection.execute("COMMIT") != "COMMIT":
                raise StoreUnavailable("the database did not commit this write; try again")

    async def _undo(self) -> None:
        # When even this fails, the connection is not used again, and its end undoes everything.
        with suppress(Exception):
            await self._connection.execute("ROLLBACK", timeout=_UNDO_S)


async def _in_pieces(rows: Iterable[Row]) -> AsyncIterator[Row]:
    """The rows, a thousand of them at once: memory stays small, and others have their turn."""
    iterator: Iterator[Row] = iter(rows)
    while piece := await asyncio.to_thread(_next, iterator):
        for row in piece:
            yield row


def _next(rows: Iterator[Row]) -> list[Row]:
    return list(islice(rows, _STAGED_AT_ONCE))
