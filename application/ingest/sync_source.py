"""SourceSync: fetches one source, reads its payloads, and merges them in one transaction."""

import hashlib
from abc import abstractmethod
from datetime import datetime
from typing import Generic, Protocol

import msgspec

from application.ingest.normalise import READING, Merge, QualityGateFailed, SourceLoad
from application.ingest.reprocess import Reprocess
from application.ports.ingest import Ask, Intake, Intakes, Source
from application.ports.operations import Events, Tracer
from application.ports.system import Clock
from domain.checkpoints import MAX_CONFIRMATIONS, Checkpoint
from domain.dataset import Dataset, R
from domain.errors import SourceError, UnexpectedContent
from domain.jobs import FetchJob, Mode
from domain.payloads import Arrivals, Payload
from domain.reports import Counts, Failure, SourceReport, SourceStatus, Traffic


class JobStep(Protocol):
    """One step of a job, for one source."""

    #: The name of the source, and the host it asks.
    source: str
    host: str
    #: A fingerprint of the code that reads the source's payloads.
    normaliser_version: str

    @abstractmethod
    async def __call__(
        self, job: FetchJob, checkpoint: Checkpoint | None, deadline: datetime, due: bool = True
    ) -> SourceReport:
        """Run the step; a failure of the source is reported, not raised."""

    @abstractmethod
    async def reprocess(
        self, job: FetchJob, checkpoint: Checkpoint | None, dry_run: bool = False
    ) -> SourceReport:
        """Reprocess stored payloads, as a replay or a rebuild does."""

    @abstractmethod
    def done(self, checkpoint: Checkpoint) -> SourceReport:
        """Return the report of this checkpoint's job, for the worker that takes it over."""

    def reads_anew(self, checkpoint: Checkpoint | None) -> bool:
        """Return whether another normaliser version has read the stored payloads."""
        return checkpoint is not None and checkpoint.normaliser_version != self.normaliser_version


class SourceSync(JobStep, Generic[R]):
    """The job step that fetches one source, stores its payloads, and merges their records."""

    def __init__(
        self,
        dataset: Dataset[R],
        source: Source[R],
        intakes: Intakes,
        clock: Clock,
        events: Events,
        tracer: Tracer,
    ) -> None:
        self.source = source.name
        self.host = source.host
        described = f"{dataset.fingerprint} {source.normaliser_version} {READING}"
        self.normaliser_version = hashlib.sha256(described.encode()).hexdigest()[:16]
        self._dataset = dataset
        self._source = source
        self._intakes = intakes
        self._clock = clock
        self._merge = Merge(dataset.name, source.name, events, tracer, clock)
        self._reprocess = Reprocess(dataset, source, intakes, self.normaliser_version, self._merge)

    async def __call__(
        self, job: FetchJob, checkpoint: Checkpoint | None, deadline: datetime, due: bool = True
    ) -> SourceReport:
        """Fetch from the source; a failure of the source is reported, not raised.

        Stored payloads are reprocessed first if the normaliser version has changed; the source is
        asked only if it is due.
        """
        traffic = Traffic()
        counts, error, left_out = Counts(), None, None
        try:
            if self.reads_anew(checkpoint):
                checkpoint, counts, left_out = await self._renew(job, checkpoint, due)
            if due:
                counts += await self._ask(job, Ask(checkpoint, deadline, traffic))
        except QualityGateFailed as held:
            counts, error = counts + held.counts, held.failure
        except SourceError as failure:
            error = Failure(failure.code, failure.detail, failure.retry_at)
        return _without(self._report(counts, error, traffic), left_out)

    async def reprocess(
        self, job: FetchJob, checkpoint: Checkpoint | None, dry_run: bool = False
    ) -> SourceReport:
        """Reprocess stored payloads, as a replay or a rebuild does; the source is not asked.

        A dry run only reports what would change.
        """
        left_out: Failure | None = None
        try:
            if job.mode is Mode.REPLAY:
                counts, left_out = await self._reprocess.waiting(job, checkpoint)
            else:
                _, counts, left_out = await self._reprocess.everything(job, checkpoint, dry_run)
        except QualityGateFailed as held:
            return self._report(held.counts, held.failure)
        except SourceError as failure:
            return self._report(Counts(), Failure(failure.code, failure.detail))
        return _without(self._report(counts, None), left_out)

    def done(self, checkpoint: Checkpoint) -> SourceReport:
        """Return the report of this checkpoint's job, for the worker that takes it over."""
        return self._report(Counts() if checkpoint.confirmations else checkpoint.counts, None)

    def _report(
        self, counts: Counts, error: Failure | None, traffic: Traffic | None = None
    ) -> SourceReport:
        return SourceReport(
            source=self.source,
            status=_status(counts, error),
            error=error,
            counts=counts,
            **msgspec.structs.asdict(traffic or Traffic()),
        )

    async def _renew(
        self, job: FetchJob, old: Checkpoint | None, due: bool
    ) -> tuple[Checkpoint | None, Counts, Failure | None]:
        try:
            return await self._reprocess.everything(job, old)
        except (QualityGateFailed, SourceError):
            if not due:
                raise
            # The stored payloads cannot be read any more: everything is requested again.
            return None, Counts(), None

    async def _ask(self, job: FetchJob, ask: Ask) -> Counts:
        async with self._intakes.open(self._dataset, self.source, job) as intake:
            load = SourceLoad(self._dataset, self._source, intake, self._merge)
            walk = _WalkedPages(load, intake)
            async for received in self._source.ask(_without_validators(ask)):
                await walk.arrived(await intake.keep(received))
            if walk.last is None:
                return await self._confirm(intake, ask.checkpoint, job)
            checkpoint = self._checkpoint(walk.last, walk.digest, job)
            known = ask.checkpoint
            if known is not None and known.digest == walk.digest and not walk.is_read:
                repeated = known.counts.repeated
                await intake.commit(msgspec.structs.replace(checkpoint, counts=repeated))
                return repeated
            await walk.read(walk.last)
            return await load.commit(checkpoint)

    async def _confirm(self, intake: Intake[R], known: Checkpoint | None, job: FetchJob) -> Counts:
        if known is None:
            raise UnexpectedContent(
                "the source answered 'not modified' to an unconditional request"
            )
        confirmed = msgspec.structs.replace(
            known,
            fetched_at=self._clock.now(),
            job_id=job.id,
            confirmations=known.confirmations + 1,
        )
        return await intake.commit(confirmed)

    def _checkpoint(self, last: Payload, digest: str, job: FetchJob) -> Checkpoint:
        # Validators belong to one page, so they are stored only for a single page.
        alone = last.page == 0
        return Checkpoint(
            source=self.source,
            fetched_at=self._clock.now(),
            job_id=job.id,
            url=last.url if alone else "",
            etag=last.etag if alone else None,
            last_modified=last.last_modified if alone else None,
            digest=digest,
            normaliser_version=self.normaliser_version,
        )


