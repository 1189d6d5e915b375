"""How much one client may ask, counted for all processes together."""

from abc import abstractmethod
from typing import Protocol

from domain.politeness import Rate
from domain.throttling import Allowance


class ClientLimits(Protocol):
    """Counts what clients ask."""

    @abstractmethod
    async def spend(self, client: str, rate: Rate) -> Allowance:
        """Count one more request, if one is left; all that the rate allows may come at once."""


class LoginAttempts(Protocol):
    """Counts guesses at passwords, before it is known whether they are right.

    `account` is the name that was given, `place` where the guess comes from.
    """

    @abstractmethod
    async def begin(self, account: str, place: str) -> None:
        """Count a guess; TooManyRequests when none may be made from there now.

        A place from which the account was logged in to before is not held up by guesses from
        elsewhere.
        """

    @abstractmethod
    async def succeed(self, account: str, place: str) -> None:
        """The last guess was right."""
