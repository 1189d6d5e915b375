"""Fetch: the one algorithm by which anything is ever fetched, or read again."""

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

#: How long after one look at a job the next one comes.
LOOK_S = 0.2


class Fetched(msgspec.Struct, frozen=True, kw_only=True):
    """What became of asking for a fetch: the job that runs, ran, or, when all was fresh, had run.

    `outcome` is None as long as the job has not ended, and when it was cancelled. Sources may be
    asked again from `next_allowed_at` on.
    """

    job: FetchJob
    outcome: Outcome | None
    freshness: Freshness
    next_allowed_at: datetime | None


class Fetch(Generic[R]):
    """Fetches one dataset from all of its sources, now or by a job that runs later.

    A fetch that is waiting or running already is joined, in this process or another; within the
    minimum interval nothing is asked and the last job is the answer. InvalidDataset when several
    sources would overwrite each other's records. `cadence` is how often the dataset is fetched and
    when it is stale, `deadline` how long a fetch may take once it runs.
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
        gathers: Sequence[JobStep] = (),
    ) -> None:
        dataset.check_sources(len(sources))
        self.dataset = dataset
        self.cadence = cadence
        self.deadline = deadline
        #: Runs the jobs of the dataset.
        self.run = JobRunner(
            dataset, sources, store, intakes, clock, job_backend, cadence, deadline, gathers
        )
        #: The dataset's sources that are switched on, each with the host it asks.
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
        """Return what a payload of one of the sources holds; raise KeyError for another source."""
        return await self.run.normalise(source, payload)

    async def __call__(
        self, viewer: Role = Role.ANYONE, force: bool = False, job_id: str | None = None
    ) -> Fetched:
        """Fetch now, or join the fetch that runs; `force` ignores the minimum interval.

        LoginRequired or Forbidden when the viewer may not; NoSources when all are switched off. A
        failing source is an outcome, not an error. The job is still queued when it waits for its
        source until a time that is known.
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
        """Have a worker fetch, unless all is fresh; errors as for a fetch that is waited for."""
        self._admit(viewer, force)
        freshness = await self._store.freshness(self.dataset)
        fresh = await self._fresh(freshness, force, job_id)
        if fresh is not None:
            return fresh
        wanted = self._wanted(mode, force, job_id)
        job = await self._jobs.requested(wanted)
        if job == wanted:
            # One that is joined was announced by whoever wrote it down.
            await self._job_backend.announce(job.id)
        return self._fetched(job, freshness)

    async def wait(self, job_id: str, seconds: float) -> Fetched:
        """The job once it has ended, or as it is after so many seconds."""
        job = await self._jobs.within(job_id, seconds)
        return self._fetched(job, await self._store.freshness(self.dataset))

    async def reprocess(self, viewer: Role, mode: Mode, receipt: int | None = None) -> Fetched:
        """Have what was kept read again by a replay or a rebuild, and wait for its end.

        For an admin. A fetch that runs comes first; DatasetBusy when one waits for its source.
        Otherwise as for a fetch that is waited for.
        """
        self._admit(viewer, force=True)
        job = await self._jobs.requested(self._wanted(mode, receipt=receipt))
        job = await self._jobs.to_end(job)
        return self._fetched(job, await self._store.freshness(self.dataset))

    async def dry_run(self, viewer: Role) -> FetchReport:
        """What a rebuild would do now, for an admin; nothing is written and nobody is asked."""
        self._admit(viewer, force=True)
        return await self.run.dry_run(self._wanted(Mode.REBUILD))

    async def drain(self) -> None:
        """Return when no fetch is running here any more."""
        await self.run.drain()
        if self._joined is not None:
            await asyncio.wait([self._joined])

    async def close(self) -> None:
        """Stop what is running here; its job is taken over when its lease runs out."""
        if self._joined is not None:
            self._joined.cancel()
        await self.run.close()
        if self._joined is not None:
            await asyncio.wait([self._joined])

    # ------------------------------------------------------------ when the dataset is replaced

    @property
    def is_running(self) -> bool:
        """Whether anything is running here, or is waited for."""
        return self.run.is_running or self._joined is not None

    @contextmanager
    def held(self) -> Iterator[None]:
        """Start no job inside the block; those that are asked for wait."""
        self.run.is_held = True
        try:
            yield
        finally:
            self.run.is_held = False

    async def idle(self) -> None:
        """Return when no job is running here any more."""
        await self.run.drain()

    def hand_over(self, successor: "Fetch[R]") -> None:
        """Leave all jobs that are not running to the dataset's new use case."""
        self._is_dismissed = False
        self.run.successor = successor.run

    def dismiss(self) -> None:
        """Refuse all that is asked for, because there is no such dataset any more."""
        self._is_dismissed = True
        self.run.successor = self.run.dismissed

    def reinstate(self) -> None:
        """Run jobs again, if they were left to others."""
        self._is_dismissed = False
        self.run.successor = None

    # ------------------------------------------------------------ who may

    def _admit(self, viewer: Role, force: bool) -> None:
        if self._is_dismissed:
            raise UnknownDataset(f"{self.dataset.name} was removed")
        viewer.require(Role.ADMIN if force else self.dataset.fetch_by)
        if not self.sources:
            raise NoSources(f"every source of {self.dataset.name} is switched off")

    # ------------------------------------------------------------ decide, ask for, follow

    async def _join(self, force: bool, job_id: str | None) -> Fetched:
        joined = self._joined
        # One that has ended is not joined, even if we hear of its end before `_left` does.
        if joined is None or joined.done():
            joined = self._joined = asyncio.create_task(self._fetch(force, job_id))
            joined.add_done_callback(self._left)
            joined.add_done_callback(retrieve_exception)
        # It goes on when the caller leaves: others may have joined.
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
        # A job that was made for this request before is the answer, also when it made all fresh.
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
    """Whether what was joined asked a source, or waits or fails as our own fetch would."""
    if fetched.outcome is Outcome.FRESH:
        return False
    job = fetched.job
    return job.force or job.report is None or any(s.requests or s.error for s in job.report.sources)


