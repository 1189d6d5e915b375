"""Normalising: payloads are read into an intake, and every record is counted."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from typing import Any, Generic, TypeVar

import msgspec

from application.ports.ingest import Intake, Source
from application.ports.operations import Events, Tracer
from application.ports.system import Clock
from domain.checkpoints import Checkpoint
from domain.dataset import Dataset, R
from domain.events import Merged
from domain.payloads import Batch, Payload
from domain.reports import Counts, Failure, KeyCollision, Rejection

T = TypeVar("T")

#: This many bad records, and this share, hold a merge: probably the source itself has changed.
HOLD_COUNT = 20
HOLD_SHARE = 0.20
#: This many records with the key of another one, and this share, hold a merge: the key is wrong.
COLLISION_COUNT = 2
COLLISION_SHARE = 0.01

_UNREADABLE = "held"
_COLLISIONS = "key_not_unique"
#: What holds a merge, by the code of the failure: from how many records on, above what share of
#: them, and what is wrong with them.
_GATES = {
    _UNREADABLE: (HOLD_COUNT, HOLD_SHARE, "cannot be read"),
    _COLLISIONS: (
        COLLISION_COUNT,
        COLLISION_SHARE,
        "repeat the key of another record of the same page with different values",
    ),
}

#: The version of what is done here to the records of every source. When it changes, stored payloads
#: are read again.
READING = "2"

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
    """The numbers of records in some payloads, and of bad ones by what is wrong with them."""

    def __init__(self) -> None:
        self._received = 0
        self._bad: Counter[str] = Counter()
        self._first: dict[str, Rejection] = {}

    def add(self, batch: Batch[Any]) -> None:
        """Count the records of one payload."""
        self._received += len(batch.records) + len(batch.rejections)
        for rejection in batch.rejections:
            code = _COLLISIONS if isinstance(rejection, KeyCollision) else _UNREADABLE
            self._bad[code] += 1
            self._first.setdefault(code, rejection)

    @property
    def bad(self) -> int:
        """Return how many were bad."""
        return self._bad.total()

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
        """Return why so many bad ones are not merged, or None when they may be."""
        for code, (least, share, fault) in _GATES.items():
            bad = self._bad[code]
            if bad >= least and bad > share * self._received:
                first = self._first[code]
                return Failure(
                    code,
                    f"{bad} of {self._received} records {fault}, so nothing was merged and the old"
                    f" data stays; the first one, {first.pointer}: {first.reason}",
                )
        return None


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

    return await aside(payload, reading)


async def aside(payload: Payload, read: Callable[..., T], *values: Any) -> T:
    """Return what is read of a payload, on a thread if its body is large."""
    # Reading a large body would delay other requests.
    is_large = len(payload.body) > LARGE or payload.is_packed
    return await asyncio.to_thread(read, *values) if is_large else read(*values)


def _sifted(dataset: Dataset[R], batch: Batch[R]) -> Batch[R]:
    """Move what no store may keep, and what contradicts an earlier record, to the rejections."""
    if not dataset.sound(batch.records):
        batch = _without(batch, dict(_defective(dataset, batch)))
    collisions = dataset.collisions(batch.records)
    return _without(batch, dict(_colliding(dataset, batch, collisions))) if collisions else batch


def _without(batch: Batch[R], rejected: Mapping[int, Rejection]) -> Batch[R]:
    """Return the batch with the records of these numbers rejected."""
    left = [number for number in range(len(batch.records)) if number not in rejected]
    pointer = batch.pointer
    return Batch(
        [batch.records[number] for number in left],
        [*batch.rejections, *rejected.values()],
        None if pointer is None else lambda number: pointer(left[number]),
    )


def _defective(dataset: Dataset[R], batch: Batch[R]) -> Iterator[tuple[int, Rejection]]:
    for number, record in enumerate(batch.records):
        defect = dataset.defect(record)
        if defect is not None:
            field, reason = defect
            place = f"{_place(dataset, batch, number)}/{field}"
            yield number, Rejection(place, f"{field} {reason}", _excerpt(record))


def _colliding(
    dataset: Dataset[R], batch: Batch[R], collisions: Mapping[int, int]
) -> Iterator[tuple[int, Rejection]]:
    fields = " and ".join(dataset.key)
    for number, earlier in collisions.items():
        place, other = (_place(dataset, batch, n) for n in (number, earlier))
        reason = f"{_COLLISIONS}: {other} has the same {fields} and different values"
        yield number, KeyCollision(place, reason, _excerpt(batch.records[number]))


def _place(dataset: Dataset[R], batch: Batch[R], number: int) -> str:
    """Return where a record of the batch stood."""
    if batch.pointer is not None:
        return batch.pointer(number)
    key = ",".join(map(str, dataset.key_of(batch.records[number])))
    return f"{dataset.name}({key[:_EXCERPT]})"


def _excerpt(record: Any) -> str:
    return repr(msgspec.structs.asdict(record))[:_EXCERPT]
