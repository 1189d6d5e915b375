"""Where answers are kept for clients who ask the same thing again."""

from abc import abstractmethod
from datetime import timedelta
from typing import Protocol

import msgspec

#: The same key gets the same answer for this long.
KEPT = timedelta(hours=24)
#: A first request that has not been answered for this long was cut off.
ABANDONED = timedelta(seconds=120)


class Answer(msgspec.Struct, frozen=True):
    """An answer as it was given: status, headers and body."""

    status: int
    headers: dict[str, str]
    body: bytes


class Begun(msgspec.Struct, frozen=True):
    """A request with a key: the job it is to make, and its answer if it has been given one."""

    job_id: str
    answer: Answer | None = None


class Idempotency(Protocol):
    """Remembers, by key, what was asked and answered."""

    @abstractmethod
    async def begin(self, key: str, request: str, job_id: str) -> Begun:
        """Take a key for a request, or find what it was answered.

        A request that was cut off is begun again with the job it was given then. KeyInUse while
        the first request is being answered; KeyReused when that was another request.
        """

    @abstractmethod
    async def end(self, key: str, answer: Answer) -> None:
        """Remember the answer."""

    @abstractmethod
    async def abandon(self, key: str) -> None:
        """Forget a key whose request came to nothing, so that it may be tried again."""

    @abstractmethod
    async def release(self, key: str) -> None:
        """Let a request of which nobody knows what came be begun again, with the same job."""
