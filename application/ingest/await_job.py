"""Await a job: from its request to its end, in this process or in another one."""

from datetime import datetime
from functools import partial
from typing import Generic

from application.concurrency import SingleFlight
from application.ingest.job_backend import JobBackend
from application.ingest.run_job import JobRunner
from application.ports.jobs import JobHistory
from application.ports.system import Clock
from domain.dataset import R
from domain.errors import DatasetBusy, LeaseLost, UnknownJob
from domain.jobs import FetchJob, JobStatus

#: How long after one look at a job the next one comes.
LOOK_S = 0.2


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
                    f" {job.run_at:%Y-%m-%dT%H:%M:%SZ}; call job {job.id} off, or try again then"
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

    async def until(self, job_id: str, moment: datetime) -> FetchJob:
        """The job once it has ended, or as it is at that moment."""
        job = await self._watch.known(job_id)
        while not job.status.is_final and self._clock.now() < moment:
            job = await self._watch.later(job_id)
        return job

    async def _ran(self, job_id: str) -> FetchJob | None:
        try:
            job = await self._run(job_id)
        except LeaseLost:
            return None  # whoever has it now will say how it ends
        if job is not None:
            self._job_backend.publish_run(job, waited_for=True)
        return job
