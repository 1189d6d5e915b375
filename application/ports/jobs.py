"""Where jobs are written down: the truth about what runs and what ran."""

from abc import abstractmethod
from typing import Protocol

from domain.jobs import FetchJob


class Jobs(Protocol):
    """Keeps jobs, and lets each be run by one worker at a time; times are the clock's."""

    @abstractmethod
    async def request(self, job: FetchJob) -> FetchJob:
        """Write down a queued job; if its dataset already has an unfinished one, return that."""

    @abstractmethod
    async def claim(self, job_id: str) -> FetchJob | None:
        """Take a waiting or abandoned job, with a lease and the next fence; None if it is taken."""

    @abstractmethod
    async def renew(self, job: FetchJob) -> None:
        """Extend the lease; LeaseLost when another worker holds the job or it has ended."""

    @abstractmethod
    async def finish(self, job: FetchJob) -> None:
        """Write down the end of a job, under its fence; LeaseLost as for `renew`."""

    @abstractmethod
    async def get(self, job_id: str) -> FetchJob | None:
        """One job."""
