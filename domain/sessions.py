"""Sessions: logins and their tokens."""

import hashlib
from datetime import datetime, timedelta

import msgspec

from domain.dataset import Role
from domain.users import ALL_SCOPES, Caller, Scope, User

#: A refresh may be repeated for this long, in case its response was lost.
GRACE = timedelta(seconds=20)
#: How long after a login the password need not be confirmed.
RECENT = timedelta(minutes=10)
#: The precision of the last use of an API token.
USED_WITHIN = timedelta(minutes=1)
#: The longest lifetime of an API token that has an end.
LONGEST_TTL = timedelta(days=3650)


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """One login: the family of all its refresh tokens.

    `version` is the user's at the login: the session ends when the user's version changes.
    `network` is where the login came from.
    """

    id: str
    user: str
    version: int = 0
    created_at: datetime
    expires_at: datetime
    ended_at: datetime | None = None
    network: str | None = None
    last_used_at: datetime | None = None

    def is_open(self, now: datetime) -> bool:
        """Return whether the session's tokens are valid."""
        return self.ended_at is None and now < self.expires_at

    def is_recent(self, now: datetime) -> bool:
        """Return whether the login was a short while ago."""
        return abs(now - self.created_at) < RECENT


class Claims(msgspec.Struct, frozen=True, kw_only=True):
    """The claims of an access token."""

    user: str
    session: str
    version: int
    expires_at: datetime


class ApiToken(msgspec.Struct, frozen=True, kw_only=True):
    """A long-lived token for a program; only the digest of its text is stored.

    `version` is the user's `token_version` at its creation: it ends when that changes.
    """

    id: str
    user: str
    name: str
    digest: str
    created_at: datetime
    version: int = 0
    scopes: frozenset[Scope] = ALL_SCOPES
    expires_at: datetime | None = None
    last_used_at: datetime | None = None

    def is_valid(self, user: User, now: datetime) -> bool:
        """Return whether the token is its user's, and has not ended."""
        has_ended = self.expires_at is not None and self.expires_at <= now
        return self.version == user.token_version and not user.disabled and not has_ended

    def caller(self, user: User) -> Caller:
        """Return the caller who sends this token: without the scope admin, no admin."""
        is_admin = user.role is Role.ADMIN and Scope.ADMIN in self.scopes
        role = Role.ADMIN if is_admin else Role.USER
        return Caller(role, user.name, None, self.scopes)

    def was_used(self, now: datetime) -> bool:
        """Return whether its last use was recorded a short while ago."""
        return self.last_used_at is not None and abs(now - self.last_used_at) < USED_WITHIN


def is_replay(used_at: datetime | None, followed_at: datetime | None, now: datetime) -> bool:
    """Return whether the use of a refresh token means that it was stolen.

    `used_at` is when it was first used, and `followed_at` when its successor was. A clock that was
    set back passes the time of the first use once more, but then not that of the successor's.
    """
    return any(at is not None and abs(now - at) > GRACE for at in (used_at, followed_at))


def digest_of(token: str) -> str:
    """Return the digest under which an unguessable token is stored."""
    return hashlib.sha256(token.encode()).hexdigest()
