"""Normalising: payloads are read into an intake, and every record is counted."""

import asyncio
from datetime import timedelta
from typing import Any, Generic

import msgspec

from application.ports.ingest import Intake, Source
from application.ports.operations import Events, Tracer
from application.ports.system import Clock
from domain.checkpoints import Checkpoint
from domain.dataset import Dataset, R
from domain.events import Merged
from domain.payloads import Batch, Payload
from domain.reports import Counts, Failure, Rejection

#: This many bad records, and this share, hold a merge: probably the source itself has changed.
HOLD_COUNT = 20
HOLD_SHARE = 0.20

#: A larger body is read on a thread of its own: CSV takes some hundredths of a second.
LARGE = 128 * 1024

MILLISECOND = timedelta(milliseconds=1)

_EXCERPT = 200


class QualityGateFailed(Exception):
    """Too many rejections for a merge; the old data stays."""

    def __init__(self, counts: Counts, failure: Failure) -> None:
        super().__init__(failure.detail)
        self.counts = counts
        self.failure = failure


class RejectionStats:
    """The numbers of records and of bad records in some payloads."""

    def __init__(self) -> None:
        self._received = 0
        self.bad = 0
        self._first: Rejection | None = None

    def add(self, batch: Batch[Any]) -> None:
        """Count the records of one payload."""
        self._received += len(batch.records) + len(batch.rejections)
        self.bad += len(batch.rejections)
        self._first = self._first or next(iter(batch.rejections), None)

    @property
    def rejected(self) -> Counts:
        """Return the counts of the bad records."""
        return Counts(received=self.bad, quarantined=self.bad)

    @property
    def unmerged(self) -> Counts:
        """Return the counts of all records if nothing is merged."""
        good = self._received - self.bad
        return Counts(received=self._received, quarantined=self.bad, held=good)

    @property
    def failure(self) -> Failure | None:
        """Return why the records may not be merged, None if they may."""
        first = self._first
        if first is None or self.bad < HOLD_COUNT or self.bad <= HOLD_SHARE * self._received:
            return None
        return Failure(
            "held",
            f"{self.bad} of {self._received} records cannot be read, so nothing was merged and the"
            f" old data stays; the first one, {first.pointer}: {first.reason}",
        )


class Merge:
    """The merge of one source's intake; it publishes its duration."""

    def __init__(
        self, dataset: str, source: str, events: Events, tracer: Tracer, clock: Clock
    ) -> None:
        self._dataset = dataset
        self._source = source
        self._events = events
        self._tracer = tracer
        self._clock = clock

    async def __call__(
        self, intake: Intake[Any], checkpoint: Checkpoint | None, anew: bool = False
    ) -> Counts:
        """Commit the intake; raises as its `commit` does."""
        began = self._clock.now()
        named = {"catchment.dataset": self._dataset, "catchment.source": self._source}
        with self._tracer.span("merge", attributes=named):
            counts = await intake.commit(checkpoint, anew=anew)
        took = max(timedelta(), self._clock.now() - began)
        self._events.publish(
            Merged(dataset=self._dataset, source=self._source, duration_ms=took / MILLISECOND)
        )
        return counts


class SourceLoad(Generic[R]):
    """The load of one source's payloads into an intake, with the counts of their records."""

    def __init__(
        self, dataset: Dataset[R], source: Source[R], intake: Intake[R], merge: Merge
    ) -> None:
        self._dataset = dataset
        self._source = source
        self._intake = intake
        self._merge = merge
        self._stats = RejectionStats()

    async def take(self, payload: Payload) -> None:
        """Read the records of a stored payload: valid ones are added, the others rejected."""
        batch = await read(self._dataset, self._source, payload)
        self._stats.add(batch)
        if batch.rejections:
            await self._intake.reject(batch.rejections, payload)
        if batch.records:
            await self._intake.add(batch.records, payload)

    async def commit(self, checkpoint: Checkpoint) -> Counts:
        """Merge, or raise QualityGateFailed; the counts include every received record."""
        failure = self._stats.failure
        if failure is not None:
            raise QualityGateFailed(self._stats.unmerged, failure)
        rejected = self._stats.rejected
        counted = msgspec.structs.replace(checkpoint, counts=rejected)
        return await self._merge(self._intake, counted) + rejected


async def read(dataset: Dataset[R], source: Source[R], payload: Payload) -> Batch[R]:
    """Return the storable records of a payload, and the others as rejections."""

    def reading() -> Batch[R]:
        return _sifted(dataset, source.normalise(payload))

    # Reading a large body would delay other requests.
    is_large = len(payload.body) > LARGE or payload.is_packed
    return await asyncio.to_thread(reading) if is_large else reading()


def _sifted(dataset: Dataset[R], batch: Batch[R]) -> Batch[R]:
    """Return the batch with unstorable records moved to the rejections."""
    if not batch.records or dataset.sound(batch.records):
        return batch
    records: list[R] = []
    rejections = list(batch.rejections)
    for number, record in enumerate(batch.records):
        defect = dataset.defect(record)
        if defect is None:
            records.append(record)
        else:
            pointer = batch.pointer(number) if batch.pointer else _named(dataset, record)
            rejections.append(_rejection(record, pointer, *defect))
    return Batch(records, rejections)


def _named(dataset: Dataset[Any], record: Any) -> str:
    key = ",".join(map(str, dataset.key_of(record)))
    return f"{dataset.name}({key[:_EXCERPT]})"


def _rejection(record: Any, pointer: str, field: str, reason: str) -> Rejection:
    excerpt = repr(msgspec.structs.asdict(record))[:_EXCERPT]
    return Rejection(f"{pointer}/{field}", f"{field} {reason}", excerpt)
