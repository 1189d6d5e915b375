"""The ports of accounts: users, sessions, tokens, passwords and limits of clients."""

from abc import abstractmethod
from datetime import datetime
from typing import Protocol

import msgspec

from domain.politeness import Rate
from domain.sessions import ApiToken, Claims, Session
from domain.throttling import Allowance
from domain.users import User


class Accounts(Protocol):
    """The store of users; names that differ only in case are equal."""

    @abstractmethod
    async def add(self, user: User, most: int | None = None) -> None:
        """Store a new user; raise NameTaken if the name is taken.

        Raise SignupClosed if there are `most` users already. The count and the write are one step,
        so that `most` is never exceeded.
        """

    @abstractmethod
    async def get(self, name: str) -> User | None:
        """Return the user of that name, None if there is none."""

    @abstractmethod
    async def page(self, limit: int, after: str = "") -> list[User]:
        """Return up to `limit` users whose keys come after this one, in the order of the keys."""

    @abstractmethod
    async def replace(self, seen: User, changed: User) -> bool:
        """Replace a user if it is still equal to `seen`; return whether it was."""


class Sessions(Protocol):
    """The store of sessions with the digests of their refresh tokens; each is used once.

    A session is valid only in the database and under the secret key it was opened with, so that
    another key, or a restored database that got another name, ends all of them.
    """

    @abstractmethod
    async def open(self, session: Session, digest: str) -> None:
        """Store a new session with the digest of its first refresh token."""

    @abstractmethod
    async def rotate(self, digest: str, successor: str) -> Session:
        """Replace a refresh token by its successor; return the session.

        A repetition within GRACE does the same. Raise InvalidToken if there is no such token or
        its session has ended. A later repetition means that the token was stolen: it ends the
        session and raises InvalidToken.
        """

    @abstractmethod
    async def end(self, digest_or_id: str) -> None:
        """End the session with that identifier or that refresh token, if there is one."""

    @abstractmethod
    async def is_open(self, session_id: str) -> bool:
        """Return whether there is such a session and its tokens are valid."""


class UserSessions(Protocol):
    """The sessions of each user."""

    @abstractmethod
    async def of(self, user: str) -> list[Session]:
        """Return the user's open sessions, the latest login first."""

    @abstractmethod
    async def end_all(self, user: str | None) -> int:
        """End every session of a user, or of all users; return how many were open."""


class ApiTokens(Protocol):
    """The store of API tokens; like sessions, they are valid only where they were created."""

    @abstractmethod
    async def add(self, token: ApiToken, most: int | None = None) -> bool:
        """Store a new token; return whether its user had fewer than `most`.

        They are counted in the same transaction, so no two take the last place.
        """

    @abstractmethod
    async def find(self, digest: str) -> ApiToken | None:
        """Return the token whose text has this digest, None if there is none."""

    @abstractmethod
    async def of(self, user: str) -> list[ApiToken]:
        """Return a user's tokens, oldest first."""

    @abstractmethod
    async def revoke(self, user: str, token_id: str | None = None) -> int:
        """Revoke a token of that user, or all of them; return how many there were."""

    @abstractmethod
    async def note_use(self, token_id: str, at: datetime) -> None:
        """Store when a token was last used; that may be lost in a power failure."""


class Verified(msgspec.Struct, frozen=True):
    """Whether a password was correct; `renewed` is a stronger hash to store instead, if any."""

    ok: bool
    renewed: str | None = None


class PasswordHasher(Protocol):
    """A password hash that is slow on purpose.

    Methods raise TooManyWaiting if too many calls wait already.
    """

    @abstractmethod
    async def hash(self, password: str) -> str:
        """Return the hash to store instead of the password."""

    @abstractmethod
    async def verify(self, password: str, hashed: str | None) -> Verified:
        """Return whether the password has this hash; None never matches, and takes as long."""

    @abstractmethod
    def is_common(self, password: str) -> bool:
        """Return whether the password is a common one, which attackers try first."""


class Tokens(Protocol):
    """The signer of access tokens, and the chain of refresh tokens."""

    @abstractmethod
    def issue(self, claims: Claims) -> str:
        """Return a signed access token with these claims."""

    @abstractmethod
    def read(self, token: str) -> Claims:
        """Return the claims of an access token; raise InvalidToken unless it is valid."""

    @abstractmethod
    def successor(self, token: str) -> str:
        """Return the refresh token that follows this one; only we can compute it."""


class ClientLimits(Protocol):
    """The counters of requests by client."""

    @abstractmethod
    async def spend(self, client: str, rate: Rate) -> Allowance:
        """Count one more request if one is left; the whole rate may be spent in one burst."""


class LoginAttempts(Protocol):
    """The counters of password attempts, which count before their result is known.

    `account` is the given username, `network` the network of the client.
    """

    @abstractmethod
    async def begin(self, account: str, network: str) -> float:
        """Count an attempt; raise TooManyRequests if none is allowed from this network now.

        Return for how many seconds no further attempt is allowed if this one is wrong. Attempts
        from elsewhere do not delay a network with an earlier login to the account.
        """

    @abstractmethod
    async def succeed(self, account: str, network: str) -> None:
        """Record that the last attempt was correct."""
