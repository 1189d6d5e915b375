"""Jobs in memory."""

import msgspec

from adapters.memory.database import MemoryDatabase
from application.ports.clock import Clock
from application.ports.jobs import Jobs
from domain.jobs import LEASE, FetchJob


class MemoryJobs(Jobs):
    """Keeps jobs in a memory database."""

    def __init__(self, database: MemoryDatabase, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def request(self, job: FetchJob) -> FetchJob:
        """Write down a queued job; if its dataset already has an unfinished one, return that."""
        for known in self._database.jobs.values():
            if known.dataset == job.dataset and not known.status.is_final:
                return known
        self._database.jobs[job.id] = job
        return job

    async def claim(self, job_id: str) -> FetchJob | None:
        """Take a waiting or abandoned job, with a lease and the next fence; None if it is taken."""
        now = self._clock.now()
        job = self._database.jobs.get(job_id)
        if job is None or not job.is_claimable(now):
            return None
        self._database.jobs[job_id] = job.claimed(now)
        return self._database.jobs[job_id]

    async def renew(self, job: FetchJob) -> None:
        """Extend the lease; LeaseLost when another worker holds the job or it has ended."""
        self._database.require_held(job)
        lease_until = self._clock.now() + LEASE
        held = msgspec.structs.replace(self._database.jobs[job.id], lease_until=lease_until)
        self._database.jobs[job.id] = held

    async def finish(self, job: FetchJob) -> None:
        """Write down the end of a job, under its fence; LeaseLost as for `renew`."""
        self._database.require_held(job)
        self._database.writes += 1
        self._database.jobs[job.id] = job

    async def get(self, job_id: str) -> FetchJob | None:
        """One job."""
        return self._database.jobs.get(job_id)
