"""What jobs need: their rows, their history, the queue, schedules and idempotency keys."""

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


#: Deals with one announced job; returns when nothing more is to be done about it here.
Handle = Callable[[str], Awaitable[None]]


class Queue(Protocol):
    """Carries the identifiers of waiting jobs to workers; what is lost here loses no job.

    An announcement reaches one worker, or a second one when the first did not live to the end of
    its handling, so it may come twice.
    """

    @abstractmethod
    async def announce(self, job_id: str) -> None:
        """Tell the workers that a job waits; QueueUnavailable when that cannot be done now."""

    @abstractmethod
    def listening(self, handle: Handle) -> AbstractAsyncContextManager[None]:
        """Hand every announced job to `handle`, several at once, while the block lasts.

        Leaving the block takes no more announcements and returns when those in hand are dealt
        with; cancelled meanwhile, it leaves them to others. A broker that goes away is waited for.
        """


class Schedules(Protocol):
    """Keeps schedules, and lets each tick be fired once, however many schedulers there are."""

    @abstractmethod
    async def declare(self, periods: Mapping[str, timedelta]) -> None:
        """Keep exactly the schedules of these datasets; one that is there already goes on."""

    @abstractmethod
    async def current(self) -> tuple[datetime, list[Schedule]]:
        """The present moment by the store's clock, and every schedule."""

    @abstractmethod
    async def fire(self, seen: Schedule, following: Schedule, job: FetchJob) -> FetchJob | None:
        """Move a schedule on and write its job down, both or neither.

        The dataset's unfinished job is returned where there is one. None when the schedule is no
        longer as it was seen: somebody else was faster.
        """

    @abstractmethod
    async def move(self, seen: Schedule, following: Schedule) -> bool:
        """Move a schedule without running; False when it is no longer as it was seen."""


#: The same key gets the same answer for this long.
KEPT = timedelta(hours=24)
#: A first request that has not been answered for this long was cut off.
ABANDONED = timedelta(seconds=120)


class SavedAnswer(msgspec.Struct, frozen=True):
    """An answer as it was given: status, headers and body."""

    status: int
    headers: dict[str, str]
    body: bytes


class Begun(msgspec.Struct, frozen=True):
    """A request with a key: the job it is to make, and its answer if it has been given one."""

    job_id: str
    answer: SavedAnswer | None = None


class Idempotency(Protocol):
    """Remembers, by key, what was asked and answered."""

    @abstractmethod
    async def begin(self, key: str, request: str, job_id: str) -> Begun:
        """Take a key for a request, or find what it was answered.

        A request that was cut off is begun again with the job it was given then. KeyInUse while
        the first request is being answered; KeyReused when that was another request.
        """

    @abstractmethod
    async def end(self, key: str, answer: SavedAnswer) -> None:
        """Remember the answer."""

    @abstractmethod
    async def abandon(self, key: str) -> None:
        """Forget a key whose request came to nothing, so that it may be tried again."""

    @abstractmethod
    async def release(self, key: str) -> None:
        """Let a request of which nobody knows what came be begun again, with the same job."""
