"""Reprocessing: stored payloads are read again, without a request."""

from typing import Generic

import msgspec

from application.ingest.normalise import Merge, QualityGateFailed, RejectionStats, read
from application.ports.ingest import Intake, Intakes, Source
from domain.checkpoints import Checkpoint
from domain.dataset import Dataset, R
from domain.errors import SourceError
from domain.jobs import FetchJob
from domain.payloads import Batch, Payload, Replay, StoredPayload
from domain.reports import Counts, Failure, Rejection


class Reprocess(Generic[R]):
    """The reprocessing of one source's payloads: all of them, or those with rejected records."""

    def __init__(
        self,
        dataset: Dataset[R],
        source: Source[R],
        intakes: Intakes,
        normaliser_version: str,
        merge: Merge,
    ) -> None:
        self._dataset = dataset
        self._source = source
        self._intakes = intakes
        self._normaliser = normaliser_version
        self._merge = merge

    async def everything(
        self, job: FetchJob, known: Checkpoint | None, dry_run: bool = False
    ) -> tuple[Checkpoint | None, Counts, Failure | None]:
        """Read all committed payloads; the checkpoint gets the current normaliser version.

        Return also why a payload was left out, if any.

        A row whose payload is stored but no longer gives it is deleted: it was misread. Raise
        QualityGateFailed if too many records can no longer be read. A dry run writes nothing.
        """
        async with self._intakes.open(self._dataset, self._source.name, job) as intake:
            reading = _Reading(self._dataset, self._source, intake, self._merge)
            async for kept in intake.kept():
                await reading.take(kept)
            checkpoint = known and _recounted(known, self._normaliser)
            counts = await reading.commit(checkpoint, dry_run, anew=True)
            return checkpoint, counts, reading.damage

    async def waiting(
        self, job: FetchJob, known: Checkpoint | None
    ) -> tuple[Counts, Failure | None]:
        """Read the fetches with records in quarantine; return why some were left out, if any.

        Raise QualityGateFailed if all of them were left out. The checkpoint keeps its normaliser
        version: other payloads may still have to be read by the current one.
        """
        replay = Replay(job.receipt)
        async with self._intakes.open(self._dataset, self._source.name, job) as intake:
            trials, merged = await self._trials(intake, replay)
            left_out = {job_id: trial for job_id, trial in trials.items() if trial.failure}
            counts = sum((trial.counts for trial in left_out.values()), Counts())
            failure = next((trial.failure for trial in left_out.values()), None)
            if not merged and len(left_out) == len(trials):
                if failure is not None:
                    raise QualityGateFailed(counts, failure)
                return counts, None  # nothing is in quarantine
            reading = _Reading(self._dataset, self._source, intake, self._merge)
            async for kept in intake.kept(replay):
                if kept.receipt.merged or kept.receipt.job_id not in left_out:
                    await reading.take(kept)
            checkpoint = known and _recounted(known, known.normaliser_version)
            counts += await reading.commit(checkpoint)
            return counts, failure or reading.damage

    async def _trials(self, intake: Intake[R], replay: Replay) -> tuple[dict[str, "_Trial"], bool]:
        """Return trials of the fetches that were never merged, and whether merged ones wait."""
        trials: dict[str, _Trial] = {}
        merged = False
        async for kept in intake.kept(replay):
            if not kept.receipt.merged:
                trial = trials.setdefault(kept.receipt.job_id, _Trial())
                await trial.take(self._dataset, self._source, kept)
            elif kept.receipt.waiting and replay.receipt in (None, kept.receipt.id):
                merged = True
        return trials, merged


def _recounted(known: Checkpoint, normaliser_version: str) -> Checkpoint:
    """Return a checkpoint without its digest, so that the same body is counted again."""
    return msgspec.structs.replace(known, normaliser_version=normaliser_version, digest="")


class _Trial:
    """One fetch that was never merged, judged as if it arrived now.

    It stays held unless it has fewer bad records than it has in quarantine.
    """

    def __init__(self) -> None:
        self._stats = RejectionStats()
        self._waiting = 0
        self._unreadable: Failure | None = None

    async def take(self, dataset: Dataset[R], source: Source[R], kept: StoredPayload) -> None:
        """Read a payload of the fetch."""
        self._waiting += kept.receipt.waiting
        if kept.damage is not None:
            self._unreadable = kept.damage
            return
        try:
            batch = await read(dataset, source, kept.payload)
        except SourceError as error:
            self._unreadable = Failure(error.code, error.detail)
            return
        self._stats.add(batch)

    @property
    def counts(self) -> Counts:
        """Return the counts of its records."""
        return self._stats.unmerged

    @property
    def failure(self) -> Failure | None:
        """Return why it cannot be merged, None if it can."""
        if self._unreadable is not None or self._stats.bad < self._waiting:
            return self._unreadable
        return self._stats.failure


class _Reading(Generic[R]):
    """The reading of stored payloads into an intake; rejections are written with the merge."""

    def __init__(
        self, dataset: Dataset[R], source: Source[R], intake: Intake[R], merge: Merge
    ) -> None:
        self._dataset = dataset
        self._source = source
        self._intake = intake
        self._merge = merge
        self._read: list[tuple[Payload, list[Rejection]]] = []
        self._found: set[tuple[int, Rejection]] = set()
        self._stats = RejectionStats()
        #: Why the first damaged payload was left out, if any was.
        self.damage: Failure | None = None
        self._waiting = 0
        self._has_records = False

    async def take(self, kept: StoredPayload) -> None:
        """Read a payload: valid records are added, the others rejected on commit."""
        if kept.damage is not None:
            self.damage = self.damage or kept.damage
            return
        batch: Batch[R] = await read(self._dataset, self._source, kept.payload)
        self._stats.add(batch)
        self._waiting += kept.receipt.waiting
        self._found.update((kept.payload.page, rejection) for rejection in batch.rejections)
        # The bodies of many payloads would not fit into memory.
        self._read.append((msgspec.structs.replace(kept.payload, body=b""), batch.rejections))
        if batch.records:
            self._has_records = True
            await self._intake.add(batch.records, kept.payload)

    async def commit(
        self, checkpoint: Checkpoint | None, dry_run: bool = False, anew: bool = False
    ) -> Counts:
        """Merge, unless there are more bad records than before, and too many for a merge."""
        self._judge()
        # A normaliser that finds no record at all is wrong, not the stored rows.
        # Rows of a payload that cannot be read are not in what was read, and stay.
        anew = anew and self._has_records and self.damage is None
        rejected = self._stats.rejected
        if dry_run:
            return await self._intake.commit(None, dry_run=True, anew=anew) + rejected
        for payload, rejections in self._read:
            await self._intake.reject(rejections, payload)
        counted = checkpoint and msgspec.structs.replace(checkpoint, counts=rejected)
        return await self._merge(self._intake, counted, anew=anew) + rejected

    def _judge(self) -> None:
        """Raise QualityGateFailed only if more records are bad now than when they were merged."""
        failure = self._stats.failure
        if failure is not None and len(self._found) > self._waiting:
            raise QualityGateFailed(self._stats.unmerged, failure)
