"""Where accounts are kept: users, their sessions, and the tokens of their programs."""

from abc import abstractmethod
from typing import Protocol

from domain.sessions import ApiToken, Session
from domain.users import User


class Accounts(Protocol):
    """Keeps users; names that differ in case alone are one."""

    @abstractmethod
    async def add(self, user: User) -> None:
        """Keep a new user; NameTaken when there is one of that name."""

    @abstractmethod
    async def get(self, name: str) -> User | None:
        """The user of that name."""

    @abstractmethod
    async def replace(self, seen: User, changed: User) -> bool:
        """Put a changed user in place; False when it is no longer as it was seen."""


class Sessions(Protocol):
    """Keeps sessions with the digests of their refresh tokens, each of which is used once."""

    @abstractmethod
    async def open(self, session: Session, digest: str) -> None:
        """Keep a new session with its first refresh token."""

    @abstractmethod
    async def rotate(self, digest: str, successor: str) -> Session:
        """Use a refresh token, so that from now on its successor counts; returns the session.

        Used again within GRACE it does the same. InvalidToken when there is no such token or its
        session has ended; used again later, it has been stolen, and ends the session.
        """

    @abstractmethod
    async def end(self, digest_or_id: str) -> None:
        """End the session of that identifier, or that this refresh token belongs to, if any."""

    @abstractmethod
    async def end_all(self, user: str) -> None:
        """End every session of a user."""

    @abstractmethod
    async def is_open(self, session_id: str) -> bool:
        """Whether there is such a session, and its tokens still count."""


class ApiTokens(Protocol):
    """Keeps the tokens of programs."""

    @abstractmethod
    async def add(self, token: ApiToken) -> None:
        """Keep a new token."""

    @abstractmethod
    async def find(self, digest: str) -> ApiToken | None:
        """The token whose text has this digest."""

    @abstractmethod
    async def of(self, user: str) -> list[ApiToken]:
        """A user's tokens, oldest first."""

    @abstractmethod
    async def revoke(self, user: str, token_id: str) -> bool:
        """Take a token of that user's away; False when there is none."""
