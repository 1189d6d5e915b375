"""Fetch: the one algorithm by which anything is ever fetched, or read again."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Generic

import msgspec

from application.concurrency import end_of, heard
from application.ingest.await_job import AwaitJob
from application.ingest.job_backend import JobBackend
from application.ingest.run_job import JobRunner
from application.ingest.sync_source import JobStep
from application.ports.datasets import Store
from application.ports.ingest import Intakes, Source
from application.ports.system import Clock, Random
from domain.checkpoints import Freshness
from domain.dataset import Dataset, R, Role
from domain.errors import NoSources, TooManyWaiting
from domain.jobs import FetchJob, Mode
from domain.payloads import Batch, Payload
from domain.politeness import Cadence
from domain.reports import FetchReport, Outcome

#: So many callers may wait for fetches of one dataset.
MAX_WAITING = 100


class Fetched(msgspec.Struct, frozen=True, kw_only=True):
    """What became of asking for a fetch: the job that runs, ran, or, when all was fresh, had run.

    `outcome` is None as long as the job has not ended, and when it was cancelled.
    """

    job: FetchJob
    outcome: Outcome | None
    freshness: Freshness


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
        self.run = JobRunner(
            dataset, sources, store, intakes, clock, job_backend, cadence, deadline, gathers
        )
        self._store = store
        self._clock = clock
        self._job_backend = job_backend
        self._random = random
        self.cadence = cadence
        self.deadline = deadline
        self._joined: asyncio.Task[Fetched] | None = None
        self._follow = AwaitJob(self.run, job_backend, clock)
        self._waiting = 0

    @property
    def sources(self) -> tuple[str, ...]:
        """The names of the dataset's sources that are switched on."""
        return tuple(self.run.hosts)

    @property
    def hosts(self) -> dict[str, str]:
        """The dataset's sources that are switched on, each with the host it asks."""
        return self.run.hosts

    def normalise(self, source: str, payload: Payload) -> Batch[R]:
        """Return what a payload of one of the sources holds; raise KeyError for another source."""
        return self.run.normalise(source, payload)

    async def __call__(
        self, viewer: Role = Role.ANYONE, force: bool = False, job_id: str | None = None
    ) -> Fetched:
        """Fetch now, or join the fetch that runs; `force` ignores the minimum interval.

        LoginRequired or Forbidden when the viewer may not; NoSources when all are switched off;
        TooManyWaiting when too many already wait. A failing source is an outcome, not an error.
        The job is still queued when it waits for its source until a time that is known.
        """
        self._admit(viewer, force)
        with self._place():
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
        job = await self._follow.requested(wanted)
        if job == wanted:
            # One that is joined was announced by whoever wrote it down.
            await self._job_backend.announce(job.id)
        return _fetched(job, freshness)

    async def wait(self, job_id: str, seconds: float) -> Fetched:
        """The job once it has ended, or as it is after so many seconds."""
        until = self._clock.now() + timedelta(seconds=seconds)
        with self._place():
            job = await self._follow.until(job_id, until)
        return _fetched(job, await self._store.freshness(self.dataset))

    async def reprocess(self, viewer: Role, mode: Mode, receipt: int | None = None) -> Fetched:
        """Have what was kept read again by a replay or a rebuild, and wait for its end.

        For an admin. A fetch that runs comes first; DatasetBusy when one waits for its source.
        Otherwise as for a fetch that is waited for.
        """
        self._admit(viewer, force=True)
        with self._place():
            job = await self._follow.requested(self._wanted(mode, receipt=receipt))
            job = await self._follow.to_end(job)
        return _fetched(job, await self._store.freshness(self.dataset))

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

    # ------------------------------------------------------------ who may, and how many

    def _admit(self, viewer: Role, force: bool) -> None:
        viewer.require(Role.ADMIN if force else self.dataset.fetch_by)
        if not self.sources:
            raise NoSources(f"every source of {self.dataset.name} is switched off")

    @contextmanager
    def _place(self) -> Iterator[None]:
        if self._waiting >= MAX_WAITING:
            raise TooManyWaiting(f"{MAX_WAITING} callers already wait for {self.dataset.name}")
        self._waiting += 1
        try:
            yield
        finally:
            self._waiting -= 1

    # ------------------------------------------------------------ decide, ask for, follow

    async def _join(self, force: bool, job_id: str | None) -> Fetched:
        joined = self._joined
        # One that has ended is not joined, even if we hear of its end before `_left` does.
        if joined is None or joined.done():
            joined = self._joined = asyncio.create_task(self._fetch(force, job_id))
            joined.add_done_callback(self._left)
            joined.add_done_callback(heard)
        # It goes on when the caller leaves: others may have joined.
        return await end_of(joined)

    def _left(self, task: asyncio.Task[Fetched]) -> None:
        if self._joined is task:
            self._joined = None

    async def _fetch(self, force: bool, job_id: str | None) -> Fetched:
        freshness = await self._store.freshness(self.dataset)
        fresh = await self._fresh(freshness, force, job_id)
        if fresh is not None:
            return fresh
        job = await self._follow.requested(self._wanted(Mode.SYNC, force, job_id))
        job = await self._follow.to_end(job)
        return _fetched(job, await self._store.freshness(self.dataset))

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
        return Fetched(job=job, outcome=Outcome.FRESH, freshness=freshness)

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
        )


def _is_asked(fetched: Fetched) -> bool:
    """Whether what was joined asked a source, or waits or fails as our own fetch would."""
    if fetched.outcome is Outcome.FRESH:
        return False
    job = fetched.job
    return job.force or job.report is None or any(s.requests or s.error for s in job.report.sources)


def _fetched(job: FetchJob, freshness: Freshness) -> Fetched:
    return Fetched(job=job, outcome=job.outcome, freshness=freshness)
