"""Secrets: how passwords are kept, and what tokens say."""

from abc import abstractmethod
from typing import Protocol

import msgspec

from domain.sessions import Claims


class Verified(msgspec.Struct, frozen=True):
    """Whether a password was right; `renewed` is a better hash to keep from now on, if any."""

    ok: bool
    renewed: str | None = None


class PasswordHasher(Protocol):
    """Turns passwords into hashes, which takes long on purpose.

    TooManyWaiting when so many passwords wait that one more is turned away.
    """

    @abstractmethod
    async def hash(self, password: str) -> str:
        """A hash to keep in place of the password."""

    @abstractmethod
    async def verify(self, password: str, hashed: str | None) -> Verified:
        """Whether the hash is that of the password; None never is, and takes as long to tell."""

    @abstractmethod
    def is_common(self, password: str) -> bool:
        """Whether the password is among those that are guessed first."""


class Tokens(Protocol):
    """Writes and reads tokens that only we can have written."""

    @abstractmethod
    def issue(self, claims: Claims) -> str:
        """An access token that says this."""

    @abstractmethod
    def read(self, token: str) -> Claims:
        """What an access token says; InvalidToken unless we wrote it and it still holds."""

    @abstractmethod
    def successor(self, token: str) -> str:
        """The one refresh token that follows this one; nobody else can compute it."""
