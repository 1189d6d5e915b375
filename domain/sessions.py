"""Sessions: logins and their tokens."""

import hashlib
from datetime import datetime, timedelta

import msgspec

#: A refresh may be repeated for this long, in case its response was lost.
GRACE = timedelta(seconds=20)


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """One login: the family of all its refresh tokens.

    `version` is the user's at the login: the session ends when the user's version changes.
    """

    id: str
    user: str
    version: int = 0
    created_at: datetime
    expires_at: datetime
    ended_at: datetime | None = None

    def is_open(self, now: datetime) -> bool:
        """Return whether the session's tokens are valid."""
        return self.ended_at is None and now < self.expires_at


class Claims(msgspec.Struct, frozen=True, kw_only=True):
    """The claims of an access token."""

    user: str
    session: str
    version: int
    expires_at: datetime


class ApiToken(msgspec.Struct, frozen=True, kw_only=True):
    """A long-lived token for a program; only the digest of its text is stored."""

    id: str
    user: str
    name: str
    digest: str
    created_at: datetime


def is_replay(used_at: datetime | None, now: datetime) -> bool:
    """Return whether the repeated use of a refresh token means that it was stolen."""
    return used_at is not None and now - used_at > GRACE


def digest_of(token: str) -> str:
    """Return the digest under which an unguessable token is stored."""
    return hashlib.sha256(token.encode()).hexdigest()
