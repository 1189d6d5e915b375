"""Ingest in memory: a source, intakes, receipts and the quarantine."""

import hashlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, Generic

import msgspec

from adapters.memory.database import MemoryDatabase, Rejected, StoredRow, Table
from application.ports.ingest import (
    Ask,
    Intake,
    Intakes,
    Quarantine,
    Quarantined,
    Receipts,
    Received,
    Source,
    Verified,
)
from application.ports.system import Clock
from domain.checkpoints import Checkpoint
from domain.dataset import Dataset, Key, R
from domain.errors import SourceError, UnexpectedContent
from domain.jobs import FetchJob
from domain.payloads import Arrivals, Batch, Payload, Receipt, Replay, StoredPayload, selected
from domain.reports import Counts, Rejection

_EXCERPT = 200


class MemorySource(Source[R], Generic[R]):
    """A source with the given pages, each of them records or a body; all of it can be changed.

    `failure` is raised after `fails_after` pages; a page takes `takes_s`. A request with `etag` is
    answered as not modified. `fresh_until` is until when responses are fresh. `asked` records every
    request.
    """

    def __init__(
        self,
        name: str,
        record: type[R],
        clock: Clock,
        *pages: Sequence[R] | bytes,
    ) -> None:
        self.pages: Sequence[Sequence[R] | bytes] = pages
        self.asked: list[Ask] = []
        self.failure: SourceError | None = None
        self.fails_after = 0
        self.takes_s = 0.0
        self.etag: str | None = None
        self.fresh_until: datetime | None = None
        self.version = "1"
        self._name = name
        self._record = record
        self._clock = clock

    @property
    def name(self) -> str:
        """Return the name of the source, as shown to users."""
        return self._name

    @property
    def host(self) -> str:
        """Return the host of the source's URLs."""
        return self._name

    @property
    def normaliser_version(self) -> str:
        """Return the version of `normalise`, which `version` changes."""
        return self.version

    async def ask(self, ask: Ask) -> AsyncIterator[Payload]:
        """Yield the pages, or nothing when the checkpoint has the present `etag`."""
        self.asked.append(ask)
        known = ask.checkpoint
        if self.failure is None and self.etag and known is not None and known.etag == self.etag:
            ask.traffic.requests += 1
            ask.traffic.not_modified += 1
            ask.traffic.fresh_until = self.fresh_until
            return
        for number, page in enumerate(self.pages):
            self._fail_after(number)
            await self._clock.sleep(self.takes_s)
            payload = self._payload(number, page)
            ask.traffic.requests += 1
            ask.traffic.fresh_until = self.fresh_until
            ask.traffic.bytes += len(payload.body)
            yield payload
        self._fail_after(len(self.pages))

    def normalise(self, payload: Payload) -> Batch[R]:
        """Read the records of a payload, a JSON list; the same payload gives the same batch."""
        try:
            items = msgspec.json.decode(payload.body, type=list[msgspec.Raw])
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise UnexpectedContent(f"{self._name} did not answer with a list: {error}") from error
        records: list[R] = []
        positions: list[int] = []
        rejections: list[Rejection] = []
        for position, item in enumerate(items):
            try:
                records.append(msgspec.json.decode(item, type=self._record))
                positions.append(position)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                excerpt = bytes(item).decode(errors="replace")[:_EXCERPT]
                rejections.append(Rejection(f"/{position}", str(error), excerpt))
        return Batch(records, rejections, lambda number: f"/{positions[number]}")

    def _fail_after(self, pages: int) -> None:
        if self.failure is not None and pages >= min(self.fails_after, len(self.pages)):
            raise self.failure

    def _payload(self, number: int, page: Sequence[R] | bytes) -> Payload:
        return Payload(
            url=f"memory://{self._name}/{number}",
            body=page if isinstance(page, bytes) else msgspec.json.encode(page),
            content_type="application/json",
            received_at=self._clock.now(),
            page=number,
            etag=self.etag,
        )


