"""Gathering: what a fetch does with one source, from asking it to one committed merge."""

import hashlib
from datetime import datetime
from typing import Any, Generic

import msgspec

from application.ports.clock import Clock
from application.ports.source import Ask, Source
from application.ports.store import Intake, Store
from domain.checkpoints import Checkpoint
from domain.dataset import Dataset, R
from domain.errors import SourceError, UnexpectedContent
from domain.jobs import FetchJob
from domain.payloads import Batch, Payload
from domain.reports import Counts, Failure, Rejection, SourceReport, SourceStatus, Traffic

#: So many bad records, and so large a share, hold a merge: the source has changed, not the records.
HOLD_COUNT = 20
HOLD_SHARE = 0.20

#: After so many answers "not modified" in a row everything is asked for, in case they lie.
MAX_CONFIRMATIONS = 19

_EXCERPT = 200


class Gather(Generic[R]):
    """Asks one source, keeps what it says, and merges what can be read of it."""

    def __init__(self, dataset: Dataset[R], source: Source[R], store: Store, clock: Clock) -> None:
        self._dataset = dataset
        self._source = source
        self._store = store
        self._clock = clock

    @property
    def source(self) -> str:
        """The name of the source."""
        return self._source.name

    @property
    def normaliser(self) -> str:
        """A fingerprint of the record type and of the code that reads it."""
        text = f"{self._dataset.fingerprint} {self._source.normaliser}"
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    async def __call__(
        self, job: FetchJob, checkpoint: Checkpoint | None, deadline: datetime, due: bool = True
    ) -> SourceReport:
        """Fetch from the source; a failure of the source is a report, not an exception.

        What was kept is read again first when the normaliser has changed; the source is asked only
        when it is due.
        """
        traffic = Traffic()
        counts, error = Counts(), None
        try:
            if checkpoint is not None and checkpoint.normaliser != self.normaliser:
                checkpoint, counts = await self._reread(job, checkpoint, due)
            if due:
                counts += await self._ask(job, Ask(checkpoint, deadline, traffic))
        except _Held as held:
            counts, error = counts + held.counts, held.failure
        except SourceError as failure:
            error = Failure(failure.code, failure.detail, failure.retry_at)
        return SourceReport(
            source=self._source.name,
            status=_status(counts, error),
            error=error,
            counts=counts,
            **msgspec.structs.asdict(traffic),
        )

    async def _reread(
        self, job: FetchJob, old: Checkpoint, due: bool
    ) -> tuple[Checkpoint | None, Counts]:
        try:
            return await self._read_kept(job, old)
        except (_Held, SourceError):
            if not due:
                raise
            # What was kept cannot be read any more: the source is asked for all of it afresh.
            return None, Counts()

    async def _read_kept(self, job: FetchJob, old: Checkpoint) -> tuple[Checkpoint, Counts]:
        async with self._store.intake(self._dataset, self._source.name, job) as intake:
            tally = _Tally(self._dataset, self._source, intake)
            async for payload in intake.kept():
                await tally.take(payload)
            # Without the digest the same body is counted anew when it comes again.
            checkpoint = msgspec.structs.replace(old, normaliser=self.normaliser, digest="")
            return checkpoint, await tally.commit(checkpoint)

    async def _ask(self, job: FetchJob, ask: Ask) -> Counts:
        async with self._store.intake(self._dataset, self._source.name, job) as intake:
            tally = _Tally(self._dataset, self._source, intake)
            last: Payload | None = None
            waiting: Payload | None = None
            async for received in self._source.ask(_doubting(ask)):
                last = await intake.keep(received)
                tally.digest(last)
                # The first page waits for a second: a lone page may be the one we had last time.
                if waiting is not None:
                    await tally.take(waiting)
                waiting = last
            if last is None or waiting is None:
                return await self._confirm(intake, ask.checkpoint, job)
            checkpoint = self._checkpoint(last, tally, job)
            known = ask.checkpoint
            if known is not None and known.digest == checkpoint.digest:
                return await self._repeat(intake, known.counts, checkpoint)
            await tally.take(waiting)
            counts = tally.outlook
            return await tally.commit(msgspec.structs.replace(checkpoint, counts=counts))

    async def _confirm(self, intake: Intake[R], known: Checkpoint | None, job: FetchJob) -> Counts:
        if known is None:
            raise UnexpectedContent("the source said that nothing changed, though nothing is known")
        confirmed = msgspec.structs.replace(
            known,
            fetched_at=self._clock.now(),
            job_id=job.id,
            confirmations=known.confirmations + 1,
        )
        return await intake.commit(confirmed)

    async def _repeat(self, intake: Intake[R], before: Counts, checkpoint: Checkpoint) -> Counts:
        unchanged = before.inserted + before.updated + before.unchanged
        repeated = msgspec.structs.replace(before, inserted=0, updated=0, unchanged=unchanged)
        await intake.commit(msgspec.structs.replace(checkpoint, counts=repeated))
        return repeated

    def _checkpoint(self, last: Payload, tally: "_Tally[R]", job: FetchJob) -> Checkpoint:
        # Validators describe one page, so they can speak for the whole only when it is one page.
        alone = last.page == 0
        return Checkpoint(
            source=self._source.name,
            fetched_at=self._clock.now(),
            job_id=job.id,
            url=last.url if alone else "",
            etag=last.etag if alone else None,
            last_modified=last.last_modified if alone else None,
            digest=tally.digest_so_far,
            normaliser=self.normaliser,
        )


