"""The watch: looks at jobs for all who wait for them in this process."""

import asyncio

from application.ports.clock import Clock
from application.ports.jobs import JobHistory
from domain.errors import UnknownJob
from domain.jobs import FetchJob

#: How long after one look at a job the next one comes.
LOOK_S = 0.2


class Watch:
    """Looks at each job once at a time, however many wait for it."""

    def __init__(self, history: JobHistory, clock: Clock) -> None:
        self._history = history
        self._clock = clock
        self._looks: dict[str, asyncio.Task[FetchJob]] = {}

    async def known(self, job_id: str) -> FetchJob:
        """The job as it is now; UnknownJob when there is none."""
        job = await self._history.get(job_id)
        if job is None:
            raise UnknownJob("there is no such job any more")
        return job

    async def later(self, job_id: str) -> FetchJob:
        """The job as it is a moment later."""
        look = self._looks.get(job_id)
        if look is None:
            look = self._looks[job_id] = asyncio.create_task(self._look(job_id))
            look.add_done_callback(_heard)
        # It goes on when the caller leaves: others may wait for it.
        return await asyncio.shield(look)

    async def _look(self, job_id: str) -> FetchJob:
        try:
            await self._clock.sleep(LOOK_S)
            return await self.known(job_id)
        finally:
            # Not in a callback: who came in between would wait for a look that is over, for ever.
            del self._looks[job_id]


def _heard(look: asyncio.Task[FetchJob]) -> None:
    if not look.cancelled():
        look.exception()  # whoever waited has seen it; nobody may be left to
