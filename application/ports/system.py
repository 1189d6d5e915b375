"""The ports of the system: time and randomness."""

from abc import abstractmethod
from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """The time, and waiting."""

    @abstractmethod
    def now(self) -> datetime:
        """Return the current time, aware, in UTC."""

    @abstractmethod
    async def sleep(self, seconds: float) -> None:
        """Wait for so many seconds."""


class Random(Protocol):
    """The source of randomness."""

    @abstractmethod
    def identifier(self) -> str:
        """Return a new unguessable identifier: 32 hexadecimal digits, in order of creation."""

    @abstractmethod
    def fraction(self) -> float:
        """Return a uniform random number from 0 up to, not including, 1."""

    @abstractmethod
    def secret(self) -> str:
        """Return an unguessable text of 43 letters, digits, - and _."""
