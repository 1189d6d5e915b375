"""What the stores need of a database, whichever engine it is."""

from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, NamedTuple, Protocol
from weakref import WeakKeyDictionary

from sqlalchemy import ClauseElement, Insert, Table
from sqlalchemy.engine import Dialect

from application.ports.datasets import Changes
from application.ports.system import Clock
from domain.times import from_micros

Row = tuple[Any, ...]
Values = Mapping[str, Any]
#: A statement with its values; or with as many rows as are enough, together with those before it:
#: when there are so many already, it is left out and has no rows.
SqlQuery = tuple[ClauseElement, Values] | tuple[ClauseElement, Values, int]

#: A statement that writes, with its values.
SqlWrite = tuple[ClauseElement, Values]

#: A read that needs longer is stopped.
READ_S = 5.0
#: So many reads may wait in one lane; more would only be told that they took too long.
MAX_WAITING = 500

# ---------------------------------------------------------------- rows


def named_row(names: Iterable[str], row: Sequence[Any], times: Iterable[str]) -> dict[str, Any]:
    """Return the values of a row by these names; those of `times` as times."""
    named = dict(zip(names, row, strict=True))
    return named | {name: from_micros(named[name]) for name in times}


# ---------------------------------------------------------------- statements


class Statement:
    """A statement compiled once: its text, and the order in which its values go to the driver."""

    def __init__(self, clause: ClauseElement, dialect: Dialect) -> None:
        compiled = clause.compile(dialect=dialect)
        self.text = str(compiled)
        self._names: Sequence[str] = getattr(compiled, "positiontup", None) or ()
        self._fixed: Values = compiled.params

    def values(self, given: Values) -> list[Any]:
        """The values in the driver's order; those fixed in the statement need not be given."""
        fixed = self._fixed
        return [given[name] if name in given else fixed[name] for name in self._names]


class BoundStatement(NamedTuple):
    """A query as the driver takes it: its text, its values in order, and how many rows suffice."""

    text: str
    values: list[Any]
    enough: int | None = None


class Compiler:
    """Compiles each statement the first time it is used and remembers it as long as it lives."""

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect
        self._compiled: WeakKeyDictionary[ClauseElement, Statement] = WeakKeyDictionary()

    def __call__(self, clause: ClauseElement) -> Statement:
        """The compiled form of a statement."""
        statement = self._compiled.get(clause)
        if statement is None:
            statement = self._compiled[clause] = Statement(clause, self.dialect)
        return statement

    def bound(self, queries: Sequence[SqlQuery]) -> list[BoundStatement]:
        """Several queries as the driver takes them."""
        return [self._bound(*query) for query in queries]

    def _bound(
        self, clause: ClauseElement, given: Values, enough: int | None = None
    ) -> BoundStatement:
        statement = self(clause)
        return BoundStatement(statement.text, statement.values(given), enough)


# ---------------------------------------------------------------- databases


class SqlSession(Protocol):
    """A connection in use by one task."""

    @abstractmethod
    async def rows(self, clause: ClauseElement, values: Values) -> list[Row]:
        """Run a statement and return its rows."""

    @abstractmethod
    async def run(self, clause: ClauseElement, values: Values) -> int:
        """Run a statement and return how many rows it touched."""

    @abstractmethod
    async def run_all(self, writes: Sequence[SqlWrite]) -> list[int]:
        """Run statements one after another, and return how many rows each of them touched."""

    @abstractmethod
    async def many(self, clause: ClauseElement, values: Iterable[Row]) -> None:
        """Run a statement once for each row of values, given in the statement's order."""

    @abstractmethod
    async def stage(self, into: Insert, rows: Iterable[Row]) -> None:
        """Add many rows to a temporary table, each with a value for every column in order."""

    @abstractmethod
    def transaction(self) -> AbstractAsyncContextManager[None]:
        """A write transaction: committed when the block ends, undone when it raises."""

    @abstractmethod
    async def note_change(self) -> None:
        """Say inside a transaction that what readers keep may no longer hold once it commits."""


class Database(Changes, Protocol):
    """An open database; its errors are StoreUnavailable, StoreFull and QueryTooSlow."""

    #: The name SQLAlchemy and Alembic have for its kind.
    engine: str

    @abstractmethod
    async def snapshot(
        self,
        queries: Sequence[SqlQuery],
        scan: bool = False,
        short: bool = False,
        table: Table | None = None,
    ) -> list[list[Row]]:
        """Return the rows of several queries on one state of the data.

        Scans have a lane of their own; `short` are those an index leads to, and few of them. The
        `table`, if one is given, is as it is in that state, and not built anew meanwhile.
        """

    @abstractmethod
    def write(self, durable: bool = True) -> AbstractAsyncContextManager[SqlSession]:
        """A write transaction; one that is not durable may be forgotten when the power fails."""

    @abstractmethod
    def session(self) -> AbstractAsyncContextManager[SqlSession]:
        """A connection of one's own, for temporary tables; closed when the block ends."""

    @abstractmethod
    def migration(self) -> AbstractAsyncContextManager[SqlSession]:
        """The transaction that makes or changes tables: one at a time, the others wait for it."""

    @abstractmethod
    async def distrust(self, session: SqlSession) -> None:
        """Within a migration, before a table is built anew: let no process rely on its `version`.

        On return every process reads anew what it knows, until the migration has ended. So nobody
        reads the new table in the belief that it is the old one.
        """

    @abstractmethod
    def now(self, clock: Clock) -> int | None:
        """The value of `now` for `dialects.now`; None where the database knows the time."""
