"""The ports every job needs: job store, history, queue, schedules and events."""

from dataclasses import dataclass

from application.ports.jobs import JobHistory, Jobs, Queue, Schedules
from application.ports.operations import Events, Tracer
from domain.errors import QueueUnavailable
from domain.events import JobDeferred, JobEnded
from domain.jobs import FetchJob


@dataclass(frozen=True)
class JobBackend:
    """The ports every job passes, whoever asked for it and whoever runs it."""

    jobs: Jobs
    history: JobHistory
    queue: Queue
    schedules: Schedules
    events: Events
    tracer: Tracer

    async def announce(self, job_id: str) -> None:
        """Tell the workers of a job; without a broker they find it by themselves a little later."""
        try:
            await self.queue.announce(job_id)
        except QueueUnavailable:
            return  # the row is the truth, and the sweep reads it

    def publish_run(self, job: FetchJob, waited_for: bool = False) -> None:
        """Publish that a run of the job is over: it has ended, or waits for its source."""
        kind = JobEnded if job.status.is_final else JobDeferred
        self.events.publish(kind(job=job, waited_for=waited_for))
