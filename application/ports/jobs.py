"""The ports of jobs: jobs, their history, the queue, schedules and idempotency keys."""

from abc import abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime, timedelta
from typing import Protocol

import msgspec

from domain.jobs import FetchJob, JobStatus
from domain.schedules import Schedule
from domain.totals import SourceTotals


class Jobs(Protocol):
    """The job store; a job is run by one worker at a time. All times are the store's."""

    @abstractmethod
    async def request(self, job: FetchJob) -> FetchJob:
        """Store a queued job and return it.

        If the job exists, or its dataset has an unfinished one, return that instead.
        """

    @abstractmethod
    async def claim(self, job_id: str) -> FetchJob | None:
        """Claim a queued or abandoned job, with a lease and the next fence.

        Return None if another worker holds it, it has ended, or it may not run yet.
        """

    @abstractmethod
    async def renew(self, job: FetchJob) -> None:
        """Extend the lease; raise LeaseLost if another worker holds the job or it has ended."""

    @abstractmethod
    async def release(self, job: FetchJob) -> None:
        """Store the new state of a held job, ended or deferred; raise LeaseLost as `renew` does.

        The end of a job and its addition to the totals of its sources are one transaction.
        """

    @abstractmethod
    async def cancel(self, job_id: str) -> FetchJob | None:
        """Cancel an unfinished job, even if a worker holds it; None if there is none."""


class JobFilter(msgspec.Struct, frozen=True):
    """A filter for jobs: those of these datasets, with this status if it is given."""

    datasets: tuple[str, ...]
    status: JobStatus | None = None


class JobHistory(Protocol):
    """The jobs of the past and the present, read-only."""

    @abstractmethod
    async def get(self, job_id: str) -> FetchJob | None:
        """Return one job, None if there is none."""

    @abstractmethod
    async def recent(
        self, filter: JobFilter, limit: int, before: str | None = None
    ) -> list[FetchJob]:
        """Return the matching jobs, newest first; those older than the job `before`, if given."""

    @abstractmethod
    async def overdue(self, limit: int) -> list[str]:
        """Return the jobs that no worker runs: those queued longer than LOST, or abandoned."""

    @abstractmethod
    async def unfinished(self) -> list[FetchJob]:
        """Return every job that has not ended, oldest first; each dataset has at most one."""


class SourceHistory(Protocol):
    """The totals of all runs of the sources, also of removed jobs."""

    @abstractmethod
    async def totals(self, datasets: Sequence[str]) -> list[SourceTotals]:
        """Return the totals of every source of these datasets that has run, sorted."""


#: Handles one announced job; returns when this process has nothing more to do about it.
Handle = Callable[[str], Awaitable[None]]


class Queue(Protocol):
    """The announcements of queued jobs to workers; a lost announcement loses no job.

    An announcement reaches one worker, and another one if the first died while handling it: it is
    delivered at least once.
    """

    @abstractmethod
    async def announce(self, job_id: str) -> None:
        """Announce a queued job; raise QueueUnavailable if it is impossible now."""

    @abstractmethod
    def listening(self, handle: Handle) -> AbstractAsyncContextManager[None]:
        """Pass announced jobs to `handle`, several at once, during the block.

        On leaving the block no more announcements are taken, and the running handlers are waited
        for; a cancellation leaves their jobs to others. A lost broker is waited for.
        """


class Schedules(Protocol):
    """The store of schedules; each tick is fired once, by any number of schedulers."""

    @abstractmethod
    async def declare(self, periods: Mapping[str, timedelta]) -> None:
        """Store exactly the schedules of these datasets; existing ones continue."""

    @abstractmethod
    async def current(self) -> tuple[datetime, list[Schedule]]:
        """Return the time of the store's clock, and every schedule."""

    @abstractmethod
    async def fire(self, seen: Schedule, following: Schedule, job: FetchJob) -> FetchJob | None:
        """Advance a schedule and store its job, both or neither; return the job.

        Return the dataset's unfinished job instead if there is one, and None if the schedule is no
        longer equal to `seen`: another scheduler was faster.
        """

    @abstractmethod
    async def move(self, seen: Schedule, following: Schedule) -> bool:
        """Replace a schedule if it is still equal to `seen`; return whether it was."""


#: A key gets the same response for this long.
KEPT = timedelta(hours=24)
#: A first request without a response for this long was interrupted.
ABANDONED = timedelta(seconds=120)


class SavedAnswer(msgspec.Struct, frozen=True):
    """A response as it was sent: status, headers and body."""

    status: int
    headers: dict[str, str]
    body: bytes


class Begun(msgspec.Struct, frozen=True):
    """A request with a key: the identifier of its job, and its response if it has one."""

    job_id: str
    answer: SavedAnswer | None = None


class Idempotency(Protocol):
    """The store of idempotency keys, with their requests and responses."""

    @abstractmethod
    async def begin(self, key: str, request: str, job_id: str) -> Begun:
        """Reserve a key for a request, or return the response it already has.

        An interrupted request begins again with the same job. Raise KeyInUse while the first
        request has no response yet, KeyReused if the key belongs to another request.
        """

    @abstractmethod
    async def end(self, key: str, answer: SavedAnswer) -> None:
        """Store the response."""

    @abstractmethod
    async def abandon(self, key: str) -> None:
        """Delete a key whose request had no effect, so that it can be tried again."""

    @abstractmethod
    async def release(self, key: str) -> None:
        """Allow a request of unknown outcome to begin again, with the same job."""
