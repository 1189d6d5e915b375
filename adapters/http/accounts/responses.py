"""The responses about accounts, sessions and API tokens."""

from collections.abc import Iterable
from datetime import datetime

import msgspec

from adapters.http.protocol.routing import CursorPaging
from domain.dataset import Role
from domain.sessions import ApiToken, Session
from domain.users import User, scope_text


class Account(msgspec.Struct, frozen=True):
    """A new account."""

    username: str


class Me(msgspec.Struct, frozen=True):
    """The caller."""

    username: str
    role: Role


class TokenInfo(msgspec.Struct, frozen=True, kw_only=True):
    """One API token; its text is shown once, when it is created.

    `last_used_at` is exact to a minute.
    """

    id: str
    name: str
    scope: str
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    token: str | msgspec.UnsetType = msgspec.UNSET

    @classmethod
    def of(cls, token: ApiToken, text: str | msgspec.UnsetType = msgspec.UNSET) -> "TokenInfo":
        """Return how a token is shown, with its text if it is new."""
        return cls(
            id=token.id,
            name=token.name,
            scope=scope_text(token.scopes),
            created_at=token.created_at,
            expires_at=token.expires_at,
            last_used_at=token.last_used_at,
            token=text,
        )


class TokenList(msgspec.Struct, frozen=True):
    """API tokens, oldest first."""

    tokens: list[TokenInfo]

    @classmethod
    def of(cls, tokens: Iterable[ApiToken]) -> "TokenList":
        """Return how tokens are shown."""
        return cls(list(map(TokenInfo.of, tokens)))


class SessionInfo(msgspec.Struct, frozen=True, kw_only=True):
    """One open session: a login, and when and from where it came.

    `last_used_at` is the time of its last refresh, and `current` the session of this request.
    """

    id: str
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None
    network: str | None
    current: bool


class SessionList(msgspec.Struct, frozen=True):
    """Open sessions, the latest login first."""

    sessions: list[SessionInfo]

    @classmethod
    def of(cls, sessions: Iterable[Session], current: str | None) -> "SessionList":
        """Return how sessions are shown, to a caller in the current one."""
        return cls(
            [
                SessionInfo(
                    id=session.id,
                    created_at=session.created_at,
                    expires_at=session.expires_at,
                    last_used_at=session.last_used_at,
                    network=session.network,
                    current=session.id == current,
                )
                for session in sessions
            ]
        )


class UserInfo(msgspec.Struct, frozen=True, kw_only=True):
    """One user."""

    username: str
    role: Role
    disabled: bool
    created_at: datetime

    @classmethod
    def of(cls, user: User) -> "UserInfo":
        """Return how a user is shown."""
        return cls(
            username=user.name, role=user.role, disabled=user.disabled, created_at=user.created_at
        )


class UserPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of users, in the order of their names."""

    data: list[UserInfo]
    count: int
    page: CursorPaging
    request_id: str
