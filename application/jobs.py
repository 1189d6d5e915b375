"""Jobs: what became of a fetch, for whoever asks later."""

from application.ports.jobs import Jobs
from domain.errors import UnknownJob
from domain.jobs import FetchJob


class FindJob:
    """Finds one job by its identifier."""

    def __init__(self, jobs: Jobs) -> None:
        self._jobs = jobs

    async def __call__(self, job_id: str) -> FetchJob:
        """The job; UnknownJob when there is none of that identifier."""
        job = await self._jobs.get(job_id)
        if job is None:
            raise UnknownJob("there is no such job")
        return job
