"""Users: accounts, their names and passwords, and the callers of requests."""

import re
from datetime import datetime
from enum import StrEnum

import msgspec

from domain.dataset import Role
from domain.errors import Forbidden, InsufficientScope, InvalidInput, LoginRequired, SignupClosed
from domain.fields import storable

SHORTEST_PASSWORD = 8
#: Longer ones would only cost time: passwords are never truncated.
LONGEST_PASSWORD_BYTES = 1024

NAME_PATTERN = r"[A-Za-z0-9._@-]{1,64}"
#: Who acts by a command, where the security log names an admin; no username looks like this.
OPERATOR = "(operator)"
#: So many accounts may be signed up for in all, unless a setting says otherwise.
MOST_ACCOUNTS = 10_000

_NAME = re.compile(NAME_PATTERN)


class Scope(StrEnum):
    """What an API token may be used for, within what its user may do."""

    READ = "read"
    FETCH = "fetch"
    #: To create, change and delete tasks.
    WRITE = "write"
    #: What needs the role admin; without it an admin's token has the role user.
    ADMIN = "admin"


ALL_SCOPES = frozenset(Scope)


class User(msgspec.Struct, frozen=True, kw_only=True):
    """An account; `password` is a hash.

    `version` changes when its sessions must end, `token_version` when its API tokens must.
    """

    name: str
    role: Role = Role.USER
    password: str
    disabled: bool = False
    version: int = 0
    token_version: int = 0
    created_at: datetime

    @property
    def key(self) -> str:
        """Return the unique form of the name: names that differ in case alone are equal."""
        return key_of(self.name)

    def with_password(self, hashed: str, keep_tokens: bool = False) -> "User":
        """Return the user with another password; sessions end, and API tokens unless kept."""
        return msgspec.structs.replace(
            self,
            password=hashed,
            version=self.version + 1,
            token_version=self.token_version + (not keep_tokens),
        )

    def locked_out(self) -> "User":
        """Return the user disabled; sessions and API tokens end."""
        return msgspec.structs.replace(self.without_credentials(), disabled=True)

    def let_in(self) -> "User":
        """Return the user enabled again; what ended when they were disabled stays ended."""
        return msgspec.structs.replace(self.without_credentials(), disabled=False)

    def without_credentials(self) -> "User":
        """Return the user with nothing but the password: sessions and API tokens end."""
        return msgspec.structs.replace(
            self, version=self.version + 1, token_version=self.token_version + 1
        )


class SignupRules(msgspec.Struct, frozen=True):
    """Whether strangers may make accounts, and how many accounts there may then be in all."""

    open: bool = True
    most: int = MOST_ACCOUNTS


class Caller(msgspec.Struct, frozen=True):
    """The caller of a request: its role and, after a login, its name and session.

    `scopes` are those of the API token it sent, and all where it sent none.
    """

    role: Role = Role.ANYONE
    name: str | None = None
    session: str | None = None
    scopes: frozenset[Scope] = ALL_SCOPES

    def require(self, scope: Scope) -> None:
        """Raise InsufficientScope unless the caller's token may be used for this."""
        if scope not in self.scopes:
            raise InsufficientScope(f"this API token lacks the scope {scope}")

    @property
    def person(self) -> str:
        """Return the name of a logged-in person; raise LoginRequired, or Forbidden for programs."""
        if self.name is None:
            raise LoginRequired("a login is required")
        if self.session is None:
            raise Forbidden("API tokens may not do this; log in with a password")
        return self.name


ANONYMOUS = Caller()


def scopes_in(text: str) -> frozenset[Scope]:
    """Return the scopes that a text names, separated by spaces; raise InvalidInput for others."""
    try:
        scopes = frozenset(map(Scope, text.split(" ")))
    except ValueError as error:
        known = ", ".join(Scope)
        raise InvalidInput("/scope", f"expected some of {known}, separated by spaces") from error
    return scopes


def scope_text(scopes: frozenset[Scope]) -> str:
    """Return scopes as one text, always in the same order."""
    return " ".join(scope for scope in Scope if scope in scopes)


def full(most: int) -> SignupClosed:
    """Return the error of a sign-up that finds `most` accounts."""
    return SignupClosed(f"there are {most} accounts, and no more may sign up; ask an admin")


def key_of(name: str) -> str:
    """Return the unique form of a name, in which names are compared."""
    return name.lower()


def is_name(text: str) -> bool:
    """Return whether this is a valid username."""
    return _NAME.fullmatch(text) is not None


def checked_name(name: str) -> str:
    """Return the name; raise InvalidInput unless it is a valid username."""
    if not is_name(name):
        raise InvalidInput("/username", "expected 1 to 64 letters, digits and . _ - @")
    return name


def checked_password(password: str, field: str = "password") -> str:
    """Return the password; raise InvalidInput if it is too short or too long."""
    if len(password) < SHORTEST_PASSWORD:
        raise InvalidInput(f"/{field}", f"expected at least {SHORTEST_PASSWORD} characters")
    if storable(password) != password:
        raise InvalidInput(f"/{field}", "expected text without U+0000 and lone surrogates")
    if len(password.encode()) > LONGEST_PASSWORD_BYTES:
        raise InvalidInput(f"/{field}", f"expected at most {LONGEST_PASSWORD_BYTES} bytes")
    return password
