"""Sessions: what lasts from a login to its end, and the tokens that go with it."""

import hashlib
from datetime import datetime, timedelta

import msgspec

#: Who did not hear the answer to a refresh may ask again for so long, and gets the same one.
GRACE = timedelta(seconds=20)


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """One login: the family of all refresh tokens that follow from it.

    `version` is the user's when they logged in: when that has moved, the session has ended.
    """

    id: str
    user: str
    version: int = 0
    created_at: datetime
    expires_at: datetime
    ended_at: datetime | None = None

    def is_open(self, now: datetime) -> bool:
        """Whether its tokens still count."""
        return self.ended_at is None and now < self.expires_at


class Claims(msgspec.Struct, frozen=True, kw_only=True):
    """What an access token says of its bearer."""

    user: str
    session: str
    version: int
    expires_at: datetime


class ApiToken(msgspec.Struct, frozen=True, kw_only=True):
    """A long-lived token of a program; only the digest of its text is kept."""

    id: str
    user: str
    name: str
    digest: str
    created_at: datetime


def is_replay(used_at: datetime | None, now: datetime) -> bool:
    """Whether a refresh token used at that time and shown again now has been stolen."""
    return used_at is not None and now - used_at > GRACE


def digest_of(token: str) -> str:
    """What is kept of a token that nobody can guess."""
    return hashlib.sha256(token.encode()).hexdigest()
