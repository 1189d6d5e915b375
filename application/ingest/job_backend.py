"""The ports every job needs: job store, history, queue, schedules and events."""

from dataclasses import dataclass

from application.ports.jobs import JobHistory, Jobs, Queue, Schedules
from application.ports.operations import Events, Tracer
from domain.errors import QueueUnavailable
from domain.events import JobDeferred, JobEnded
from domain.jobs import FetchJob


@dataclass(frozen=True)
class JobBackend:
    """The ports that requests for jobs and their workers need."""

    jobs: Jobs
    history: JobHistory
    queue: Queue
    schedules: Schedules
    events: Events
    tracer: Tracer

    async def announce(self, job_id: str) -> None:
        """Announce a job to the workers; without a broker their sweep finds it a little later."""
        try:
            await self.queue.announce(job_id)
        except QueueUnavailable:
            return  # the job is stored, and the sweep finds it

    def publish_run(self, job: FetchJob, waited_for: bool = False) -> None:
        """Publish the end of a run: the job has ended, or is deferred."""
        kind = JobEnded if job.status.is_final else JobDeferred
        self.events.publish(kind(job=job, waited_for=waited_for))
