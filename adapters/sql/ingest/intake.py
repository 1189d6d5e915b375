"""The intake over SQL: staged on its own connection, merged in one transaction."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from operator import attrgetter, lt
from typing import Any

import msgspec
from sqlalchemy import bindparam, select, true, update

from adapters.sql.engine.database import Database, SqlSession, SqlWrite
from adapters.sql.engine.dialects import replacing
from adapters.sql.ingest.payloads import kept, pack, receive
from adapters.sql.ingest.quarantine import reject, release
from adapters.sql.schema.sql_dataset import SqlDataset
from adapters.sql.schema.tables import checkpoints, jobs, receipts
from application.ports.ingest import Intake, Intakes, R_in
from application.ports.system import Clock
from domain.checkpoints import Checkpoint
from domain.dataset import Dataset, R
from domain.errors import LeaseLost
from domain.jobs import FetchJob, JobStatus
from domain.payloads import Arrivals, Payload, Replay, StoredPayload
from domain.reports import Counts, Rejection
from domain.times import to_micros

_BATCH = 1000

_MERGED = (
    update(receipts)
    .where(
        receipts.c.dataset == bindparam("of"),
        receipts.c.source == bindparam("by"),
        receipts.c.job_id == bindparam("job"),
        receipts.c.id >= bindparam("first"),
    )
    .values(merged=True)
)
_MERGED_LATER = update(receipts).where(receipts.c.id == bindparam("again")).values(merged=true())
#: Locks the job until the transaction ends, so that it cannot be claimed or ended.
_HOLDS = (
    select(jobs.c.id)
    .where(
        jobs.c.id == bindparam("job"),
        jobs.c.fence == bindparam("fence_held"),
        jobs.c.status == JobStatus.RUNNING.value,
    )
    .with_for_update()
)
_CHECKPOINT = replacing(checkpoints)


class SqlIntakes(Intakes):
    """Intakes into the datasets of a SQL database."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    @asynccontextmanager
    async def open(
        self, dataset: Dataset[R], source: str, job: FetchJob
    ) -> AsyncIterator[Intake[R]]:
        """Open an intake on its own connection."""
        async with self._database.session() as session:
            yield SqlIntake(session, self._clock, dataset, source, job)


class _Undone(Exception):
    """The end of a dry run, which rolls its transaction back."""