def _doubting(ask: Ask) -> Ask:
    """Ask without validators once the source has confirmed for too long."""
    known = ask.checkpoint
    if known is None or known.confirmations < MAX_CONFIRMATIONS:
        return ask
    without = msgspec.structs.replace(known, url="", etag=None, last_modified=None)
    return msgspec.structs.replace(ask, checkpoint=without)


def _status(counts: Counts, error: Failure | None) -> SourceStatus:
    if error is not None:
        return SourceStatus.FAILED
    return SourceStatus.PARTIAL if counts.quarantined else SourceStatus.SUCCEEDED


class _Held(Exception):
    """So much was rejected that the merge is not done: the old data stays."""

    def __init__(self, counts: Counts, failure: Failure) -> None:
        super().__init__(failure.detail)
        self.counts = counts
        self.failure = failure


class _Tally(Generic[R]):
    """Takes payloads into one intake and counts what becomes of their records."""

    def __init__(self, dataset: Dataset[R], source: Source[R], intake: Intake[R]) -> None:
        self._dataset = dataset
        self._source = source
        self._intake = intake
        self._hash = hashlib.sha256()
        self._good = 0
        self._bad = 0
        self._first: Rejection | None = None

    def digest(self, payload: Payload) -> None:
        """Count a body into the digest of everything received."""
        self._hash.update(hashlib.sha256(payload.body).digest())

    @property
    def digest_so_far(self) -> str:
        """The digest of the bodies counted so far."""
        return self._hash.hexdigest()

    @property
    def outlook(self) -> Counts:
        """The counts to repeat when the same bodies come again."""
        return Counts(received=self._good + self._bad, unchanged=self._good, quarantined=self._bad)

    async def take(self, payload: Payload) -> None:
        """Read the records of a kept payload: sound ones are added, the others rejected."""
        batch = _sifted(self._dataset, self._source.normalise(payload))
        self._good += len(batch.records)
        self._bad += len(batch.rejections)
        if batch.rejections:
            self._first = self._first or batch.rejections[0]
            await self._intake.reject(batch.rejections, payload)
        if batch.records:
            await self._intake.add(batch.records, payload)

    async def commit(self, checkpoint: Checkpoint) -> Counts:
        """Merge, unless too much was rejected; every record received is in the counts."""
        received = self._good + self._bad
        if self._bad >= HOLD_COUNT and self._bad > HOLD_SHARE * received and self._first:
            raise _Held(
                self.outlook,
                Failure(
                    "held",
                    f"{self._bad} of {received} records cannot be read, so nothing was merged and"
                    f" the old data stays; the first one, {self._first.pointer}:"
                    f" {self._first.reason}",
                ),
            )
        merged = await self._intake.commit(checkpoint)
        return merged + Counts(received=self._bad, quarantined=self._bad)


def _sifted(dataset: Dataset[R], batch: Batch[R]) -> Batch[R]:
    """Move what no store may keep from the records to the rejections."""
    if not batch.records or dataset.sound(batch.records):
        return batch
    records: list[R] = []
    rejections = list(batch.rejections)
    for record in batch.records:
        defect = dataset.defect(record)
        if defect is None:
            records.append(record)
        else:
            rejections.append(_rejection(dataset, record, *defect))
    return Batch(records, rejections)


def _rejection(dataset: Dataset[Any], record: Any, field: str, reason: str) -> Rejection:
    key = ",".join(map(str, dataset.key_of(record)))
    excerpt = repr(msgspec.structs.asdict(record))[:_EXCERPT]
    return Rejection(f"{dataset.name}({key[:_EXCERPT]})/{field}", f"{field} {reason}", excerpt)
