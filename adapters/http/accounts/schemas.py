"""The bodies of requests about accounts."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated

import msgspec

from application.accounts.api_tokens import LONGEST_NAME, NewToken
from domain.dataset import Role
from domain.sessions import LONGEST_TTL
from domain.users import (
    ALL_SCOPES,
    LONGEST_PASSWORD_BYTES,
    NAME_PATTERN,
    SHORTEST_PASSWORD,
    Scope,
    scope_text,
    scopes_in,
)

#: What is not printable, but for characters beyond U+FFFF and unassigned ones. ECMA has classes of
#: characters by which Python does not read a pattern.
_NOT_PRINTABLE = (
    r"\u0000-\u001f\u007f-\u00a0\u00ad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u1680"
    r"\u180e\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\ue000-\uf8ff\ufeff\ufff0-\ufffb\ufffe\uffff"
)

#: These are for readers of the document; the rules themselves are the domain's.
Username = Annotated[
    str,
    msgspec.Meta(
        description="letters, digits and `.` `_` `-` `@`; names that differ in case alone are one",
        examples=["ada"],
        extra_json_schema={"pattern": f"^{NAME_PATTERN}$"},
    ),
]


class UserRole(StrEnum):
    """The roles that a user can have."""

    USER = Role.USER.value
    ADMIN = Role.ADMIN.value


NewPassword = Annotated[
    str,
    msgspec.Meta(
        description=f"at most {LONGEST_PASSWORD_BYTES} bytes of UTF-8, and none of those that are"
        " guessed first",
        extra_json_schema={
            "pattern": r"^[^\u0000]*$",
            "minLength": SHORTEST_PASSWORD,
            "maxLength": LONGEST_PASSWORD_BYTES,
        },
    ),
]
TokenName = Annotated[
    str,
    msgspec.Meta(
        description="printable characters",
        examples=["backup script"],
        extra_json_schema={
            "pattern": f"^[^{_NOT_PRINTABLE}]+$",
            "minLength": 1,
            "maxLength": LONGEST_NAME,
        },
    ),
]


Ttl = Annotated[
    int,
    msgspec.Meta(
        description="seconds until the token ends; without it and `expires_at` it has no end",
        examples=[86_400],
        ge=1,
        le=int(LONGEST_TTL.total_seconds()),
    ),
]
_ANY_SCOPE = "|".join(Scope)
ScopeText = Annotated[
    str,
    msgspec.Meta(
        description="what the token is for, separated by spaces: to `read`, to `fetch`, to `write`"
        " tasks, or as an `admin`; never more than its user may do",
        examples=["read fetch"],
        extra_json_schema={"pattern": f"^({_ANY_SCOPE})( ({_ANY_SCOPE}))*$"},
    ),
]


class NewAccount(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The username and the password of a new account."""

    username: Username
    password: NewPassword


class NewUser(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A user whom an admin creates."""

    username: Username
    password: NewPassword
    role: UserRole = UserRole.USER


class UserChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An admin's change of a user; omitted fields stay as they are."""

    role: UserRole | None = None
    disabled: bool | None = None


class Credentials(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A username and a password."""

    username: str
    password: str


class RefreshRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The refresh token to be exchanged."""

    refresh_token: str


class LogoutRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The refresh token of the session to end; without it, the session of the access token."""

    refresh_token: str | None = None


class PasswordChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The current password and the new one."""

    current_password: str
    new_password: NewPassword


class TokenRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The name of a new API token, in its user's words, when it ends, and what it is for."""

    name: TokenName
    current_password: str | None = None
    expires_at: Annotated[datetime, msgspec.Meta(tz=True)] | None = None
    ttl: Ttl | None = None
    scope: ScopeText = scope_text(ALL_SCOPES)

    @property
    def wanted(self) -> NewToken:
        """Return what the token is to be."""
        ttl = None if self.ttl is None else timedelta(seconds=self.ttl)
        scopes = scopes_in(self.scope)
        return NewToken(name=self.name, expires_at=self.expires_at, ttl=ttl, scopes=scopes)
