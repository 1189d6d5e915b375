"""The watch: looks at jobs for all who wait for them in this process."""

from functools import partial

from application.concurrency import Shared
from application.ports.jobs import JobHistory
from application.ports.system import Clock
from domain.errors import UnknownJob
from domain.jobs import FetchJob

#: How long after one look at a job the next one comes.
LOOK_S = 0.2


class Watch:
    """Looks at each job once at a time, however many wait for it."""

    def __init__(self, history: JobHistory, clock: Clock) -> None:
        self._history = history
        self._clock = clock
        self._looks: Shared[FetchJob] = Shared()

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