# ---------------------------------------------------------------- jobs, wherever they run


class JobPoller:
    """Looks at each job once at a time, however many wait for it."""

    def __init__(self, history: JobHistory, clock: Clock) -> None:
        self._history = history
        self._clock = clock
        self._looks: SingleFlight[FetchJob] = SingleFlight()

    async def known(self, job_id: str) -> FetchJob:
        """The job as it is now; UnknownJob when there is none."""
        job = await self._history.get(job_id)
        if job is None:
            raise UnknownJob("there is no such job any more")
        return job

    async def later(self, job_id: str) -> FetchJob:
        """The job as it is a moment later."""
        return await self._looks(job_id, partial(self._look, job_id))

    async def _look(self, job_id: str) -> FetchJob:
        await self._clock.sleep(LOOK_S)
        return await self.known(job_id)


class AwaitJob(Generic[R]):
    """Has the jobs of one dataset run, by whoever can, and waits for them."""

    def __init__(self, run: JobRunner[R], job_backend: JobBackend, clock: Clock) -> None:
        self._run = run
        self._job_backend = job_backend
        self._clock = clock
        self._watch = JobPoller(job_backend.history, clock)

    async def requested(self, wanted: FetchJob) -> FetchJob:
        """Write a job down, or find the unfinished one that does the same.

        One that does something else is in the way, and is brought to its end first; DatasetBusy
        when that one waits for its source.
        """
        while True:
            job = await self._job_backend.jobs.request(wanted)
            if job.serves(wanted):
                return job
            job = await self.to_end(job)
            if not job.status.is_final:
                raise DatasetBusy(
                    f"a fetch of {job.dataset} waits for its source until"
                    f" {shown(job.run_at)}; call job {job.id} off, or try again then"
                )

    async def to_end(self, job: FetchJob) -> FetchJob:
        """Run the job, or wait until whoever runs it is done or thought dead."""
        while not job.status.is_final:
            if job.is_claimable(self._clock.now()):
                ran = await self._ran(job.id)
                if ran is not None:
                    return ran
            elif job.status is JobStatus.QUEUED:
                return job  # it waits for its source, and says until when
            job = await self._watch.later(job.id)
        return job

    async def within(self, job_id: str, seconds: float) -> FetchJob:
        """The job once it has ended, or as it is after so many seconds."""
        job = await self._watch.known(job_id)
        # Not by the time of day: a clock that is set back meanwhile would make the wait longer.
        over = asyncio.ensure_future(self._clock.sleep(seconds))
        try:
            while seconds > 0 and not job.status.is_final and not over.done():
                job = await self._watch.later(job_id)
        finally:
            over.cancel()
        return job

    async def _ran(self, job_id: str) -> FetchJob | None:
        try:
            job = await self._run(job_id)
        except LeaseLost:
            return None  # whoever has it now will say how it ends
        if job is not None:
            self._job_backend.publish_run(job, waited_for=True)
        return job