class MemoryIntakes(Intakes):
    """Intakes into a memory database."""

    def __init__(self, database: MemoryDatabase, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    @asynccontextmanager
    async def open(
        self, dataset: Dataset[R], source: str, job: FetchJob
    ) -> AsyncIterator[Intake[R]]:
        """Open an intake; without a commit the block changes no records."""
        yield MemoryIntake(self._database, self._clock, dataset, source, job)


class MemoryIntake(Intake[R], Generic[R]):
    """The records of one source in one job, until its commit."""

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
        """Store a payload, before it is read."""
        self._database.require_held(self._job)
        self._database.receipts += 1
        is_known = payload.body in self._database.bodies
        body = self._database.bodies.setdefault(payload.body, payload.body)
        kept = msgspec.structs.replace(payload, body=body, receipt=self._database.receipts)
        self._database.kept[self._dataset.name, self._source].append(kept)
        self._database.fetched_by[kept.receipt] = self._job.id
        self._receipts.append(kept.receipt)
        return msgspec.structs.replace(kept, is_known=is_known)

    async def kept(self, what: Replay | Arrivals | None = None) -> AsyncIterator[StoredPayload]:
        """Yield the committed payloads of this source, or those that are requested."""
        payloads = {p.receipt: p for p in self._database.kept[self._dataset.name, self._source]}
        receipts = list(map(self._receipt, payloads.values()))
        for receipt in selected(receipts, what, self._dataset.keeps_first):
            payload, damaged = payloads[receipt.id], receipt.id in self._database.damaged
            if damaged:
                payload = msgspec.structs.replace(payload, body=b"")
            yield StoredPayload(payload, receipt, damaged)

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
        """Add valid records of a stored payload; of the same key the last one wins."""
        self._received += len(records)
        for record in records:
            key = self._dataset.key_of(record)
            if not (self._dataset.keeps_first and key in self._added):
                self._added[key] = record, payload.receipt

    async def reject(self, rejections: Sequence[Rejection], payload: Payload) -> None:
        """Put records into quarantine at once, equal ones only once."""
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

    async def commit(
        self, checkpoint: Checkpoint | None, dry_run: bool = False, anew: bool = False
    ) -> Counts:
        """Merge all added records, with the checkpoint if given, in one step."""
        table = self._database.table_of(self._dataset)
        if dry_run:
            return self._merged(Table(dict(table.rows)), self._clock.now(), anew)
        self._database.require_held(self._job)
        now = table.changes_at(self._clock.now())
        counts = self._merged(table, now, anew)
        self._database.writes += 1
        if counts.changed:
            table.seq, table.changed_at = table.seq + 1, now
        if checkpoint is not None:
            counted = msgspec.structs.replace(checkpoint, counts=checkpoint.counts + counts)
            table.checkpoints[self._source] = counted
        self._release()
        self._database.merged.update(self._receipts, self._again)
        self._again.clear()
        self._receipts, self._added, self._received = [], {}, 0
        return counts

    def _release(self) -> None:
        for rejected, waiting in list(self._waiting.items()):
            if waiting.receipt in self._again and rejected not in self._rejected:
                del self._waiting[rejected]

    def _merged(self, table: Table, now: datetime, anew: bool) -> Counts:
        gone = self._missing_keys(table) if anew else []
        for key in gone:
            del table.rows[key]
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
            deleted=len(gone),
        )

    def _missing_keys(self, table: Table) -> list[Key]:
        kept = {p.receipt for p in self._database.kept[self._dataset.name, self._source]}
        merged = kept & self._database.merged
        return [
            key
            for key, row in table.rows.items()
            if row.receipt in merged
            and not (
                key in self._added and self._dataset.supersedes(self._added[key][1], row.receipt)
            )
        ]

    def _merge(self, table: Table, key: Key, record: R, receipt: int, now: datetime) -> str:
        known = table.rows.get(key)
        if known is not None and (
            not self._dataset.supersedes(receipt, known.receipt) or _same(known.record, record)
        ):
            return "unchanged"
        table.rows[key] = StoredRow(self._dataset.stored(record, now), receipt)
        return "inserted" if known is None else "updated"


def _same(stored: Any, record: msgspec.Struct) -> bool:
    return msgspec.structs.astuple(stored)[:-1] == msgspec.structs.astuple(record)


class MemoryReceipts(Receipts):
    """The payloads received by jobs, in a memory database."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database

    async def last(self, job_id: str) -> Received | None:
        """Return the last stored payload that a job has received, None if there is none."""
        found = [
            Received(source, payload)
            for (_, source), payloads in self._database.kept.items()
            for payload in payloads
            if self._database.fetched_by[payload.receipt] == job_id
        ]
        last = max(found, key=lambda received: received.payload.receipt, default=None)
        return None if last and last.payload.receipt in self._database.damaged else last

    async def verify(self) -> AsyncIterator[Verified]:
        """Yield each stored body once it was read back and compared with what was received."""
        arrivals: dict[bytes, list[int]] = {}
        for payloads in self._database.kept.values():
            for payload in payloads:
                arrivals.setdefault(payload.body, []).append(payload.receipt)
        for receipts in arrivals.values():
            damaged = not self._database.damaged.isdisjoint(receipts)
            yield Verified(damaged, tuple(sorted(receipts)) if damaged else ())


class MemoryQuarantine(Quarantine):
    """The rejected records of a memory database."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database

    async def recent(
        self,
        dataset: str | None,
        limit: int,
        source: str | None = None,
        before: tuple[datetime, int] | None = None,
    ) -> list[Quarantined]:
        """Return the records in quarantine, newest first."""
        found = [
            rejected
            for rejected in self._all()
            if dataset in (None, rejected.dataset)
            and source in (None, rejected.source)
            and (before is None or _sort_key(rejected) < before)
        ]
        return sorted(found, key=_sort_key, reverse=True)[:limit]

    async def get(self, rejection_id: int) -> Quarantined | None:
        """Return one record in quarantine, None if there is none."""
        return next((found for found in self._all() if found.id == rejection_id), None)

    async def count(self, dataset: str) -> int:
        """Return the number of the dataset's records in quarantine."""
        return len(self._database.quarantine[dataset])

    def _all(self) -> list[Quarantined]:
        return [one for each in self._database.quarantine.values() for one in each.values()]


def _sort_key(rejected: Quarantined) -> tuple[datetime, int]:
    return rejected.rejected_at, rejected.id
