"""The ports every job needs: job store, history, queue and schedules."""

from dataclasses import dataclass

from application.ports.jobs import JobHistory, Jobs, Queue, Schedules
from domain.errors import QueueUnavailable


@dataclass(frozen=True)
class JobBackend:
    """The ports every job passes, whoever asked for it and whoever runs it."""

    jobs: Jobs
    history: JobHistory
    queue: Queue
    schedules: Schedules

    async def announce(self, job_id: str) -> None:
        """Tell the workers of a job; without a broker they find it by themselves a little later."""
        try:
            await self.queue.announce(job_id)
        except QueueUnavailable:
            return  # the row is the truth, and the sweep reads it
