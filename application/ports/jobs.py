"""Where jobs are written down: the truth about what runs and what ran."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Protocol

import msgspec

from domain.jobs import FetchJob, JobStatus
from domain.totals import SourceTotals


class Jobs(Protocol):
    """Moves jobs, so that each is run by one worker at a time; times are the store's."""

    @abstractmethod
    async def request(self, job: FetchJob) -> FetchJob:
        """Write down a queued job and return it.

        If the job is known already, or its dataset has an unfinished one, return that instead.
        """

    @abstractmethod
    async def claim(self, job_id: str) -> FetchJob | None:
        """Take a waiting or abandoned job, with a lease and the next fence.

        None if it is taken, has ended, or may not run yet.
        """

    @abstractmethod
    async def renew(self, job: FetchJob) -> None:
        """Extend the lease; LeaseLost when another worker holds the job or it has ended."""

    @abstractmethod
    async def release(self, job: FetchJob) -> None:
        """Write down what a held job has become: ended, or waiting again; LeaseLost as above.

        The end of a job and what it adds to the totals of its sources are written together.
        """

    @abstractmethod
    async def cancel(self, job_id: str) -> FetchJob | None:
        """End an unfinished job, whoever holds it; None when there is no unfinished one."""


class Wanted(msgspec.Struct, frozen=True):
    """Which jobs are wanted: of these datasets, in this status if one is given."""

    datasets: tuple[str, ...]
    status: JobStatus | None = None


class JobHistory(Protocol):
    """Tells what became of jobs."""

    @abstractmethod
    async def get(self, job_id: str) -> FetchJob | None:
        """One job."""

    @abstractmethod
    async def recent(self, wanted: Wanted, limit: int, before: str | None = None) -> list[FetchJob]:
        """The wanted jobs, newest first; those older than the job `before`, if it is given."""

    @abstractmethod
    async def overdue(self, limit: int) -> list[str]:
        """The jobs nobody runs, though they may run: waiting for longer than LOST, or abandoned."""


class SourceHistory(Protocol):
    """Tells what became of all runs of the sources, also of those whose jobs are forgotten."""

    @abstractmethod
    async def totals(self, datasets: Sequence[str]) -> list[SourceTotals]:
        """The totals of every source of these datasets that has run, by dataset and source."""
