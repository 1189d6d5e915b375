"""The backends that every contract runs on."""

import atexit
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache, partial
from pathlib import Path
from shutil import copyfile
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy import bindparam, delete, select, update

from adapters.memory.accounts import MemoryApiTokens, MemorySessions
from adapters.memory.database import MemoryDatabase
from adapters.memory.in_memory import InMemory
from adapters.memory.system import SeededRandom, SteerableClock
from adapters.sql.accounts.accounts import SqlAccounts
from adapters.sql.accounts.api_tokens import SqlApiTokens
from adapters.sql.accounts.sessions import SqlSessions
from adapters.sql.accounts.throttling import SqlClientLimits, SqlLoginAttempts
from adapters.sql.datasets.store import SqlStore
from adapters.sql.engine.database import Database
from adapters.sql.engine.postgres.database import PostgresDatabase
from adapters.sql.engine.sqlite.database import SqliteDatabase
from adapters.sql.ingest.intake import SqlIntakes
from adapters.sql.ingest.payloads import SqlReceipts
from adapters.sql.ingest.quarantine import SqlQuarantine
from adapters.sql.jobs.idempotency import SqlIdempotency
from adapters.sql.jobs.jobs import SqlJobHistory, SqlJobs, SqlSourceHistory
from adapters.sql.jobs.schedules import SqlSchedules
from adapters.sql.operations.alerts import SqlAlerts
from adapters.sql.operations.restoration import SqlRestoration
from adapters.sql.operations.retention import SqlRetention
from adapters.sql.politeness.budget import SqlBudget
from adapters.sql.schema.migrate import SqlTables, migrate
from adapters.sql.schema.sql_dataset import SqlDataset
from adapters.sql.schema.tables import payload_chunks, receipts
from adapters.sql.tasks.repositories import SqlKnownRepositories
from adapters.sql.tasks.tasks import SqlTasks
from application.ports.accounts import (
    Accounts,
    ApiTokens,
    ClientLimits,
    LoginAttempts,
    Sessions,
    UserSessions,
)
from application.ports.datasets import Changes, Store, Tables
from application.ports.ingest import Intakes, Quarantine, Receipts
from application.ports.jobs import Idempotency, JobHistory, Jobs, Schedules, SourceHistory
from application.ports.operations import Alerts, Connections, Probe, Restoration, Retention
from application.ports.politeness import Budget
from application.ports.system import Random
from application.ports.tasks import KnownRepositories, Tasks
from domain.builtin.crypto_assets import CRYPTO_ASSETS
from domain.builtin.data_points import DATA_POINTS
from domain.builtin.posts import POSTS
from domain.checkpoints import Checkpoint
from domain.dataset import Dataset, Key
from domain.jobs import FetchJob, JobStatus
from domain.paging import PageRequest, Sort
from domain.payloads import Payload
from domain.politeness import Rate
from domain.reports import Counts, FetchReport
from domain.tasks import TASKS
from tests.services.postgres import opened
from tests.strategies import SAMPLES

DATASETS: tuple[Dataset[Any], ...] = (POSTS, CRYPTO_ASSETS, DATA_POINTS, SAMPLES, TASKS)
RATES = {"strict.example": Rate(5, 10.0)}
DEFAULT_RATE = Rate(100, 10.0)


