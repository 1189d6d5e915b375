"""PostgreSQL through asyncpg: pools for reads, scans and writes, and a listener for changes."""

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
    Turns,
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
from application.ports.operations import Connections, PoolUsage, Probe
from application.ports.system import Clock
from domain.errors import QueryTooSlow, StoreUnavailable
from domain.times import to_micros

READERS = 4
SCANNERS = 2
WRITERS = 4
#: One for each open intake.
SESSIONS = 16

#: For reads that an index answers in order: the generic plan is right for all values, and planning
#: each one again would take as long as the read itself.
DIRECT: Mapping[str, str] = {"plan_cache_mode": "force_generic_plan"}
#: A scan uses one core and leaves the others to fast reads.
ALONE: Mapping[str, str] = {"max_parallel_workers_per_gather": "0"}

_WAIT_S = 10.0
#: A short write that takes longer means that the database does not respond.
WRITE_S = 2.0
_WRITING: Mapping[str, str] = {"lock_timeout": "10s", "statement_timeout": "0"}
#: A merge may wait for another one into the same dataset, which is slow with millions of records.
_MERGING: Mapping[str, str] = {**_WRITING, "lock_timeout": "60s"}
_MIGRATION_LOCK = select(func.pg_advisory_xact_lock(MIGRATION_LOCK))
_ENCODING = select(func.current_setting("server_encoding"))
_NOTIFY_DISTRUST = select(func.pg_notify(CHANNEL, DISTRUST))
_TRUST_LOCK = select(func.pg_advisory_xact_lock(TRUST_LOCK))
_BEGIN_NOT_DURABLE = "BEGIN; SET LOCAL synchronous_commit TO off"


def postgres_compiler() -> Compiler:
    """Return a compiler of statements for PostgreSQL."""
    return Compiler(PGDialect_asyncpg())  # type: ignore[no-untyped-call]


async def _require_utf8(session: SqlSession) -> None:
    """Raise StoreUnavailable for a database that cannot store every character."""
    [[encoding]] = await session.rows(_ENCODING, {})
    if encoding != "UTF8":
        raise StoreUnavailable(
            f"the database stores text as {encoding}, and UTF8 is needed; create another one:"
            " createdb --template template0 --encoding UTF8 NAME"
        )


class PostgresDatabase(Database, Probe, Connections):
    """One PostgreSQL database; a read that takes longer than `read_s` is stopped.

    `url` is `postgresql://user:password@host:port/database`. Statements that compare times use the
    database's own clock, unless `own_time` is false. Connections are made when first used.
    """

    engine = "postgresql"

    def __init__(self, url: str, read_s: float = READ_S, own_time: bool = True) -> None:
        self._own_time = own_time
        self._connector = Connector(url)
        self._compiler = postgres_compiler()
        self._reads = ReadConnectionPool("read", self._connector, READERS, read_s, DIRECT)
        self._scans = ReadConnectionPool("scan", self._connector, SCANNERS, read_s, ALONE)
        self._writes = ConnectionPool("write", self._connector, WRITERS, _WRITING, WRITE_S)
        self._sessions = Turns(SESSIONS)
        self._listener = Listener(self._connect, self._forget_idle)

    async def snapshot(
        self,
        queries: Sequence[SqlQuery],
        scan: bool = False,
        short: bool = False,
        table: Table | None = None,
    ) -> list[list[Row]]:
        """Return the rows of several queries in one snapshot."""
        pool = self._scans if scan else self._reads
        return await pool.snapshot([self._compiler.bind(*query) for query in queries], table)

    @asynccontextmanager
    async def write(self, durable: bool = True) -> AsyncIterator[SqlSession]:
        """Begin a write transaction."""
        crowded = StoreUnavailable("the database is busy with other writing; try again")
        begin = "BEGIN" if durable else _BEGIN_NOT_DURABLE
        try:
            async with self._writes.lend(WRITE_S, crowded) as connection:
                on_change = self._listener.count_change
                session = PostgresSession(connection, self._compiler, on_change, begin)
                async with session.transaction():
                    yield session
        except QueryTooSlow as error:
            raise StoreUnavailable("the database does not answer; try again shortly") from error

    @asynccontextmanager
    async def session(self) -> AsyncIterator[PostgresSession]:
        """Open a connection for temporary tables, which end with it."""
        try:
            async with asyncio.timeout(_WAIT_S):
                await self._sessions.acquire()
        except TimeoutError as error:
            raise StoreUnavailable("too many fetches are being stored at once") from error
        try:
            connection = await self._connect()
            try:
                yield PostgresSession(connection, self._compiler, self._listener.count_change)
            finally:
                await end(connection)
        finally:
            self._sessions.release()

    @asynccontextmanager
    async def migration(self) -> AsyncIterator[SqlSession]:
        """Begin the transaction that creates or changes tables."""
        async with self.session() as session, session.transaction():
            await session.require_direct()
            await session.rows(_MIGRATION_LOCK, {})
            await _require_utf8(session)
            yield session

    async def distrust(self, session: SqlSession) -> None:
        """Notify all processes and return when none relies on its version any more."""
        async with self.write(durable=False) as notifying:
            await notifying.rows(_NOTIFY_DISTRUST, {})
        await session.rows(_TRUST_LOCK, {})

    def now(self, clock: Clock) -> int | None:
        """Return None for the database's own clock, unless that is switched off."""
        return None if self._own_time else to_micros(clock.now())

    @property
    def works(self) -> str:
        """The status text of a healthy database."""
        return "connected"

    async def check(self) -> None:
        """Return if the database can be read; raise StoreUnavailable with the reason if not."""
        await self._reads.snapshot([BoundStatement("SELECT name FROM datasets LIMIT 1", [])])

    def version(self) -> int:
        """Return the number of changes heard of; a new number each time while disconnected."""
        return self._listener.version()

    def pools(self) -> list[PoolUsage]:
        """Return the present use of each pool; an intake opens its own connection."""
        pools = [pool.usage for pool in (self._reads, self._scans, self._writes)]
        return [*pools, self._sessions.usage("intake")]

    async def listening(self) -> None:
        """Return once changes are heard, so that `version` stays the same between them."""
        await self._listener.hearing()

    async def close(self) -> None:
        """Close every connection after the writes in progress."""
        await self._listener.close()
        for pool in (self._writes, self._reads, self._scans):
            await pool.close()

    async def _connect(self) -> Connection:
        return await self._connector.connect(time.monotonic(), _MERGING)

    def _forget_idle(self) -> None:
        for pool in (self._reads, self._scans, self._writes):
            pool.forget_idle()
