"""What accounts need: users, sessions, tokens, passwords and limits for each client."""

from abc import abstractmethod
from typing import Protocol

import msgspec

from domain.politeness import Rate
from domain.sessions import ApiToken, Claims, Session
from domain.throttling import Allowance
from domain.users import User


class Accounts(Protocol):
    """Keeps users; names that differ in case alone are one."""

    @abstractmethod
    async def add(self, user: User, most: int | None = None) -> None:
        """Keep a new user; NameTaken when there is one of that name.

        SignupClosed when there are `most` users already, counted as it is kept, so that no two
        take the last place.
        """

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
