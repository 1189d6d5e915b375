"""Fetch: the one algorithm by which anything is ever fetched."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Generic

import msgspec

from application.gather import Gather
from application.ports.clock import Clock, Random
from application.ports.jobs import Jobs
from application.ports.source import Source
from application.ports.store import Store
from domain.checkpoints import Freshness
from domain.dataset import Dataset, R, Role
from domain.errors import CatchmentError, LeaseLost, NoSources, StoreError, TooManyWaiting
from domain.jobs import HEARTBEAT_S, MAX_ATTEMPTS, FetchJob, JobStatus
from domain.politeness import Cadence
from domain.reports import Failure, FetchReport, Outcome, SourceReport, SourceStatus

#: So many callers may wait for one running fetch.
MAX_WAITING = 100
_FOLLOW_S = 0.2


class Fetched(msgspec.Struct, frozen=True, kw_only=True):
    """How a fetch ended: the job that ran, now or, when all was fresh, before."""

    job: FetchJob
    outcome: Outcome
    freshness: Freshness


class Fetch(Generic[R]):
    """Fetches one dataset from all of its sources.

    A fetch that is already running is joined, in this process or another; within the minimum
    interval nothing is asked and the last job is the answer.
    """

    def __init__(
        self,
        dataset: Dataset[R],
        sources: Sequence[Source[R]],
        store: Store,
        clock: Clock,
        jobs: Jobs,
        random: Random,
        cadence: Cadence = Cadence(),  # noqa: B008 - a frozen value
        deadline: timedelta = timedelta(seconds=60),
    ) -> None:
        self.dataset = dataset
        self._gathers = [Gather(dataset, source, store, clock) for source in sources]
        self._store = store
        self._clock = clock
        self._jobs = jobs
        self._random = random
        self._cadence = cadence
        self._deadline = deadline
        self._running: asyncio.Task[Fetched] | None = None
        self._waiting = 0

    @property
    def sources(self) -> tuple[str, ...]:
        """The names of the dataset's sources that are switched on."""
        return tuple(gather.source for gather in self._gathers)

    @property
    def cadence(self) -> Cadence:
        """How often the dataset is fetched, and stale when."""
        return self._cadence

    async def __call__(self, viewer: Role = Role.ANYONE, force: bool = False) -> Fetched:
        """Fetch now, or join the fetch that runs; `force` ignores the minimum interval.

        LoginRequired or Forbidden when the viewer may not; NoSources when all are switched off;
        TooManyWaiting when too many already wait. A failing source is an outcome, not an error.
        """
        viewer.require(Role.ADMIN if force else self.dataset.fetch_by)
        if not self._gathers:
            raise NoSources(f"every source of {self.dataset.name} is switched off")
        if self._waiting >= MAX_WAITING:
            raise TooManyWaiting(f"{MAX_WAITING} callers already wait for {self.dataset.name}")
        self._waiting += 1
        try:
            fetched = await self._join(force)
            while force and fetched.outcome is Outcome.FRESH:
                fetched = await self._join(force)
            return fetched
        finally:
            self._waiting -= 1

    async def _join(self, force: bool) -> Fetched:
        if self._running is None:
            self._running = asyncio.create_task(self._fetch(force))
            self._running.add_done_callback(self._ended)
        # The fetch goes on when the caller leaves: others may have joined, and it was paid for.
        return await asyncio.shield(self._running)

    def _ended(self, task: asyncio.Task[Fetched]) -> None:
        self._running = None
        if not task.cancelled():
            task.exception()  # whoever waited has seen it; nobody may be left to

    async def drain(self) -> None:
        """Return when no fetch is running here any more."""
        if self._running is not None:
            await asyncio.wait([self._running])

    async def close(self) -> None:
        """Stop a fetch that is running here; its job is taken over when its lease runs out."""
        if self._running is not None:
            self._running.cancel()
            await asyncio.wait([self._running])

    # ------------------------------------------------------------ decide, claim, run

    async def _fetch(self, force: bool) -> Fetched:
        freshness = await self._store.freshness(self.dataset)
        if not force and not any(self._wants(gather, freshness) for gather in self._gathers):
            last = max(freshness.checkpoints, key=lambda c: c.fetched_at)
            job = await self._jobs.get(last.job_id)
            if job is not None and job.report is not None:
                return Fetched(job=job, outcome=Outcome.FRESH, freshness=freshness)
        job = await self._jobs.request(
            FetchJob(
                id=self._random.identifier(),
                dataset=self.dataset.name,
                queued_at=self._clock.now(),
            )
        )
        job = await self._follow(job, force)
        return Fetched(
            job=job,
            outcome=job.report.outcome if job.report else Outcome.FAILED,
            freshness=await self._store.freshness(self.dataset),
        )

    def _wants(self, gather: Gather[R], freshness: Freshness) -> bool:
        checkpoint = freshness.of(gather.source)
        if checkpoint is not None and checkpoint.normaliser != gather.normaliser:
            return True
        return self._cadence.is_due(checkpoint, self._clock.now())

    async def _follow(self, job: FetchJob, force: bool) -> FetchJob:
        """Run the job, or wait until whoever runs it is done or thought dead."""
        while not job.status.is_final:
            if job.is_claimable(self._clock.now()):
                claimed = await self._jobs.claim(job.id)
                if claimed is not None:
                    return await self._run(claimed, force)
            await self._clock.sleep(_FOLLOW_S)
            known = await self._jobs.get(job.id)
            if known is None:
                raise LeaseLost(f"job {job.id} has disappeared")
            job = known
        return job

    async def _run(self, job: FetchJob, force: bool) -> FetchJob:
        if job.attempts > MAX_ATTEMPTS:
            return await self._finish(job, self._given_up())
        async with self._heartbeat(job):
            return await self._finish(job, FetchReport(sources=await self._gather(job, force)))

    async def _gather(self, job: FetchJob, force: bool) -> tuple[SourceReport, ...]:
        freshness = await self._store.freshness(self.dataset)
        deadline = self._clock.now() + self._deadline
        wanted = [g for g in self._gathers if force or self._wants(g, freshness)]
        now = self._clock.now()
        runs = [
            gather(
                job,
                freshness.of(gather.source),
                deadline,
                due=force or self._cadence.is_due(freshness.of(gather.source), now),
            )
            for gather in wanted
        ]
        # Every source runs to its end, so that none is stopped by the misfortune of another.
        reports = await asyncio.gather(*runs, return_exceptions=True)
        for report in reports:
            if isinstance(report, BaseException):
                try:
                    await self._finish(job, self._broken())
                except CatchmentError as error:
                    raise report from error
                raise report
        return tuple(report for report in reports if isinstance(report, SourceReport))

    async def _finish(self, job: FetchJob, report: FetchReport) -> FetchJob:
        status = {
            Outcome.FAILED: JobStatus.FAILED,
            Outcome.PARTIAL: JobStatus.PARTIAL,
        }.get(report.outcome, JobStatus.SUCCEEDED)
        ended = job.ended(status, report, self._clock.now())
        await self._jobs.finish(ended)
        return ended

    @asynccontextmanager
    async def _heartbeat(self, job: FetchJob) -> AsyncIterator[None]:
        beating = asyncio.create_task(self._beat(job))
        try:
            yield
        finally:
            beating.cancel()
            await asyncio.wait([beating])

    async def _beat(self, job: FetchJob) -> None:
        while True:
            await self._clock.sleep(HEARTBEAT_S)
            try:
                await self._jobs.renew(job)
            except LeaseLost:
                return  # the fence keeps everything this job still writes out of the store
            except StoreError:
                continue  # the next beat may get through; if not, the fence decides

    def _given_up(self) -> FetchReport:
        return self._failure("gave_up", f"no worker survived this job in {MAX_ATTEMPTS} attempts")

    def _broken(self) -> FetchReport:
        return self._failure("internal_error", "the fetch broke off; the log has the reason")

    def _failure(self, code: str, detail: str) -> FetchReport:
        error = Failure(code, detail)
        return FetchReport(
            sources=tuple(
                SourceReport(source=gather.source, status=SourceStatus.FAILED, error=error)
                for gather in self._gathers
            )
        )