@dataclass(frozen=True)
class Backend:
    """One backend's adapters over one empty database, and the steps tests take with them."""

    store: Store
    intakes: Intakes
    tables: Tables
    jobs: Jobs
    history: JobHistory
    sources: SourceHistory
    schedules: Schedules
    idempotency: Idempotency
    quarantine: Quarantine
    retention: Retention
    alerts: Alerts
    budget: Budget
    accounts: Accounts
    sessions: Sessions
    user_sessions: UserSessions
    restoration: Restoration
    api_tokens: ApiTokens
    #: Sessions and API tokens as another process sees them, which has another secret key.
    with_key: Callable[[str], tuple[Sessions, ApiTokens]]
    client_limits: ClientLimits
    attempts: LoginAttempts
    receipts: Receipts
    probe: Probe
    connections: Connections
    changes: Changes
    tasks: Tasks
    known_repositories: KnownRepositories
    #: Deletes records by key, as nothing in the product does yet.
    forget: Callable[[Dataset[Any], Sequence[Key]], Awaitable[None]]
    #: Damages one byte of the stored payload of a receipt.
    damage: Callable[[int], Awaitable[None]]
    clock: SteerableClock
    random: Random = field(default_factory=SeededRandom)

    def queued(self, dataset: Dataset[Any] = SAMPLES) -> FetchJob:
        """Return a job that is not stored yet."""
        return FetchJob(
            id=self.random.identifier(), dataset=dataset.name, queued_at=self.clock.now()
        )

    async def claimed(self, dataset: Dataset[Any] = SAMPLES) -> FetchJob:
        """Return a job that is running."""
        job = await self.jobs.request(self.queued(dataset))
        claimed = await self.jobs.claim(job.id)
        assert claimed is not None
        return claimed

    async def end(self, job: FetchJob, status: JobStatus = JobStatus.SUCCEEDED) -> FetchJob:
        """End a running job."""
        ended = job.ended(status, FetchReport(), self.clock.now())
        await self.jobs.release(ended)
        return ended

    async def bring(
        self, records: Sequence[Any], dataset: Dataset[Any] = SAMPLES, source: str = "one"
    ) -> Counts:
        """Do all of a fetch: claim, keep, add, commit, end."""
        job = await self.claimed(dataset)
        async with self.intakes.open(dataset, source, job) as intake:
            kept = await intake.keep(self.payload())
            await intake.add(records, kept)
            counts = await intake.commit(self.checkpoint(job, source))
        await self.end(job)
        return counts

    async def everything(self, dataset: Dataset[Any] = SAMPLES) -> list[Any]:
        """Return every stored row, by key."""
        sort = Sort.parse(dataset, "")
        page = await self.store.find(dataset, PageRequest(sort=sort, limit=1_000_000))
        return page.rows

    def payload(self, body: bytes = b"[]", received_at: datetime | None = None) -> Payload:
        """Return a body as it arrived."""
        return Payload(
            url="https://example.com/things?page=1",
            body=body,
            content_type="application/json; charset=utf-8",
            received_at=received_at or self.clock.now(),
        )

    def checkpoint(self, job: FetchJob, source: str = "one") -> Checkpoint:
        """Return a checkpoint as of now."""
        return Checkpoint(source=source, fetched_at=self.clock.now(), job_id=job.id)


Open = Callable[[], AbstractAsyncContextManager[Backend]]


def in_memory(
    database: MemoryDatabase, clock: SteerableClock, rate: Rate = DEFAULT_RATE
) -> Backend:
    """Return the adapters over a database in memory; `rate` is that of hosts without one."""
    memory = InMemory(database, clock, RATES, rate)
    return Backend(
        store=memory.store,
        intakes=memory.intakes,
        tables=memory.tables,
        jobs=memory.jobs,
        history=memory.history,
        sources=memory.source_history,
        schedules=memory.schedules,
        idempotency=memory.idempotency,
        quarantine=memory.quarantine,
        retention=memory.retention,
        alerts=memory.alerts,
        budget=memory.budget,
        accounts=memory.accounts,
        sessions=memory.sessions,
        user_sessions=memory.user_sessions,
        restoration=memory.restoration,
        with_key=lambda key: (MemorySessions(database, clock, key), MemoryApiTokens(database, key)),
        api_tokens=memory.api_tokens,
        client_limits=memory.client_limits,
        attempts=memory.login_attempts,
        receipts=memory.receipts,
        probe=memory.probe,
        connections=memory.connections,
        changes=memory.changes,
        tasks=memory.tasks,
        known_repositories=memory.known_repositories,
        forget=partial(_forget_in_memory, database),
        damage=partial(_damage_in_memory, database),
        clock=clock,
    )


@asynccontextmanager
async def memory() -> AsyncIterator[Backend]:
    """Return a backend in memory."""
    yield in_memory(MemoryDatabase(), SteerableClock())


