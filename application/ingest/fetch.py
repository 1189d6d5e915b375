"""Fetch: the use case that fetches or reprocesses a dataset."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial
from typing import Generic

import msgspec

from application.concurrency import SingleFlight, result_of, retrieve_exception
from application.ingest.job_backend import JobBackend
from application.ingest.run_job import JobRunner
from application.ingest.sync_source import JobStep
from application.ports.datasets import Store
from application.ports.ingest import Intakes, Source
from application.ports.jobs import JobHistory
from application.ports.system import Clock, Random
from domain.checkpoints import Freshness
from domain.dataset import Dataset, R, Role
from domain.errors import (
    DatasetBusy,
    LeaseLost,
    NoSources,
    UnknownDataset,
    UnknownJob,
)
from domain.events import FetchFresh
from domain.jobs import FetchJob, JobStatus, Mode
from domain.payloads import Batch, Payload
from domain.politeness import Cadence
from domain.reports import FetchReport, Outcome
from domain.times import shown

#: The time between two checks of a job.
CHECK_S = 0.2


class Fetched(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a requested fetch: its job or, if all was fresh, the last one.

    `outcome` is None until the job has ended, and if it was cancelled. From `next_allowed_at` on a
    fetch may send requests again.
    """

    job: FetchJob
    outcome: Outcome | None
    freshness: Freshness
    next_allowed_at: datetime | None


