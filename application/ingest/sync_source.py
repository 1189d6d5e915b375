"""Sync one source: ask it, read what it sends, merge in one transaction."""

import hashlib
from abc import abstractmethod
from datetime import datetime
from typing import Generic, Protocol

import msgspec

from application.ingest.normalise import Merge, QualityGateFailed, SourceLoad
from application.ingest.reprocess import Reprocess
from application.ports.ingest import Ask, Intake, Intakes, Source
from application.ports.operations import Events, Tracer
from application.ports.system import Clock
from domain.checkpoints import MAX_CONFIRMATIONS, Checkpoint
from domain.dataset import Dataset, R
from domain.errors import SourceError, UnexpectedContent
from domain.jobs import FetchJob, Mode
from domain.payloads import Payload, Walk
from domain.reports import Counts, Failure, SourceReport, SourceStatus, Traffic


class JobStep(Protocol):
    """What a job does with one source, whatever that is."""

    #: The name of the source, and the host it asks.
    source: str
    host: str
    #: A fingerprint of the code that reads what the source says.
    normaliser_version: str

    @abstractmethod
    async def __call__(
        self, job: FetchJob, checkpoint: Checkpoint | None, deadline: datetime, due: bool = True
    ) -> SourceReport:
        """Do it; a failure of the source is a report, not an exception."""

    @abstractmethod
    async def reprocess(
        self, job: FetchJob, checkpoint: Checkpoint | None, dry_run: bool = False
    ) -> SourceReport:
        """Do again what needs no source, as a replay or a rebuild does."""

    @abstractmethod
    def done(self, checkpoint: Checkpoint) -> SourceReport:
        """What this checkpoint's own job did, for the worker that takes the job over."""

    def reads_anew(self, checkpoint: Checkpoint | None) -> bool:
        """Whether what was kept has been read by another version than this one."""
        return checkpoint is not None and checkpoint.normaliser_version != self.normaliser_version


class SourceSync(JobStep, Generic[R]):
    """Asks one source, keeps what it says, and merges what can be read of it."""

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
        described = f"{dataset.fingerprint} {source.normaliser_version}"
        self.normaliser_version = hashlib.sha256(described.encode()).hexdigest()[:16]
        self._dataset = dataset
        self._source = source
        self._intakes = intakes
        self._clock = clock
        self._merge = Merge(dataset.name, source.name, events, tracer, clock)
        self._reread = Reprocess(dataset, source, intakes, self.normaliser_version, self._merge)

    async def __call__(
        self, job: FetchJob, checkpoint: Checkpoint | None, deadline: datetime, due: bool = True
    ) -> SourceReport:
        """Fetch from the source; a failure of the source is a report, not an exception.

        What was kept is read again first when the normaliser version has changed; the source is
        asked only when it is due.
        """
        traffic = Traffic()
        counts, error = Counts(), None
        try:
            if self.reads_anew(checkpoint):
                checkpoint, counts = await self._renew(job, checkpoint, due)
            if due:
                counts += await self._ask(job, Ask(checkpoint, deadline, traffic))
        except QualityGateFailed as held:
            counts, error = counts + held.counts, held.failure
        except SourceError as failure:
            error = Failure(failure.code, failure.detail, failure.retry_at)
        return self._report(counts, error, traffic)

    async def reprocess(
        self, job: FetchJob, checkpoint: Checkpoint | None, dry_run: bool = False
    ) -> SourceReport:
        """Read kept payloads again, as a replay or a rebuild does; the source is not asked.

        A dry run only tells what would become of the records.
        """
        left_out: Failure | None = None
        try:
            if job.mode is Mode.REPLAY:
                counts, left_out = await self._reread.waiting(job, checkpoint)
            else:
                _, counts = await self._reread.everything(job, checkpoint, dry_run)
        except QualityGateFailed as held:
            return self._report(held.counts, held.failure)
        except SourceError as failure:
            return self._report(Counts(), Failure(failure.code, failure.detail))
        report = self._report(counts, None)
        if left_out is None:
            return report
        return msgspec.structs.replace(report, status=SourceStatus.PARTIAL, error=left_out)

    def done(self, checkpoint: Checkpoint) -> SourceReport:
        """What this checkpoint's own job did, for the worker that takes the job over."""
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
    ) -> tuple[Checkpoint | None, Counts]:
        try:
            return await self._reread.everything(job, old)
        except (QualityGateFailed, SourceError):
            if not due:
                raise
            # What was kept cannot be read any more: the source is asked for all of it afresh.
            return None, Counts()

    async def _ask(self, job: FetchJob, ask: Ask) -> Counts:
        async with self._intakes.open(self._dataset, self.source, job) as intake:
            load = SourceLoad(self._dataset, self._source, intake, self._merge)
            walk = _WalkedPages(load, intake)
            async for received in self._source.ask(_doubting(ask)):
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
            raise UnexpectedContent("the source said that nothing changed, though nothing is known")
        confirmed = msgspec.structs.replace(
            known,
            fetched_at=self._clock.now(),
            job_id=job.id,
            confirmations=known.confirmations + 1,
        )
        return await intake.commit(confirmed)

    def _checkpoint(self, last: Payload, digest: str, job: FetchJob) -> Checkpoint:
        # Validators describe one page, so they can speak for the whole only when it is one page.
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
    """The pages of one walk, which are read only once the walk is known to bring something new.

    As long as every page is one that was kept before, all of them may be those of the last walk:
    its records, and what it rejected, must then stay as they are. So they wait, and are read from
    the store as soon as a page is new.
    """

    def __init__(self, load: SourceLoad[R], intake: Intake[R]) -> None:
        self._load = load
        self._intake = intake
        self._digest = hashlib.sha256()
        self._first = 0
        #: The page that came last, if any came.
        self.last: Payload | None = None
        #: Whether what came has been read.
        self.is_read = False

    @property
    def digest(self) -> str:
        """Return a text that is equal for walks of equal pages in the same order."""
        return self._digest.hexdigest()

    async def arrived(self, page: Payload) -> None:
        """Take the next page, which has been kept."""
        self._digest.update(hashlib.sha256(page.body).digest())
        self._first = self._first or page.receipt
        self.last = page
        if self.is_read:
            await self._load.take(page)
        elif not page.is_known:
            await self.read(page)

    async def read(self, last: Payload) -> None:
        """Read what waits, of which this page is the last."""
        if self.is_read:
            return
        self.is_read = True
        if self._first < last.receipt:
            async for kept in self._intake.kept(Walk(self._first)):
                if kept.receipt.id < last.receipt:
                    await self._load.take(kept.payload)
        await self._load.take(last)


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
