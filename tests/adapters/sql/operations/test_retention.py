"""Retention over SQL: small transactions, nothing left over, no conflicts with fetches."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import ClauseElement, insert, text

from adapters.memory.system import SteerableClock
from adapters.sql.engine.database import Database, Row, SqlSession, Values
from adapters.sql.engine.postgres.database import PostgresDatabase
from adapters.sql.engine.sqlite.database import SqliteDatabase
from adapters.sql.ingest.intake import SqlIntakes
from adapters.sql.ingest.payloads import pack, receive
from adapters.sql.jobs.jobs import SqlJobs
from adapters.sql.operations.retention import SqlRetention
from adapters.sql.schema.tables import jobs, payload_chunks, payloads, quarantine, receipts
from application.operations.prune import Prune
from domain.builtin.posts import POSTS
from domain.checkpoints import Checkpoint
from domain.jobs import FetchJob
from domain.payloads import Payload
from domain.retention import BATCH, RetainedKind, RetentionPolicy
from domain.times import to_micros
from tests.adapters.outbound.client_fixture import HurriedClock
from tests.adapters.sql.conftest import read, until, waits_for_a_lock
from tests.services.postgres import administering

DAY = timedelta(days=1)
KEEPING = RetentionPolicy(
    ages=dict.fromkeys((RetainedKind.QUARANTINE, RetainedKind.PAYLOADS, RetainedKind.JOBS), DAY)
)
MANY = 10_500


class CountedSqlite(SqliteDatabase):
    """A database that counts the rows that each write transaction changes."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.changed: list[int] = []

    @asynccontextmanager
    async def write(self, durable: bool = True) -> AsyncIterator[SqlSession]:
        """Begin a write transaction."""
        async with super().write(durable) as session:
            [[before]] = await session.rows(_CHANGED, {})
            yield session
            [[after]] = await session.rows(_CHANGED, {})
            self.changed.append(after - before)


#: Rows deleted by a foreign key are counted, too.
_CHANGED = text("SELECT total_changes()")


async def fill(database: Database, clock: SteerableClock) -> None:
    """Insert many rows of every kind, all old but one job and one fetch."""
    at, now = to_micros(clock.now()), to_micros(clock.now() + DAY * 30)
    numbers = range(MANY)
    async with database.write() as session:
        await session.many(
            insert(jobs),
            (_job(f"job {n}", now if n == MANY - 1 else at) for n in numbers),
        )
        await session.many(insert(payloads), ((f"hash {n}", 10) for n in numbers))
        await session.many(insert(payload_chunks), ((f"hash {n}", 0, b"x") for n in numbers))
        await session.many(insert(receipts), ((n + 1, *_receipt(n), at, True) for n in numbers))
        await session.many(
            insert(quarantine),
            ((n + 1, "posts", "one", f"digest {n}", n, "/", "bad", "", at) for n in numbers),
        )
    clock.advance(DAY * 30)


def _job(name: str, finished_at: int) -> tuple[Any, ...]:
    times = (0, None, None, finished_at, None)
    return (name, "posts", "sync", False, None, "succeeded", 1, 1, *times, None, None)


def _receipt(number: int) -> tuple[Any, ...]:
    return ("posts", "one", f"job {number}", "u", 0, f"hash {number}", "")


async def count(database: Database, table: str) -> int:
    """Return how many rows a table has."""
    return int(await read(database, f"SELECT count(*) FROM {table}"))


async def counts(database: Database) -> list[int]:
    """Return how many rows each of these tables has."""
    tables = ("quarantine", "receipts", "payloads", "payload_chunks", "jobs")
    return [await count(database, table) for table in tables]


async def test_many_rows_are_removed_in_small_transactions(path: Path) -> None:
    clock, database = HurriedClock(), CountedSqlite(path)
    await fill(database, clock)
    database.changed.clear()

    removed = await Prune(SqlRetention(database), clock, KEEPING)()
    left = await counts(database)
    await database.close()

    assert removed == {
        RetainedKind.QUARANTINE: MANY,
        RetainedKind.PAYLOADS: MANY - 1,
        RetainedKind.JOBS: MANY - 1,
    }
    assert left == [0, 1, 1, 1, 1]
    assert sum(database.changed) == MANY + 3 * (MANY - 1) + MANY - 1
    assert max(database.changed) <= BATCH


async def test_many_rows_are_removed_by_two_at_once_on_postgresql(
    postgres: PostgresDatabase,
) -> None:
    clock = HurriedClock()
    await fill(postgres, clock)
    prune = Prune(SqlRetention(postgres), clock, KEEPING)

    both = await asyncio.gather(prune(), prune())
    rest = await prune()

    together = {kept: sum(removed[kept] for removed in (*both, rest)) for kept in both[0]}
    assert together == {
        RetainedKind.QUARANTINE: MANY,
        RetainedKind.PAYLOADS: MANY - 1,
        RetainedKind.JOBS: MANY - 1,
    }
    assert await counts(postgres) == [0, 1, 1, 1, 1]