class _WalkedPages(Generic[R]):
    """The pages of one walk, which are read only once one of them is new.

    As long as every page was stored before, all of them may be those of the last walk, whose
    records and rejections must then stay unchanged. So they are read from the store as soon as a
    page is new.
    """

    def __init__(self, load: SourceLoad[R], intake: Intake[R]) -> None:
        self._load = load
        self._intake = intake
        self._digest = hashlib.sha256()
        self._first = 0
        #: The last received page, if any.
        self.last: Payload | None = None
        #: Whether the received pages have been read.
        self.is_read = False

    @property
    def digest(self) -> str:
        """Return a text that is equal for walks of equal pages in the same order."""
        return self._digest.hexdigest()

    async def arrived(self, page: Payload) -> None:
        """Take the next page, which has been stored."""
        self._digest.update(hashlib.sha256(page.body).digest())
        self._first = self._first or page.receipt
        self.last = page
        if self.is_read:
            await self._load.take(page)
        elif not page.is_known:
            await self.read(page)

    async def read(self, last: Payload) -> None:
        """Read all unread pages, the last of which is this one."""
        if self.is_read:
            return
        self.is_read = True
        if self._first < last.receipt:
            async for kept in self._intake.kept(Arrivals(self._first)):
                if kept.damage is not None:
                    raise UnexpectedContent(kept.damage.detail, code=kept.damage.code)
                if kept.receipt.id < last.receipt:
                    await self._load.take(kept.payload)
        await self._load.take(last)


def _without(report: SourceReport, left_out: Failure | None) -> SourceReport:
    """Return the report of a success in which something was left out."""
    if left_out is None or report.error is not None:
        return report
    return msgspec.structs.replace(report, status=SourceStatus.PARTIAL, error=left_out)


def _without_validators(ask: Ask) -> Ask:
    """Return the request, without validators after too many confirmations."""
    known = ask.checkpoint
    if known is None or known.confirmations < MAX_CONFIRMATIONS:
        return ask
    without = msgspec.structs.replace(known, url="", etag=None, last_modified=None)
    return msgspec.structs.replace(ask, checkpoint=without)


def _status(counts: Counts, error: Failure | None) -> SourceStatus:
    if error is not None:
        return SourceStatus.FAILED
    return SourceStatus.PARTIAL if counts.quarantined else SourceStatus.SUCCEEDED
