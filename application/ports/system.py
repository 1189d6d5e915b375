"""Time and chance: the two things no program can compute."""

from abc import abstractmethod
from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """Tells the time, and waits."""

    @abstractmethod
    def now(self) -> datetime:
        """The present moment, aware, in UTC."""

    @abstractmethod
    async def sleep(self, seconds: float) -> None:
        """Return when so many seconds have passed."""


class Random(Protocol):
    """A source of chance."""

    @abstractmethod
    def identifier(self) -> str:
        """A new identifier nobody can guess: 32 hexadecimal digits, in order of creation."""

    @abstractmethod
    def fraction(self) -> float:
        """A number drawn evenly from 0 up to, not including, 1."""

    @abstractmethod
    def secret(self) -> str:
        """A text nobody can guess, of 43 letters, digits, - and _."""