async def _forget_in_memory(
    database: MemoryDatabase, dataset: Dataset[Any], keys: Sequence[Key]
) -> None:
    for key in keys:
        database.tables[dataset.name].rows.pop(key, None)


def over(
    database: SqliteDatabase | PostgresDatabase, clock: SteerableClock, rate: Rate = DEFAULT_RATE
) -> Backend:
    """Return the adapters over a database that speaks SQL; `rate` is that of hosts without one."""
    return Backend(
        store=SqlStore(database),
        intakes=SqlIntakes(database, clock),
        tables=SqlTables(database),
        jobs=SqlJobs(database, clock),
        history=SqlJobHistory(database, clock),
        sources=SqlSourceHistory(database),
        schedules=SqlSchedules(database, clock),
        idempotency=SqlIdempotency(database, clock),
        quarantine=SqlQuarantine(database),
        retention=SqlRetention(database),
        alerts=SqlAlerts(database, clock),
        budget=SqlBudget(database, clock, RATES, rate),
        accounts=SqlAccounts(database),
        sessions=SqlSessions(database, clock, ""),
        user_sessions=SqlSessions(database, clock, ""),
        restoration=SqlRestoration(database, clock, ""),
        api_tokens=SqlApiTokens(database, ""),
        with_key=lambda key: (SqlSessions(database, clock, key), SqlApiTokens(database, key)),
        client_limits=SqlClientLimits(database, clock),
        attempts=SqlLoginAttempts(database, clock),
        receipts=SqlReceipts(database),
        probe=database,
        connections=database,
        changes=database,
        tasks=SqlTasks(database, clock),
        known_repositories=SqlKnownRepositories(database),
        forget=partial(_forget_in_sql, database),
        damage=partial(_damage_in_sql, database),
        clock=clock,
    )


async def _forget_in_sql(database: Database, dataset: Dataset[Any], keys: Sequence[Key]) -> None:
    table = SqlDataset.of(dataset).table
    same = [table.c[name] == bindparam(f"key_{name}") for name in dataset.key]
    async with database.write() as session:
        for key in keys:
            named = {f"key_{n}": v for n, v in zip(dataset.key, key, strict=True)}
            await session.run(delete(table).where(*same), named)


async def _damage_in_memory(database: MemoryDatabase, receipt: int) -> None:
    database.damaged.add(receipt)


async def _damage_in_sql(database: Database, receipt: int) -> None:
    of = select(receipts.c.hash).where(receipts.c.id == receipt)
    chunk = select(payload_chunks.c.data, payload_chunks.c.hash)
    found = await database.snapshot([(chunk.where(payload_chunks.c.hash.in_(of)), {})])
    [[[data, digest]]] = found
    flipped = data[:-1] + bytes([data[-1] ^ 1])
    async with database.write() as session:
        same = payload_chunks.c.hash == digest
        await session.run(update(payload_chunks).where(same).values(data=flipped), {})


@cache
def _template() -> Path:
    """Return a migrated file, made once a process."""
    folder = TemporaryDirectory(prefix="catchment-sqlite-")
    atexit.register(folder.cleanup)
    return Path(folder.name, "empty.db")


@asynccontextmanager
async def sqlite() -> AsyncIterator[Backend]:
    """Return a backend in a SQLite file of its own."""
    if not _template().exists():
        await migrate(SqliteDatabase(_template()), DATASETS)
    with TemporaryDirectory() as folder:
        database = SqliteDatabase(Path(folder, "catchment.db"))
        copyfile(_template(), database.path)
        try:
            yield over(database, SteerableClock())
        finally:
            await database.close()


@asynccontextmanager
async def postgres() -> AsyncIterator[Backend]:
    """Yield a backend in a PostgreSQL database of its own."""
    async with opened(DATASETS) as database:
        yield over(database, SteerableClock())


BACKENDS: dict[str, Open] = {"memory": memory, "sqlite": sqlite, "postgres": postgres}
#: A step on a server takes so much longer that fewer examples are run there.
_EXAMPLES = {memory: 40, sqlite: 12, postgres: 8}


def examples_of(open_backend: Open) -> int:
    """Return how many examples of a story in many steps a backend has time for."""
    return _EXAMPLES[open_backend]
