"""How workers hear of jobs."""

from abc import abstractmethod
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Protocol

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