class Fetch(Generic[R]):
    """The use case that fetches one dataset from all of its sources, now or by a later job.

    It joins a queued or running fetch, of any process; within the minimum interval it sends no
    request and returns the last job. Raises InvalidDataset if several sources would overwrite each
    other's records. `cadence` has the period and the staleness limit, `deadline` is the longest
    duration of a run.
    """

    def __init__(
        self,
        dataset: Dataset[R],
        sources: Sequence[Source[R]],
        store: Store,
        intakes: Intakes,
        clock: Clock,
        job_backend: JobBackend,
        random: Random,
        cadence: Cadence = Cadence(),  # noqa: B008 - a frozen value
        deadline: timedelta = timedelta(seconds=60),
        steps: Sequence[JobStep] = (),
    ) -> None:
        dataset.check_sources(len(sources))
        self.dataset = dataset
        self.cadence = cadence
        self.deadline = deadline
        #: Runs the jobs of the dataset.
        self.run = JobRunner(
            dataset, sources, store, intakes, clock, job_backend, cadence, deadline, steps
        )
        #: The active sources of the dataset, with their hosts.
        self.hosts = self.run.hosts
        #: The names of these sources.
        self.sources = tuple(self.hosts)
        self._store = store
        self._clock = clock
        self._job_backend = job_backend
        self._random = random
        self._joined: asyncio.Task[Fetched] | None = None
        self._jobs = AwaitJob(self.run, job_backend, clock)
        self._is_dismissed = False

    async def normalise(self, source: str, payload: Payload) -> Batch[R]:
        """Return the records in a payload of a source; raise KeyError for an unknown source."""
        return await self.run.normalise(source, payload)

    async def __call__(
        self, viewer: Role = Role.ANYONE, force: bool = False, job_id: str | None = None
    ) -> Fetched:
        """Fetch now, or join the running fetch; `force` ignores the minimum interval.

        Raise LoginRequired or Forbidden if the viewer may not fetch, NoSources if all sources are
        switched off. A failing source is an outcome, not an error. A deferred job is returned
        queued.
        """
        self._admit(viewer, force)
        fetched = await self._join(force, job_id)
        while force and not _is_asked(fetched):
            fetched = await self._join(force, job_id)
        return fetched

    async def start(
        self,
        viewer: Role = Role.ANYONE,
        force: bool = False,
        mode: Mode = Mode.TASK,
        job_id: str | None = None,
    ) -> Fetched:
        """Enqueue a fetch unless all sources are fresh; raises the same errors as `__call__`."""
        self._admit(viewer, force)
        freshness = await self._store.freshness(self.dataset)
        fresh = await self._fresh(freshness, force, job_id)
        if fresh is not None:
            return fresh
        wanted = self._wanted(mode, force, job_id)
        job = await self._jobs.requested(wanted)
        if job == wanted:
            # A joined job has already been announced.
            await self._job_backend.announce(job.id)
        return self._fetched(job, freshness)

    async def wait(self, job_id: str, seconds: float) -> Fetched:
        """Return the job once it has ended, or its state after so many seconds."""
        job = await self._jobs.within(job_id, seconds)
        return self._fetched(job, await self._store.freshness(self.dataset))

    async def reprocess(self, viewer: Role, mode: Mode, receipt: int | None = None) -> Fetched:
        """Reprocess stored payloads by a replay or a rebuild, and wait for its end; for an admin.

        A running fetch is waited for. Raise DatasetBusy if a fetch is deferred; otherwise raises as
        `__call__` does.
        """
        self._admit(viewer, force=True)
        job = await self._jobs.requested(self._wanted(mode, receipt=receipt))
        job = await self._jobs.to_end(job)
        return self._fetched(job, await self._store.freshness(self.dataset))

    async def dry_run(self, viewer: Role) -> FetchReport:
        """Return the report of a rebuild without writing anything, for an admin."""
        self._admit(viewer, force=True)
        return await self.run.dry_run(self._wanted(Mode.REBUILD))

    async def drain(self) -> None:
        """Wait until no fetch runs in this process."""
        await self.run.drain()
        if self._joined is not None:
            await asyncio.wait([self._joined])

    async def close(self) -> None:
        """Cancel the running fetch; another process takes over its job when the lease expires."""
        if self._joined is not None:
            self._joined.cancel()
        await self.run.close()
        if self._joined is not None:
            await asyncio.wait([self._joined])

    # ------------------------------------------------------------ when the dataset is replaced

    @property
    def is_running(self) -> bool:
        """Return whether a job runs in this process, or is waited for."""
        return self.run.is_running or self._joined is not None

    @contextmanager
    def held(self) -> Iterator[None]:
        """Start no job inside the block; requested ones wait."""
        self.run.is_held = True
        try:
            yield
        finally:
            self.run.is_held = False

    async def idle(self) -> None:
        """Wait until no job runs in this process."""
        await self.run.drain()

    def hand_over(self, successor: "Fetch[R]") -> None:
        """Leave all jobs that are not running to the dataset's new use case."""
        self._is_dismissed = False
        self.run.successor = successor.run

    def dismiss(self) -> None:
        """Refuse all requests, because the dataset was removed."""
        self._is_dismissed = True
        self.run.successor = self.run.dismissed

    def reinstate(self) -> None:
        """Run jobs again, if they were left to others."""
        self._is_dismissed = False
        self.run.successor = None

    # ------------------------------------------------------------ access

    def _admit(self, viewer: Role, force: bool) -> None:
        if self._is_dismissed:
            raise UnknownDataset(f"{self.dataset.name} was removed")
        viewer.require(Role.ADMIN if force else self.dataset.fetch_by)
        if not self.sources:
            raise NoSources(f"every source of {self.dataset.name} is switched off")

    # ------------------------------------------------------------ fresh, joined or new

    async def _join(self, force: bool, job_id: str | None) -> Fetched:
        joined = self._joined
        # An ended one is not joined, even if `_left` has not run yet.
        if joined is None or joined.done():
            joined = self._joined = asyncio.create_task(self._fetch(force, job_id))
            joined.add_done_callback(self._left)
            joined.add_done_callback(retrieve_exception)
        # It continues when the caller leaves: others may have joined.
        return await result_of(joined)

    def _left(self, task: asyncio.Task[Fetched]) -> None:
        if self._joined is task:
            self._joined = None

    async def _fetch(self, force: bool, job_id: str | None) -> Fetched:
        freshness = await self._store.freshness(self.dataset)
        fresh = await self._fresh(freshness, force, job_id)
        if fresh is not None:
            return fresh
        job = await self._jobs.requested(self._wanted(Mode.SYNC, force, job_id))
        job = await self._jobs.to_end(job)
        return self._fetched(job, await self._store.freshness(self.dataset))

    async def _fresh(self, freshness: Freshness, force: bool, job_id: str | None) -> Fetched | None:
        if force or self.run.has_work(freshness):
            return None
        # A repeated request gets its own job, even if that made all fresh.
        if job_id is not None and await self._job_backend.history.get(job_id) is not None:
            return None
        last = max(freshness.checkpoints, key=lambda checkpoint: checkpoint.fetched_at)
        job = await self._job_backend.history.get(last.job_id)
        if job is None or job.report is None:
            return None
        self._job_backend.events.publish(FetchFresh(dataset=self.dataset.name))
        return self._fetched(job, freshness, Outcome.FRESH)

    def _fetched(
        self, job: FetchJob, freshness: Freshness, outcome: Outcome | None = None
    ) -> Fetched:
        return Fetched(
            job=job,
            outcome=outcome or job.outcome,
            freshness=freshness,
            next_allowed_at=self.cadence.next_allowed_at(freshness, self._clock.now()),
        )

    def _wanted(
        self,
        mode: Mode,
        force: bool = False,
        job_id: str | None = None,
        receipt: int | None = None,
    ) -> FetchJob:
        return FetchJob(
            id=job_id or self._random.identifier(),
            dataset=self.dataset.name,
            mode=mode,
            force=force,
            receipt=receipt,
            queued_at=self._clock.now(),
            traceparent=self._job_backend.tracer.traceparent(),
        )


