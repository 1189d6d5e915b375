"""The database interface that every SQL adapter uses, for SQLite and PostgreSQL alike."""

import asyncio
from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Literal, NamedTuple, Protocol
from weakref import WeakKeyDictionary

from sqlalchemy import ClauseElement, Insert, Table
from sqlalchemy.engine import Dialect

from application.ports.datasets import Changes
from application.ports.operations import PoolUsage
from application.ports.system import Clock
from domain.paging import MAX_PAGE_BYTES
from domain.times import from_micros

Row = tuple[Any, ...]
Values = Mapping[str, Any]
#: A statement with its values; with a number, it is skipped and has no rows once the statements
#: before it that have a number, too, have returned so many rows.
SqlQuery = tuple[ClauseElement, Values] | tuple[ClauseElement, Values, int]

#: A statement that writes, with its values.
SqlWrite = tuple[ClauseElement, Values]

#: The rows of a page are read until their texts have this many characters; more are not shown.
MAX_CHARACTERS = MAX_PAGE_BYTES
#: A read that takes longer is stopped.
READ_S = 5.0
#: Reads that may wait in one pool; any more would only run out of time there.
MAX_WAITING = 500

# ---------------------------------------------------------------- rows


def named_row(names: Iterable[str], row: Sequence[Any], times: Iterable[str]) -> dict[str, Any]:
    """Return the values of a row by these names, with those in `times` as datetimes."""
    named = dict(zip(names, row, strict=True))
    for name in times:
        named[name] = from_micros(named[name])
    return named


def characters_in(rows: Iterable[Row]) -> int:
    """Return how many characters the texts of some rows have."""
    return sum([len(value) for row in rows for value in row if value.__class__ is str])


# ---------------------------------------------------------------- statements


class BoundStatement(NamedTuple):
    """A query as the driver takes it: text, values in order, and how many rows are enough."""

    text: str
    values: list[Any]
    enough: int | None = None


class _Compiled(NamedTuple):
    """A compiled statement: text, names of its parameters in order, and values fixed in it."""

    text: str
    names: Sequence[str]
    fixed: Values


class Compiler:
    """A compiler that keeps each statement's compiled form as long as the statement lives."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._compiled: WeakKeyDictionary[ClauseElement, _Compiled] = WeakKeyDictionary()

    def bind(
        self, clause: ClauseElement, values: Values, enough: int | None = None
    ) -> BoundStatement:
        """Return a statement with its values; those fixed in it may be absent from `values`."""
        compiled = self._compiled.get(clause)
        if compiled is None:
            new = clause.compile(dialect=self._dialect)
            names = getattr(new, "positiontup", None) or ()
            compiled = self._compiled[clause] = _Compiled(str(new), names, new.params)
        text, names, fixed = compiled
        bound = [values[name] if name in values else fixed[name] for name in names]
        return BoundStatement(text, bound, enough)


# ---------------------------------------------------------------- connections


class Turns(asyncio.Semaphore):
    """A semaphore that counts its holders and those who wait."""

    def __init__(self, most: int) -> None:
        super().__init__(most)
        self._most = most
        self._busy = 0
        self._waiting = 0

    async def acquire(self) -> Literal[True]:
        """Wait for a turn and take it."""
        self._waiting += 1
        try:
            await super().acquire()
        finally:
            self._waiting -= 1
        self._busy += 1
        return True

    def release(self) -> None:
        """Give a turn back."""
        self._busy -= 1
        super().release()

    def usage(self, name: str, idle: int = 0) -> PoolUsage:
        """Return the use of a pool with a turn for each connection, and `idle` open ones."""
        return PoolUsage(
            name=name,
            most=self._most,
            open=self._busy + idle,
            busy=self._busy,
            waiting=self._waiting,
        )


# ---------------------------------------------------------------- databases


class SqlSession(Protocol):
    """A connection that one task uses."""

    @abstractmethod
    async def rows(self, clause: ClauseElement, values: Values) -> list[Row]:
        """Run a statement and return its rows."""

    @abstractmethod
    async def run(self, clause: ClauseElement, values: Values) -> int:
        """Run a statement and return the number of rows it changed."""

    @abstractmethod
    async def run_all(self, writes: Sequence[SqlWrite]) -> list[int]:
        """Run statements in order and return the number of rows each of them changed."""

    @abstractmethod
    async def many(self, clause: ClauseElement, values: Iterable[Row]) -> None:
        """Run a statement once for each row of values, which are in the statement's order."""

    @abstractmethod
    async def stage(self, into: Insert, rows: Iterable[Row]) -> None:
        """Add many rows to a temporary table, each with a value for every column in order."""

    @abstractmethod
    def transaction(self) -> AbstractAsyncContextManager[None]:
        """Begin a write transaction: committed at the block's end, rolled back if it raises."""

    @abstractmethod
    async def note_change(self) -> None:
        """Announce in a transaction that caches of what it changes end with its commit."""


class Database(Changes, Protocol):
    """An open database; it raises StoreUnavailable, StoreFull and QueryTooSlow."""

    #: The dialect's name in SQLAlchemy and Alembic.
    engine: str

    @abstractmethod
    async def snapshot(
        self,
        queries: Sequence[SqlQuery],
        scan: bool = False,
        short: bool = False,
        table: Table | None = None,
    ) -> list[list[Row]]:
        """Return the rows of several queries in one snapshot.

        Scans have a pool of their own; `short` means that an index leads to a few rows. A `table`
        is locked against being rebuilt before the snapshot is taken.
        """

    @abstractmethod
    def write(self, durable: bool = True) -> AbstractAsyncContextManager[SqlSession]:
        """Begin a write transaction; one that is not durable may be lost in a power failure."""

    @abstractmethod
    def session(self) -> AbstractAsyncContextManager[SqlSession]:
        """Open a connection for temporary tables; it is closed when the block ends."""

    @abstractmethod
    def migration(self) -> AbstractAsyncContextManager[SqlSession]:
        """Begin the transaction that creates or changes tables; others wait until it ends."""

    @abstractmethod
    async def distrust(self, session: SqlSession) -> None:
        """Stop every process from relying on its `version`, before a migration rebuilds a table.

        From its return to the end of the migration, no process uses what it has cached, so that
        none reads the new table with the old one's columns in mind.
        """

    @abstractmethod
    def now(self, clock: Clock) -> int | None:
        """Return the value of `now` for `dialects.now`; None for the database's own clock."""