# ---------------------------------------------------------------- beside a fetch


async def claimed(database: Database, clock: SteerableClock, job_id: str) -> FetchJob:
    """Return a running job."""
    jobs_ = SqlJobs(database, clock)
    await jobs_.request(FetchJob(id=job_id, dataset="posts", queued_at=clock.now()))
    job = await jobs_.claim(job_id)
    assert job is not None
    return job


async def test_a_body_that_is_just_arriving_again_is_not_removed(
    postgres: PostgresDatabase, clock: SteerableClock
) -> None:
    body = Payload(url="u", body=b"the same", received_at=clock.now())
    await _arrive(postgres, await claimed(postgres, clock, "first"), body)
    await SqlJobs(postgres, clock).cancel("first")
    clock.advance(DAY)
    job = await claimed(postgres, clock, "second")

    async with postgres.write() as session:
        pruned = Pruned(session, SqlRetention(postgres), clock)
        await receive(pruned, job, "one", body, pack(body.body))
    afterwards = await SqlRetention(postgres).prune(RetainedKind.PAYLOADS, clock.now(), BATCH)

    assert (pruned.removed, afterwards) == (0, 1)
    assert await counts(postgres) == [0, 1, 1, 1, 2]


class Pruned:
    """A session that prunes, as another process would, after every statement."""

    def __init__(self, session: SqlSession, retention: SqlRetention, clock: SteerableClock) -> None:
        self.removed = 0
        self._session = session
        self._retention = retention
        self._clock = clock

    async def rows(self, clause: ClauseElement, values: Values) -> list[Row]:
        """Run a statement and return its rows."""
        rows = await self._session.rows(clause, values)
        self.removed += await self._retention.prune(RetainedKind.PAYLOADS, self._clock.now(), BATCH)
        return rows

    async def run(self, clause: ClauseElement, values: Values) -> int:
        """Run a statement and return the number of rows it changed."""
        changed = await self._session.run(clause, values)
        self.removed += await self._retention.prune(RetainedKind.PAYLOADS, self._clock.now(), BATCH)
        return changed


async def test_a_body_that_arrives_while_it_is_removed_is_kept_anew(
    postgres: PostgresDatabase, url: str, clock: SteerableClock
) -> None:
    job = await claimed(postgres, clock, "a job")
    body = Payload(url="u", body=b"the same", received_at=clock.now())
    packed = pack(body.body)
    async with postgres.write() as session:
        await receive(session, job, "one", body, packed)
    async with administering(url) as pruning:
        begun = pruning.transaction()
        await begun.start()
        await pruning.execute("SELECT hash FROM payloads FOR UPDATE")
        await pruning.execute("DELETE FROM receipts")
        await pruning.execute("DELETE FROM payloads")

        arriving = asyncio.create_task(_arrive(postgres, job, body))
        async with administering(url) as observer:
            await until(lambda: waits_for_a_lock(observer))
        await begun.commit()
        await arriving

    assert await counts(postgres) == [0, 1, 1, 1, 1]


async def _arrive(database: Database, job: FetchJob, body: Payload) -> None:
    async with database.write() as session:
        await receive(session, job, "one", body, pack(body.body))


async def test_payloads_pruned_during_a_replay_are_skipped(
    database: SqliteDatabase, clock: SteerableClock
) -> None:
    intakes, jobs_ = SqlIntakes(database, clock), SqlJobs(database, clock)
    for name in ("first", "second", "third"):
        job = await claimed(database, clock, name)
        async with intakes.open(POSTS, "one", job) as intake:
            await intake.keep(Payload(url="u", body=name.encode(), received_at=clock.now()))
            await intake.commit(Checkpoint(source="one", fetched_at=clock.now(), job_id=name))
        await jobs_.cancel(name)
        clock.advance(1)
    seen = []

    async with intakes.open(POSTS, "one", await claimed(database, clock, "reading")) as intake:
        async for kept in intake.kept():
            seen.append(kept.payload.body)
            await SqlRetention(database).prune(RetainedKind.PAYLOADS, clock.now(), BATCH)

    assert seen == [b"first", b"third"]


@pytest.mark.parametrize(
    "what", [RetainedKind.QUARANTINE, RetainedKind.PAYLOADS, RetainedKind.JOBS]
)
async def test_a_cancelled_prune_removes_nothing(
    database: SqliteDatabase, clock: SteerableClock, what: RetainedKind
) -> None:
    await fill(database, clock)
    before = await counts(database)

    pruning = asyncio.create_task(SqlRetention(database).prune(what, clock.now(), BATCH))
    await asyncio.sleep(0)
    pruning.cancel()
    await asyncio.wait([pruning])

    assert await counts(database) == before
