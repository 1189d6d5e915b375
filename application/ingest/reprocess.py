"""Rereading: what was kept is read once more, without asking anybody."""

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
    """Reads the kept payloads of one source again: all of them, or what waits in quarantine."""

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
    ) -> tuple[Checkpoint | None, Counts]:
        """Read all that was committed; the checkpoint has the present normaliser version.

        A row whose payload is kept, and which none gives any more, is deleted: it was misread.
        QualityGateFailed when too much can no longer be read. A dry run writes nothing.
        """
        async with self._intakes.open(self._dataset, self._source.name, job) as intake:
            reading = _Reading(self._dataset, self._source, intake, self._merge)
            async for kept in intake.kept():
                await reading.take(kept)
            checkpoint = known and _recounted(known, self._normaliser)
            return checkpoint, await reading.commit(checkpoint, dry_run, anew=True)

    async def waiting(
        self, job: FetchJob, known: Checkpoint | None
    ) -> tuple[Counts, Failure | None]:
        """Read what waits in quarantine, each fetch whole; also why some were left out, if so.

        QualityGateFailed when all of them were. The checkpoint keeps its normaliser version:
        what does not wait may still have to be read by the present one.
        """
        replay = Replay(job.receipt)
        async with self._intakes.open(self._dataset, self._source.name, job) as intake:
            trials, merged = await self._tried(intake, replay)
            left_out = {job_id: trial for job_id, trial in trials.items() if trial.failure}
            counts = sum((trial.counts for trial in left_out.values()), Counts())
            failure = next((trial.failure for trial in left_out.values()), None)
            if not merged and len(left_out) == len(trials):
                if failure is not None:
                    raise QualityGateFailed(counts, failure)
                return counts, None  # nothing waits
            reading = _Reading(self._dataset, self._source, intake, self._merge)
            async for kept in intake.kept(replay):
                if kept.receipt.merged or kept.receipt.job_id not in left_out:
                    await reading.take(kept)
            checkpoint = known and _recounted(known, known.normaliser_version)
            return counts + await reading.commit(checkpoint), failure

    async def _tried(self, intake: Intake[R], replay: Replay) -> tuple[dict[str, "_Trial"], bool]:
        """How the fetches that were never merged would fare now; whether merged ones wait, too."""
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
    """A checkpoint without its digest, so that the same body is counted anew when it comes."""
    return msgspec.structs.replace(known, normaliser_version=normaliser_version, digest="")


class _Trial:
    """One fetch that was never merged, judged as it would be if it came now.

    It stays held as long as no fewer of its records are bad than wait in quarantine.
    """

    def __init__(self) -> None:
        self._sums = RejectionStats()
        self._waiting = 0
        self._unreadable: Failure | None = None

    async def take(self, dataset: Dataset[R], source: Source[R], kept: StoredPayload) -> None:
        """Read a payload of the fetch."""
        self._waiting += kept.receipt.waiting
        try:
            batch = await read(dataset, source, kept.payload)
        except SourceError as error:
            self._unreadable = Failure(error.code, error.detail)
            return
        self._sums.add(batch)

    @property
    def counts(self) -> Counts:
        """What of it could be read, and what not."""
        return self._sums.unmerged

    @property
    def failure(self) -> Failure | None:
        """Why it cannot be merged, or None when it can."""
        if self._unreadable is not None or self._sums.bad < self._waiting:
            return self._unreadable
        return self._sums.failure


class _Reading(Generic[R]):
    """Takes kept payloads into an intake; rejections are written once it is known to be merged."""

    def __init__(
        self, dataset: Dataset[R], source: Source[R], intake: Intake[R], merge: Merge
    ) -> None:
        self._dataset = dataset
        self._source = source
        self._intake = intake
        self._merge = merge
        self._read: list[tuple[Payload, list[Rejection]]] = []
        self._found: set[tuple[int, Rejection]] = set()
        self._sums = RejectionStats()
        self._waiting = 0
        self._has_records = False

    async def take(self, kept: StoredPayload) -> None:
        """Read a payload: sound records are added, the others wait to be rejected."""
        batch: Batch[R] = await read(self._dataset, self._source, kept.payload)
        self._sums.add(batch)
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
        """Merge, unless more is bad than waited before, and so much of it that nothing may be."""
        self._judge()
        # A reader that suddenly finds no record at all is wrong, not the stored rows.
        anew = anew and self._has_records
        rejected = self._sums.rejected
        if dry_run:
            return await self._intake.commit(None, dry_run=True, anew=anew) + rejected
        for payload, rejections in self._read:
            await self._intake.reject(rejections, payload)
        noted = checkpoint and msgspec.structs.replace(checkpoint, counts=rejected)
        return await self._merge(self._intake, noted, anew=anew) + rejected

    def _judge(self) -> None:
        """What was merged once was good enough then; only when it reads worse now is it held."""
        failure = self._sums.failure
        if failure is not None and len(self._found) > self._waiting:
            raise QualityGateFailed(self._sums.unmerged, failure)