class SqlIntake(Intake[R_in]):
    """An intake that stages records in a temporary table and merges them in one transaction."""

    def __init__(
        self, session: SqlSession, clock: Clock, dataset: Dataset[Any], source: str, job: FetchJob
    ) -> None:
        self._session = session
        self._clock = clock
        self._dataset = SqlDataset.of(dataset)
        self._source = source
        self._job = job
        self._key_of = attrgetter(*dataset.key)
        self._added = 0
        self._last_key: Any = None
        self._ascending = True
        self._stage_exists = False
        self._stage_is_merged = False
        self._first_receipt = 0
        self._again: set[int] = set()
        self._rejected: set[str] = set()

    async def keep(self, payload: Payload) -> Payload:
        """Store a body, once for each distinct one, with a receipt of its arrival."""
        packed = await asyncio.to_thread(pack, payload.body)
        async with self._session.transaction():
            await self._hold()
            received = await receive(self._session, self._job, self._source, payload, packed)
        self._first_receipt = self._first_receipt or received.receipt
        return received

    async def kept(self, what: Replay | Arrivals | None = None) -> AsyncIterator[StoredPayload]:
        """Yield every payload whose fetch was committed, or the requested ones."""
        async for one in kept(self._session, self._dataset, self._source, what):
            yield one

    async def add(self, records: Sequence[R_in], payload: Payload) -> None:
        """Stage records; the last one of each key counts."""
        await self._prepare_stage()
        rows = self._dataset.staged(records, payload.receipt, self._added)
        self._added += len(records)
        self._note_order(records)
        await self._session.stage(self._dataset.merge.stage, rows)

    async def reject(self, rejections: Sequence[Rejection], payload: Payload) -> None:
        """Put records into quarantine; a known one gets the new receipt and time."""
        now = to_micros(self._clock.now())
        if not self._first_receipt or payload.receipt < self._first_receipt:
            self._again.add(payload.receipt)
        for start in range(0, len(rejections), _BATCH):
            # In batches, so that the lock is never held for long.
            async with self._session.transaction():
                await self._hold()
                batch = rejections[start : start + _BATCH]
                self._rejected |= await reject(
                    self._session, self._dataset.name, self._source, batch, payload, now
                )

    async def commit(
        self, checkpoint: Checkpoint | None, dry_run: bool = False, anew: bool = False
    ) -> Counts:
        """Merge the staged records with the checkpoint; raise LeaseLost if the job was lost."""
        if anew:
            await self._prepare_stage()
        if dry_run:
            return await self._dry_run(anew)
        async with self._session.transaction():
            counts = await self._merge(anew)
            await self._note(checkpoint, counts)
            await self._session.note_change()
            # Last, so that the lease can be renewed during a long merge.
            await self._hold()
        self._added, self._last_key, self._ascending = 0, None, True
        self._stage_is_merged = self._stage_exists
        self._again.clear()
        return counts

    async def _prepare_stage(self) -> None:
        if not self._stage_exists:
            await self._session.run(self._dataset.merge.create, {})
            self._stage_exists = True
        elif self._stage_is_merged:
            await self._session.run(self._dataset.merge.clear, {})
        self._stage_is_merged = False

    async def _dry_run(self, anew: bool) -> Counts:
        counts = Counts()
        with contextlib.suppress(_Undone):
            async with self._session.transaction():
                counts = await self._merge(anew)
                raise _Undone
        return counts

    async def _note(self, checkpoint: Checkpoint | None, counts: Counts) -> None:
        """Write the checkpoint, and mark the payloads of this intake as merged."""
        notes: list[SqlWrite] = []
        if checkpoint is not None:
            notes.append((_CHECKPOINT, self._checkpoint_row(checkpoint, counts)))
        named = {"of": self._dataset.name, "by": self._source}
        if self._first_receipt:
            merged = {**named, "job": self._job.id, "first": self._first_receipt}
            notes.append((_MERGED, merged))
        await self._session.run_all(notes)
        if self._again:
            await self._session.many(_MERGED_LATER, [(receipt,) for receipt in self._again])
            await release(
                self._session, self._dataset.name, self._source, self._again, self._rejected
            )

    def _note_order(self, records: Sequence[R_in]) -> None:
        """Note whether keys only ascend, as is common: then none is repeated."""
        keys = list(map(self._key_of, records))
        if self._last_key is not None:
            keys.insert(0, self._last_key)
        self._ascending = self._ascending and all(map(lt, keys, keys[1:]))
        self._last_key = keys[-1] if keys else None

    async def _hold(self) -> None:
        held = {"job": self._job.id, "fence_held": self._job.fence}
        if not await self._session.rows(_HOLDS, held):
            raise LeaseLost(f"job {self._job.id} has been taken over; nothing was written")

    async def _merge(self, anew: bool) -> Counts:
        if not self._stage_exists or self._stage_is_merged:
            return Counts()
        statements = self._dataset.merge
        change = await self._dataset.next_change(self._session, self._clock)
        named = {"seq": change.seq, "source": self._source, "changed_at": change.at}
        merging: list[SqlWrite] = [(statements.update, named), (statements.insert, named)]
        if anew:
            merging.insert(
                0, (statements.drop_gone, {"of": self._dataset.name, "by": self._source})
            )
        if not self._ascending:
            merging.insert(0, (statements.drop_repeats, {}))
        touched = await self._session.run_all(merging)
        inserted, updated = touched.pop(), touched.pop()
        deleted = touched.pop() if anew else 0
        duplicates = sum(touched)
        if updated or inserted or deleted:
            await self._dataset.note_change(self._session, change)
        return Counts(
            received=self._added,
            inserted=inserted,
            updated=updated,
            unchanged=self._added - duplicates - updated - inserted,
            duplicates=duplicates,
            deleted=deleted,
        )

    def _checkpoint_row(self, checkpoint: Checkpoint, merged: Counts) -> dict[str, Any]:
        named = msgspec.structs.asdict(checkpoint)
        named["dataset"] = self._dataset.name
        named["fetched_at"] = to_micros(checkpoint.fetched_at)
        named["counts"] = msgspec.json.encode(checkpoint.counts + merged).decode()
        return named
