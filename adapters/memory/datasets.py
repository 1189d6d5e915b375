"""Datasets in memory: stored records, and the number that moves with every commit."""

import hashlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, Generic

import msgspec

from adapters.memory.database import MemoryDatabase, Rejected, StoredRow, Table
from application.ports.datasets import Changes, Intake, Quarantined, Replay, Store
from application.ports.system import Clock
from domain.checkpoints import Checkpoint, Freshness
from domain.dataset import Dataset, Key, R
from domain.filters import Filter
from domain.jobs import FetchJob
from domain.paging import Counting, Page, PageRequest
from domain.payloads import Payload, Receipt, StoredPayload, replayed
from domain.reports import Counts, Rejection


class MemoryStore(Store):
    """Keeps records in a memory database."""

    def __init__(self, database: MemoryDatabase, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def find(self, dataset: Dataset[R], request: PageRequest) -> Page[Any]:
        """One page of `sorted(filter(matches, records))`."""
        matching = self._matching(dataset, request.filter)
        following = request.sort.sorted(matching)
        if request.cursor is not None:
            position = request.cursor.position
            following = [row for row in following if request.sort.is_after(row, position)]
        end = request.offset + request.limit
        rows = following[request.offset : end]
        counted = None if request.counting is Counting.NONE else len(matching)
        total, relation = request.counting.total(counted)
        return Page(
            rows=rows,
            next_cursor=request.cursor_after(rows[-1]) if len(following) > end else None,
            freshness=self._database.freshness(dataset.name),
            total=total,
            total_relation=relation,
        )

    async def get(self, dataset: Dataset[R], key: Key, seen: Filter) -> Any | None:
        """The record with that key, if there is one and `seen` matches it."""
        row = self._database.tables[dataset.name].rows.get(key)
        return row.record if row is not None and seen.matches(row.record) else None

    async def count(self, dataset: Dataset[R], seen: Filter) -> int:
        """How many records match."""
        return len(self._matching(dataset, seen))

    async def freshness(self, dataset: Dataset[R]) -> Freshness:
        """The dataset's sequence number and checkpoints."""
        return self._database.freshness(dataset.name)

    @asynccontextmanager
    async def intake(
        self, dataset: Dataset[R], source: str, job: FetchJob
    ) -> AsyncIterator[Intake[R]]:
        """Open an intake; leaving the block without a commit leaves the records as they were."""
        yield MemoryIntake(self._database, self._clock, dataset, source, job)

    def _matching(self, dataset: Dataset[R], filter: Filter) -> list[Any]:
        rows = self._database.tables[dataset.name].rows.values()
        return [row.record for row in rows if filter.matches(row.record)]


class MemoryIntake(Intake[R], Generic[R]):
    """What one source brings in during one fetch, waiting for its commit."""

    def __init__(
        self,
        database: MemoryDatabase,
        clock: Clock,
        dataset: Dataset[R],
        source: str,
        job: FetchJob,
    ) -> None:
        self._database = database
        self._clock = clock
        self._dataset = dataset
        self._source = source
        self._job = job
        self._receipts: list[int] = []
        self._again: set[int] = set()
        self._rejected: set[Rejected] = set()
        self._added: dict[Key, tuple[R, int]] = {}
        self._received = 0

    async def keep(self, payload: Payload) -> Payload:
        """Keep a body for good, before anything is read from it; returns it with its receipt."""
        self._database.require_held(self._job)
        self._database.receipts += 1
        body = self._database.bodies.setdefault(payload.body, payload.body)
        kept = msgspec.structs.replace(payload, body=body, receipt=self._database.receipts)
        self._database.kept[self._dataset.name, self._source].append(kept)
        self._database.fetched_by[kept.receipt] = self._job.id
        self._receipts.append(kept.receipt)
        return kept

    async def kept(self, replay: Replay | None = None) -> AsyncIterator[StoredPayload]:
        """Every payload of this source whose fetch was committed, or what a replay reads again."""
        payloads = {p.receipt: p for p in self._database.kept[self._dataset.name, self._source]}
        receipts = list(map(self._receipt, payloads.values()))
        if replay is None:
            wanted = [receipt for receipt in receipts if receipt.merged]
        else:
            wanted = replayed(receipts, replay.receipt)
        for receipt in wanted:
            yield StoredPayload(payloads[receipt.id], receipt)

    def _receipt(self, payload: Payload) -> Receipt:
        waiting = self._waiting.values()
        return Receipt(
            id=payload.receipt,
            job_id=self._database.fetched_by[payload.receipt],
            body=hashlib.sha256(payload.body).hexdigest(),
            merged=payload.receipt in self._database.merged,
            waiting=sum(rejected.receipt == payload.receipt for rejected in waiting),
        )

    @property
    def _waiting(self) -> dict[Rejected, Quarantined]:
        return self._database.quarantine[self._dataset.name]

    async def add(self, records: Sequence[R], payload: Payload) -> None:
        """Take in sound records read from a kept payload; of the same key the last one wins."""
        self._received += len(records)
        for record in records:
            self._added[self._dataset.key_of(record)] = record, payload.receipt

    async def reject(self, rejections: Sequence[Rejection], payload: Payload) -> None:
        """Put records into quarantine, at once; what is there already is only seen again."""
        self._database.require_held(self._job)
        if payload.receipt not in self._receipts:
            self._again.add(payload.receipt)
        for rejection in rejections:
            rejected = self._source, payload.page, rejection
            self._rejected.add(rejected)
            known = self._waiting.get(rejected)
            if known is None:
                self._database.rejections += 1
            self._waiting[rejected] = Quarantined(
                id=known.id if known else self._database.rejections,
                dataset=self._dataset.name,
                source=self._source,
                receipt=max(payload.receipt, known.receipt if known else 0),
                pointer=rejection.pointer,
                reason=rejection.reason,
                excerpt=rejection.excerpt,
                rejected_at=self._clock.now(),
            )

    async def commit(self, checkpoint: Checkpoint | None, dry_run: bool = False) -> Counts:
        """Merge all that was added, with the checkpoint, in one step."""
        table = self._database.tables[self._dataset.name]
        if dry_run:
            return self._merged(Table(dict(table.rows)), self._clock.now())
        self._database.require_held(self._job)
        now = table.changes_at(self._clock.now())
        counts = self._merged(table, now)
        self._database.writes += 1
        if counts.changed:
            table.seq, table.changed_at = table.seq + 1, now
        if checkpoint is not None:
            noted = msgspec.structs.replace(checkpoint, counts=checkpoint.counts + counts)
            table.checkpoints[self._source] = noted
        self._release()
        self._database.merged.update(self._receipts, self._again)
        self._again.clear()
        self._receipts, self._added, self._received = [], {}, 0
        return counts

    def _release(self) -> None:
        for rejected, waiting in list(self._waiting.items()):
            if waiting.receipt in self._again and rejected not in self._rejected:
                del self._waiting[rejected]

    def _merged(self, table: Table, now: datetime) -> Counts:
        merged = [
            self._merge(table, key, record, receipt, now)
            for key, (record, receipt) in self._added.items()
        ]
        return Counts(
            received=self._received,
            inserted=merged.count("inserted"),
            updated=merged.count("updated"),
            unchanged=merged.count("unchanged"),
            duplicates=self._received - len(merged),
        )

    def _merge(self, table: Table, key: Key, record: R, receipt: int, now: datetime) -> str:
        known = table.rows.get(key)
        if known is not None and (known.receipt > receipt or _same(known.record, record)):
            return "unchanged"
        table.rows[key] = StoredRow(self._dataset.stored(record, now), receipt)
        return "inserted" if known is None else "updated"


def _same(stored: Any, record: msgspec.Struct) -> bool:
    return msgspec.structs.astuple(stored)[:-1] == msgspec.structs.astuple(record)


class MemoryChanges(Changes):
    """Counts the writes to a memory database."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database

    def version(self) -> int:
        """How often anything was committed."""
        return self._database.writes
