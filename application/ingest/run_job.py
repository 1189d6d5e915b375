"""JobRunner: runs the jobs that this process has claimed, and renews their leases."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from datetime import timedelta
from typing import Any, Generic, TypeVar

from application.concurrency import ShieldedTasks
from application.ingest.job_backend import JobBackend
from application.ingest.normalise import read
from application.ingest.sync_source import JobStep, SourceSync
from application.ports.datasets import Store
from application.ports.ingest import Intakes, Source
from application.ports.operations import SpanKind
from application.ports.system import Clock
from domain.checkpoints import Checkpoint, Freshness
from domain.dataset import Dataset, R
from domain.errors import CatchmentError, LeaseLost, StoreError
from domain.jobs import AHEAD, HEARTBEAT_S, MAX_ATTEMPTS, PATIENCE, FetchJob, JobStatus, Mode
from domain.payloads import Batch, Payload
from domain.politeness import Cadence
from domain.reports import Failure, FetchReport, Outcome, SourceReport, SourceStatus

T = TypeVar("T")


class JobRunner(Generic[R]):
    """The runner of one dataset's jobs, which renews their leases.

    A fetch asks every source that is due; a replay and a rebuild reprocess stored payloads.
    `steps` are run in addition to those of the sources.
    """

    def __init__(
        self,
        dataset: Dataset[R],
        sources: Sequence[Source[R]],
        store: Store,
        intakes: Intakes,
        clock: Clock,
        job_backend: JobBackend,
        cadence: Cadence,
        deadline: timedelta,
        steps: Sequence[JobStep] = (),
    ) -> None:
        self._dataset = dataset
        self._sources = {source.name: source for source in sources}
        ports = intakes, clock, job_backend.events, job_backend.tracer
        asking = [SourceSync(dataset, source, *ports) for source in sources]
        self._steps: list[JobStep] = [*asking, *steps]
        self._store = store
        self._clock = clock
        self._job_backend = job_backend
        self._cadence = cadence
        self._deadline = deadline
        self._running: ShieldedTasks[FetchJob | None] = ShieldedTasks()
        #: The active sources of the dataset, with their hosts.
        self.hosts = {step.source: step.host for step in self._steps}
        #: The runner of the jobs once the dataset was replaced or removed.
        self.successor: Callable[[str], Awaitable[FetchJob | None]] | None = None
        #: Whether no job may be started for now.
        self.is_held = False

    async def normalise(self, source: str, payload: Payload) -> Batch[R]:
        """Return the records in a payload of a source; raise KeyError for an unknown source."""
        return await read(self._dataset, self._sources[source], payload)

    def has_work(self, freshness: Freshness) -> bool:
        """Return whether a source is due, or stored payloads must be reprocessed."""
        now = self._clock.now()
        known = [(step, freshness.of(step.source)) for step in self._steps]
        return any(
            self._cadence.is_due(checkpoint, now) or step.reads_anew(checkpoint)
            for step, checkpoint in known
        )

    async def __call__(self, job_id: str) -> FetchJob | None:
        """Claim a job and run it; None if it cannot be claimed.

        The results of the sources are in the job's report. Raise LeaseLost if the job is taken
        over or cancelled meanwhile: then nothing more is written for it.
        """
        if self.successor is not None:
            return await self.successor(job_id)
        if self.is_held:
            return None
        # Also when the caller leaves: others may have joined, and requests were spent.
        return await self._running(self._claimed(job_id))

    async def dismissed(self, job_id: str) -> FetchJob | None:
        """Claim a job and end it as failed, because its dataset was removed."""
        job = await self._job_backend.jobs.claim(job_id)
        if job is None:
            return None
        detail = f"{self._dataset.name} was removed while the job waited"
        return await self._ended(job, self._failure("dataset_removed", detail))

    async def dry_run(self, job: FetchJob) -> FetchReport:
        """Return what a rebuild would report now, for a job that is not stored."""
        freshness = await self._store.freshness(self._dataset)
        runs = [step.reprocess(job, freshness.of(step.source), True) for step in self._steps]
        return FetchReport(sources=tuple(await asyncio.gather(*runs)))

    @property
    def is_running(self) -> bool:
        """Return whether a job runs in this process."""
        return self._running.is_busy

    async def drain(self) -> None:
        """Wait until no job runs in this process."""
        await self._running.drain()

    async def close(self) -> None:
        """Cancel the running jobs; others take them over when their leases expire."""
        await self._running.close()

    # ------------------------------------------------------------ one job

    async def _claimed(self, job_id: str) -> FetchJob | None:
        job = await self._job_backend.jobs.claim(job_id)
        return None if job is None else await self._traced(job)

    async def _traced(self, job: FetchJob) -> FetchJob:
        named = {
            "catchment.dataset": job.dataset,
            "catchment.job": job.id,
            "catchment.mode": job.mode.value,
        }
        tracer = self._job_backend.tracer
        with tracer.span("job", SpanKind.CONSUMER, named, parent=job.traceparent) as span:
            ended = await self._run(job)
            span.note({"catchment.status": ended.status.value})
            return ended

    async def _run(self, job: FetchJob) -> FetchJob:
        if job.attempts > MAX_ATTEMPTS:
            return await self._ended(job, self._given_up())
        # The end is stored after the heartbeat: a heartbeat would take it for a lost lease.
        reports = await self._alive(job, self._run_steps(job))
        for report in reports:
            if isinstance(report, BaseException):
                await self._interrupted(job, report)
                raise report
        return await self._reported(
            job, FetchReport(sources=tuple(r for r in reports if isinstance(r, SourceReport)))
        )

    async def _alive(self, job: FetchJob, work: Coroutine[Any, Any, T]) -> T:
        """Renew the lease during the work; losing it cancels the work."""
        working = asyncio.create_task(work)
        beating = asyncio.create_task(self._beat(job))
        try:
            await asyncio.wait([working, beating], return_when=asyncio.FIRST_COMPLETED)
            if not working.done():
                beating.result()
            return await working
        finally:
            for task in (beating, working):
                task.cancel()
            await asyncio.gather(beating, working, return_exceptions=True)

    async def _beat(self, job: FetchJob) -> None:
        while True:
            await self._clock.sleep(HEARTBEAT_S)
            try:
                await self._job_backend.jobs.renew(job)
            except StoreError:
                continue  # the next heartbeat may succeed; if not, the fence decides

    async def _run_steps(self, job: FetchJob) -> list[SourceReport | BaseException]:
        freshness = await self._store.freshness(self._dataset)
        known = [(step, freshness.of(step.source)) for step in self._steps]
        done: list[SourceReport] = []
        if job.mode.asks:
            # Sources that were merged before an earlier worker was lost are not asked again.
            done = [g.done(seen) for g, seen in known if seen and seen.job_id == job.id]
            runs = self._asking(job, [(g, s) for g, s in known if not s or s.job_id != job.id])
        else:
            runs = [step.reprocess(job, checkpoint) for step, checkpoint in known]
        # Every source runs to its end, so that no failure stops another one.
        return [*done, *await asyncio.gather(*runs, return_exceptions=True)]

    def _asking(
        self, job: FetchJob, known: Iterable[tuple[JobStep, Checkpoint | None]]
    ) -> list[Coroutine[Any, Any, SourceReport]]:
        now, scheduled = self._clock.now(), job.mode is Mode.SCHEDULE
        runs = []
        for step, checkpoint in known:
            due = job.force or self._cadence.is_due(checkpoint, now, scheduled)
            if due or step.reads_anew(checkpoint):
                runs.append(step(job, checkpoint, now + self._deadline, due=due))
        return runs

    # ------------------------------------------------------------ the end

    async def _reported(self, job: FetchJob, report: FetchReport) -> FetchJob:
        run_at = report.waits_until
        if job.may_wait and run_at is not None and run_at - job.queued_at <= PATIENCE:
            deferred = job.deferred(run_at)
            await self._job_backend.jobs.release(deferred)
            return deferred
        return await self._ended(job, report)

    async def _ended(self, job: FetchJob, report: FetchReport) -> FetchJob:
        status = {
            Outcome.FAILED: JobStatus.FAILED,
            Outcome.PARTIAL: JobStatus.PARTIAL,
        }.get(report.outcome, JobStatus.SUCCEEDED)
        ended = job.ended(status, report, self._clock.now())
        await self._job_backend.jobs.release(ended)
        if job.mode.asks:
            await self._update_schedule(job, report)
        return ended

    async def _update_schedule(self, job: FetchJob, report: FetchReport) -> None:
        """Update the dataset's schedule after a fetch."""
        with contextlib.suppress(StoreError):  # the end is stored; the schedule is not essential
            while not await self._is_schedule_updated(job, report):
                continue

    async def _is_schedule_updated(self, job: FetchJob, report: FetchReport) -> bool:
        now, schedules = await self._job_backend.schedules.current()
        seen = next((s for s in schedules if s.dataset == self._dataset.name), None)
        if seen is None:
            return True
        ok = report.outcome is not Outcome.FAILED
        by_hand = job.mode is not Mode.SCHEDULE
        # A job that began later than now has met a clock that was set back, and so has its report.
        is_misdated = job.started_at is not None and job.started_at > now + AHEAD
        not_before = None if is_misdated else report.not_before
        following = seen.bounded(now).after_run(ok, not_before, now, by_hand)
        return following == seen or await self._job_backend.schedules.move(seen, following)

    async def _interrupted(self, job: FetchJob, error: BaseException) -> None:
        if isinstance(error, LeaseLost):
            return
        if isinstance(error, StoreError) and job.may_wait and job.attempts < MAX_ATTEMPTS:
            return  # no client waits: it is tried again once its lease has expired
        try:
            await self._ended(
                job,
                self._failure(
                    "internal_error", "the fetch was interrupted; the log has the reason"
                ),
            )
        except CatchmentError as second:
            raise error from second

    def _given_up(self) -> FetchReport:
        return self._failure("gave_up", f"no worker survived this job in {MAX_ATTEMPTS} attempts")

    def _failure(self, code: str, detail: str) -> FetchReport:
        error = Failure(code, detail)
        return FetchReport(
            sources=tuple(
                SourceReport(source=name, status=SourceStatus.FAILED, error=error)
                for name in self.hosts
            )
        )
