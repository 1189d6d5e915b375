"""The intake over SQL: staged on a connection of its own, merged in one short transaction."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Sequence
from operator import attrgetter, lt
from typing import Any

import msgspec
from sqlalchemy import (
    bindparam,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert as upsert

from adapters.sql.database import Session
from adapters.sql.merge import merge_of, staged_rows
from adapters.sql.payloads import merged, pack, receive
from adapters.sql.sequence import move_on, next_change
from adapters.sql.tables import (
    checkpoints,
    jobs,
    quarantine,
    receipts,
    to_micros,
)
from application.ports.clock import Clock
from application.ports.store import Intake, R_in
from domain.checkpoints import Checkpoint
from domain.dataset import Dataset
from domain.errors import LeaseLost
from domain.jobs import FetchJob, JobStatus
from domain.payloads import Payload
from domain.reports import Counts, Rejection

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
_REJECTED = tuple(column.name for column in quarantine.c if column.name != "id")
_REJECT = upsert(quarantine).values({name: bindparam(name) for name in _REJECTED})
_REJECT = _REJECT.on_conflict_do_update(
    index_elements=["dataset", "source", "digest"],
    set_={
        "receipt": _REJECT.excluded.receipt,
        "rejected_at": _REJECT.excluded.rejected_at,
    },
)
#: Until the transaction ends, nobody else can claim the job, or end it.
_HOLDS = (
    select(jobs.c.id)
    .where(
        jobs.c.id == bindparam("job"),
        jobs.c.fence == bindparam("fence_held"),
        jobs.c.status == JobStatus.RUNNING.value,
    )
    .with_for_update()
)
_CHECKPOINT = upsert(checkpoints).on_conflict_do_update(
    index_elements=["dataset", "source"],
    set_={
        column.name: upsert(checkpoints).excluded[column.name]
        for column in checkpoints.c
        if column.name not in ("dataset", "source")
    },
)


class SqlIntake(Intake[R_in]):
    """Stages what one source brings in a temporary table, then merges it at once."""

    def __init__(
        self, session: Session, clock: Clock, dataset: Dataset[Any], source: str, job: FetchJob
    ) -> None:
        self._session = session
        self._clock = clock
        self._dataset = dataset
        self._source = source
        self._job = job
        self._statements = merge_of(dataset)
        self._key_of = attrgetter(*dataset.key)
        self._added = 0
        self._last_key: Any = None
        self._ascending = True
        self._open = False
        self._first_receipt = 0

    async def keep(self, payload: Payload) -> Payload:
        """Keep a body, once however often it comes, and note its arrival."""
        packed = await asyncio.to_thread(pack, payload.body)
        async with self._session.transaction():
            await self._hold()
            receipt = await receive(self._session, self._job, self._source, payload, packed)
        self._first_receipt = self._first_receipt or receipt
        return msgspec.structs.replace(payload, receipt=receipt)

    async def kept(self) -> AsyncIterator[Payload]:
        """Every payload of this source whose fetch was committed, oldest receipt first."""
        async for payload in merged(self._session, self._dataset.name, self._source):
            yield payload

    async def add(self, records: Sequence[R_in], payload: Payload) -> None:
        """Stage records; of the same key the last one stays."""
        if not self._open:
            await self._session.run(self._statements.create, {})
            self._open = True
        rows = staged_rows(self._dataset, records, payload.receipt, self._added)
        self._added += len(records)
        self._note_order(records)
        await self._session.stage(self._statements.stage, rows)

    async def reject(self, rejections: Sequence[Rejection], payload: Payload) -> None:
        """Put records into quarantine; what is there already is only seen again."""
        now = to_micros(self._clock.now())
        fixed = {"dataset": self._dataset.name, "source": self._source, "rejected_at": now}
        for start in range(0, len(rejections), _BATCH):
            rows = [
                {
                    **msgspec.structs.asdict(rejection),
                    **fixed,
                    "receipt": payload.receipt,
                    "digest": _digest(rejection),
                }
                for rejection in rejections[start : start + _BATCH]
            ]
            # Batch by batch, so that nobody waits long for the lock.
            async with self._session.transaction():
                await self._hold()
                values = (tuple(row[name] for name in _REJECTED) for row in rows)
                await self._session.many(_REJECT, values)

    async def commit(self, checkpoint: Checkpoint) -> Counts:
        """Merge what was staged, with the checkpoint, unless the job is in other hands."""
        async with self._session.transaction():
            counts = await self._merge() if self._open else Counts()
            await self._session.run(_CHECKPOINT, self._noted(checkpoint))
            if self._first_receipt:
                named = {"of": self._dataset.name, "by": self._source, "job": self._job.id}
                await self._session.run(_MERGED, {**named, "first": self._first_receipt})
            await self._session.note_change()
            # Last, so that the job can be renewed during a long merge.
            await self._hold()
        if self._open:
            await self._session.run(self._statements.clear, {})
            self._added, self._last_key, self._ascending = 0, None, True
        return counts

    def _note_order(self, records: Sequence[R_in]) -> None:
        """While every key is greater than the one before, as is common, none can come again."""
        keys = list(map(self._key_of, records))
        if self._last_key is not None:
            keys.insert(0, self._last_key)
        self._ascending = self._ascending and all(map(lt, keys, keys[1:]))
        self._last_key = keys[-1] if keys else None

    async def _hold(self) -> None:
        held = {"job": self._job.id, "fence_held": self._job.fence}
        if not await self._session.rows(_HOLDS, held):
            raise LeaseLost(f"job {self._job.id} has been taken over; nothing was written")

    async def _merge(self) -> Counts:
        duplicates = 0
        if not self._ascending:
            duplicates = await self._session.run(self._statements.drop_repeats, {})
        change = await next_change(self._session, self._dataset, self._clock)
        named = {"seq": change.seq, "source": self._source, "changed_at": change.at}
        updated = await self._session.run(self._statements.update, named)
        inserted = await self._session.run(self._statements.insert, named)
        if updated or inserted:
            await move_on(self._session, self._dataset, change)
        return Counts(
            received=self._added,
            inserted=inserted,
            updated=updated,
            unchanged=self._added - duplicates - updated - inserted,
            duplicates=duplicates,
        )

    def _noted(self, checkpoint: Checkpoint) -> dict[str, Any]:
        named = msgspec.structs.asdict(checkpoint)
        named["dataset"] = self._dataset.name
        named["fetched_at"] = to_micros(checkpoint.fetched_at)
        named["counts"] = msgspec.json.encode(checkpoint.counts).decode()
        return named


def _digest(rejection: Rejection) -> str:
    return hashlib.blake2b(msgspec.json.encode(rejection), digest_size=16).hexdigest()
