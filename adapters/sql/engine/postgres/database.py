"""PostgreSQL through asyncpg: lanes that read, lanes that write, and an ear for changes."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

from sqlalchemy import Table, func, select
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg

from adapters.sql.engine.database import (
    READ_S,
    BoundStatement,
    Compiler,
    Database,
    Row,
    SqlQuery,
    SqlSession,
)
from adapters.sql.engine.postgres.listen import DISTRUST, MIGRATION_LOCK, TRUST_LOCK, Listener
from adapters.sql.engine.postgres.pool import (
    Connection,
    ConnectionPool,
    Connector,
    ReadConnectionPool,
    end,
)
from adapters.sql.engine.postgres.session import CHANNEL, PostgresSession
from application.ports.operations import Probe
from application.ports.system import Clock
from domain.errors import QueryTooSlow, StoreUnavailable
from domain.times import to_micros

READERS = 4
SCANNERS = 2
WRITERS = 4
#: Each intake has a connection of its own while it is open.
SESSIONS = 16

#: For reads an index leads straight to, in their order: that plan is right whatever the values are,
#: and need not be looked for anew each time, which would take as long as the read itself.
DIRECT: Mapping[str, str] = {"plan_cache_mode": "force_generic_plan"}
#: A slow query takes one core, and leaves the others to those that are not.
ALONE: Mapping[str, str] = {"max_parallel_workers_per_gather": "0"}

_WAIT_S = 10.0
#: A short write that takes longer than this meets a database that does not answer.
WRITE_S = 2.0
_WRITING: Mapping[str, str] = {"lock_timeout": "10s", "statement_timeout": "0"}
#: A merge may wait for another one into the same dataset, and those of millions take long.
_MERGING: Mapping[str, str] = {**_WRITING, "lock_timeout": "60s"}
_ALONE = select(func.pg_advisory_xact_lock(MIGRATION_LOCK))
_NOTIFY_DISTRUST = select(func.pg_notify(CHANNEL, DISTRUST))
_UNTRUSTED = select(func.pg_advisory_xact_lock(TRUST_LOCK))
_FORGETFUL = "BEGIN; SET LOCAL synchronous_commit TO off"


def postgres_compiler() -> Compiler:
    """Return a compiler of statements for PostgreSQL."""
    return Compiler(PGDialect_asyncpg())  # type: ignore[no-untyped-call]


class PostgresDatabase(Database, Probe):
    """One PostgreSQL database; a read that takes longer than `read_s` is stopped.

    `url` is `postgresql://user:password@host:port/database`. Time-conditional statements go by the
    database's own clock, unless `own_time` is switched off. Nothing is connected before it is used.
    """

    engine = "postgresql"

    def __init__(self, url: str, read_s: float = READ_S, own_time: bool = True) -> None:
        self._own_time = own_time
        self._connector = Connector(url)
        self._compiler = postgres_compiler()
        self._reads = ReadConnectionPool(self._connector, READERS, read_s, DIRECT)
        self._scans = ReadConnectionPool(self._connector, SCANNERS, read_s, ALONE)
        self._writes = ConnectionPool(self._connector, WRITERS, _WRITING, WRITE_S)
        self._sessions = asyncio.Semaphore(SESSIONS)
        self._listener = Listener(self._connect, self._forget_idle)

    async def snapshot(
        self,
        queries: Sequence[SqlQuery],
        scan: bool = False,
        short: bool = False,
        table: Table | None = None,
    ) -> list[list[Row]]:
        """The rows of several queries on one state of the data."""
        lane = self._scans if scan else self._reads
        return await lane.snapshot(self._compiler.bound(queries), table)

    @asynccontextmanager
    async def write(self, durable: bool = True) -> AsyncIterator[SqlSession]:
        """A write transaction."""
        crowded = StoreUnavailable("the database is busy with other writing; try again")
        begin = "BEGIN" if durable else _FORGETFUL
        try:
            async with self._writes.lend(WRITE_S, crowded) as connection:
                session = PostgresSession(connection, self._compiler, self._listener.moved, begin)
                async with session.transaction():
                    yield session
        except QueryTooSlow as error:
            raise StoreUnavailable("the database does not answer; try again shortly") from error

    @asynccontextmanager
    async def session(self) -> AsyncIterator[SqlSession]:
        """A connection of one's own; its temporary tables end with it."""
        try:
            async with asyncio.timeout(_WAIT_S):
                await self._sessions.acquire()
        except TimeoutError as error:
            raise StoreUnavailable("too many fetches are being stored at once") from error
        try:
            connection = await self._connect()
            try:
                yield PostgresSession(connection, self._compiler, self._listener.moved)
            finally:
                await end(connection)
        finally:
            self._sessions.release()

    @asynccontextmanager
    async def migration(self) -> AsyncIterator[SqlSession]:
        """The transaction that makes or changes tables."""
        async with self.session() as session, session.transaction():
            await session.rows(_ALONE, {})
            yield session

    async def distrust(self, session: SqlSession) -> None:
        """Notify everybody, and return when all have heard and rely on no version any more."""
        async with self.write(durable=False) as notifying:
            await notifying.rows(_NOTIFY_DISTRUST, {})
        await session.rows(_UNTRUSTED, {})

    def now(self, clock: Clock) -> int | None:
        """None, for the database's own time, unless that is switched off."""
        return None if self._own_time else to_micros(clock.now())

    @property
    def works(self) -> str:
        """What is said of it while it works."""
        return "connected"

    async def check(self) -> None:
        """Return when the database can be read; StoreUnavailable says why it cannot."""
        await self._reads.snapshot([BoundStatement("SELECT name FROM datasets LIMIT 1", [])])

    def version(self) -> int:
        """How many changes have been heard of; a new number each time while none can be heard."""
        return self._listener.version()

    async def listening(self) -> None:
        """Return when changes by others are heard, so that `version` stands still between them."""
        await self._listener.hearing()

    async def close(self) -> None:
        """Close every connection; what is being written ends first."""
        await self._listener.close()
        for lane in (self._writes, self._reads, self._scans):
            await lane.close()

    async def _connect(self) -> Connection:
        return await self._connector.connect(time.monotonic(), _MERGING)

    def _forget_idle(self) -> None:
        for lane in (self._reads, self._scans, self._writes):
            lane.forget_idle()
