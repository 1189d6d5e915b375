"""The worker: runs jobs, from their announcement to their end."""

import asyncio
import contextlib

from application.datasets.registry import Registry
from application.ingest.job_backend import JobBackend
from application.ports.system import Clock
from domain.errors import LeaseLost
from domain.events import JobInterrupted, SweepFailed
from domain.jobs import FetchJob

#: How often a worker looks for jobs whose announcement or whose worker was lost.
SWEEP_S = 1.0
#: The most jobs that run in one worker at once.
AT_ONCE = 8


class RunJob:
    """The use case that runs one job by its identifier, of any dataset."""

    def __init__(self, registry: Registry, job_backend: JobBackend) -> None:
        self._registry = registry
        self._job_backend = job_backend
        self._suspected = asyncio.Lock()

    async def __call__(self, job_id: str) -> None:
        """Run the job, unless it has ended or another worker holds it; never raises.

        The job's row is authoritative: a sweep finds a job that could not be run here. Jobs
        suspected of having killed their workers run one at a time, so that a job that does so
        never takes another suspected one with it.
        """
        dataset = None
        try:
            job = await self._job_backend.history.get(job_id)
            if job is None or job.status.is_final:
                return
            dataset = job.dataset
            ran = await self._ran(job)
            if ran is not None:
                self._job_backend.publish_run(ran)
        except LeaseLost:
            return  # the worker that holds it now publishes its end
        except Exception as error:  # no job's error ends the worker
            self._job_backend.events.publish(
                JobInterrupted(job=job_id, dataset=dataset, error=error)
            )

    async def _ran(self, job: FetchJob) -> FetchJob | None:
        fetch = self._registry.fetch_of(job.dataset)
        if fetch is None:
            return None  # a newer worker may know its dataset
        if not job.is_suspected:
            return await fetch.run(job.id)
        if self._suspected.locked():
            return None
        async with self._suspected:
            return await fetch.run(job.id)


class Worker:
    """A loop that runs announced jobs, and abandoned ones that a sweep finds."""

    def __init__(
        self, run_job: RunJob, job_backend: JobBackend, clock: Clock, at_once: int = AT_ONCE
    ) -> None:
        self._run_job = run_job
        self._job_backend = job_backend
        self._clock = clock
        self._at_once = at_once
        self._slots = asyncio.Semaphore(at_once)
        self._swept: dict[str, asyncio.Task[None]] = {}
        self._is_stopping = False

    async def __call__(self) -> None:
        """Run jobs until cancelled, then finish the running ones; a second cancel abandons them."""
        try:
            async with self._job_backend.queue.listening(self._run):
                # Leaving the block without an error lets it finish its running jobs.
                with contextlib.suppress(asyncio.CancelledError):
                    await self._sweep()
                self._is_stopping = True
            await self._end_swept()
        finally:
            for task in self._swept.values():
                task.cancel()
            await self._end_swept()
        raise asyncio.CancelledError

    async def _sweep(self) -> None:
        is_failing = False
        while True:
            await self._clock.sleep(SWEEP_S)
            free = self._at_once - len(self._swept)
            try:
                found = await self._job_backend.history.overdue(free) if free else []
                is_failing = False
            except Exception as error:  # no error ends the worker
                if not is_failing:
                    self._job_backend.events.publish(SweepFailed(error=error))
                is_failing = True
                continue  # the next sweep tries again
            for job_id in found:
                if job_id not in self._swept:
                    self._swept[job_id] = asyncio.create_task(self._run_swept(job_id))

    async def _run_swept(self, job_id: str) -> None:
        try:
            await self._run(job_id)
        finally:
            del self._swept[job_id]

    async def _run(self, job_id: str) -> None:
        async with self._slots:
            # A job that has not started when the worker stops is found by others.
            if not self._is_stopping:
                await self._run_job(job_id)

    async def _end_swept(self) -> None:
        if self._swept:
            await asyncio.wait(self._swept.values())