def _is_asked(fetched: Fetched) -> bool:
    """Return whether the joined fetch sent requests, or waits or fails as a forced one would."""
    if fetched.outcome is Outcome.FRESH:
        return False
    job = fetched.job
    return job.force or job.report is None or any(s.requests or s.error for s in job.report.sources)


# ---------------------------------------------------------------- jobs, in any process


class JobPoller:
    """A poller of jobs; concurrent callers that wait for a job share one check."""

    def __init__(self, history: JobHistory, clock: Clock) -> None:
        self._history = history
        self._clock = clock
        self._checks: SingleFlight[FetchJob] = SingleFlight()

    async def known(self, job_id: str) -> FetchJob:
        """Return the current state of a job; raise UnknownJob if there is none."""
        job = await self._history.get(job_id)
        if job is None:
            raise UnknownJob("there is no such job any more")
        return job

    async def later(self, job_id: str) -> FetchJob:
        """Return the state of a job after the next check."""
        return await self._checks(job_id, partial(self._check, job_id))

    async def _check(self, job_id: str) -> FetchJob:
        await self._clock.sleep(CHECK_S)
        return await self.known(job_id)


class AwaitJob(Generic[R]):
    """The requests for jobs of one dataset, which run here or elsewhere, and the wait for them."""

    def __init__(self, run: JobRunner[R], job_backend: JobBackend, clock: Clock) -> None:
        self._run = run
        self._job_backend = job_backend
        self._clock = clock
        self._poller = JobPoller(job_backend.history, clock)

    async def requested(self, wanted: FetchJob) -> FetchJob:
        """Store a job, or return the unfinished one that does the same.

        A job that does something else is finished first. Raise DatasetBusy if that one is deferred.
        """
        while True:
            job = await self._job_backend.jobs.request(wanted)
            if job.serves(wanted):
                return job
            job = await self.to_end(job)
            if not job.status.is_final:
                raise DatasetBusy(
                    f"a fetch of {job.dataset} waits for its source until"
                    f" {shown(job.run_at)}; cancel job {job.id}, or try again then"
                )

    async def to_end(self, job: FetchJob) -> FetchJob:
        """Run the job, or wait until its worker has finished it or lost its lease."""
        while not job.status.is_final:
            if job.is_claimable(self._clock.now()):
                ran = await self._ran(job.id)
                if ran is not None:
                    return ran
            elif job.status is JobStatus.QUEUED:
                return job  # it is deferred, until its `run_at`
            job = await self._poller.later(job.id)
        return job

    async def within(self, job_id: str, seconds: float) -> FetchJob:
        """Return the job once it has ended, or its state after so many seconds."""
        job = await self._poller.known(job_id)
        # Not by the time of day: a clock that is set back meanwhile would make the wait longer.
        over = asyncio.ensure_future(self._clock.sleep(seconds))
        try:
            while seconds > 0 and not job.status.is_final and not over.done():
                job = await self._poller.later(job_id)
        finally:
            over.cancel()
        return job

    async def _ran(self, job_id: str) -> FetchJob | None:
        try:
            job = await self._run(job_id)
        except LeaseLost:
            return None  # the worker that holds it now stores its end
        if job is not None:
            self._job_backend.publish_run(job, waited_for=True)
        return job
