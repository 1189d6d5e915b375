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
#: So many jobs run in one worker at once.
AT_ONCE = 8


class RunJob:
    """Runs one job by its identifier, whichever dataset it fetches."""

    def __init__(self, registry: Registry, job_backend: JobBackend) -> None:
        self._registry = registry
        self._job_backend = job_backend
        self._suspected = asyncio.Lock()

    async def __call__(self, job_id: str) -> None:
        """Run the job, unless it has ended or is in other hands; never raises.

        The row is the truth: a job that could not be run here is found again by a sweep. Of
        jobs that are suspected to have killed their workers one runs at a time, so that one that
        does kill them takes no other with it time after time.
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
            return  # whoever has it now publishes its end
        except Exception as error:  # one job's misfortune must not end the worker
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
    """Runs the jobs that are announced, and those that nobody else runs, until cancelled."""

    def __init__(
        self, run_job: RunJob, job_backend: JobBackend, clock: Clock, at_once: int = AT_ONCE
    ) -> None:
        self._run_job = run_job
        self._job_backend = job_backend
        self._clock = clock
        self._at_once = at_once
        self._room = asyncio.Semaphore(at_once)
        self._swept: dict[str, asyncio.Task[None]] = {}
        self._leaving = False

    async def __call__(self) -> None:
        """Work until cancelled, then end what is in hand; cancelled again, leave it to others."""
        try:
            async with self._job_backend.queue.listening(self._run):
                # The block is left without an error, so that it ends what it has in hand.
                with contextlib.suppress(asyncio.CancelledError):
                    await self._sweep()
                self._leaving = True
            await self._end_swept()
        finally:
            for task in self._swept.values():
                task.cancel()
            await self._end_swept()
        raise asyncio.CancelledError

    async def _sweep(self) -> None:
        away = False
        while True:
            await self._clock.sleep(SWEEP_S)
            free = self._at_once - len(self._swept)
            try:
                found = await self._job_backend.history.overdue(free) if free else []
                away = False
            except Exception as error:  # whatever it is, the worker outlives it
                if not away:
                    self._job_backend.events.publish(SweepFailed(error=error))
                away = True
                continue  # what cannot be read now can be read a second later
            for job_id in found:
                if job_id not in self._swept:
                    self._swept[job_id] = asyncio.create_task(self._run_swept(job_id))

    async def _run_swept(self, job_id: str) -> None:
        try:
            await self._run(job_id)
        finally:
            del self._swept[job_id]

    async def _run(self, job_id: str) -> None:
        async with self._room:
            # What has not begun when we leave is found by others.
            if not self._leaving:
                await self._run_job(job_id)

    async def _end_swept(self) -> None:
        if self._swept:
            await asyncio.wait(self._swept.values())
