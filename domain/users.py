"""Users: accounts, their names and passwords, and the callers of requests."""

import re
from datetime import datetime

import msgspec

from domain.dataset import Role
from domain.errors import Forbidden, InvalidInput, LoginRequired, SignupClosed
from domain.fields import storable

SHORTEST_PASSWORD = 8
#: Longer ones would only cost time: passwords are never truncated.
LONGEST_PASSWORD_BYTES = 1024

NAME_PATTERN = r"[A-Za-z0-9._@-]{1,64}"
#: So many accounts may be signed up for in all, unless a setting says otherwise.
MOST_ACCOUNTS = 10_000

_NAME = re.compile(NAME_PATTERN)


class User(msgspec.Struct, frozen=True, kw_only=True):
    """An account; `password` is a hash, and `version` changes when its tokens must end."""

    name: str
    role: Role = Role.USER
    password: str
    disabled: bool = False
    version: int = 0
    created_at: datetime

    @property
    def key(self) -> str:
        """Return the unique form of the name: names that differ in case alone are equal."""
        return key_of(self.name)

    def with_password(self, hashed: str) -> "User":
        """Return the user with another password; all earlier tokens end."""
        return msgspec.structs.replace(self, password=hashed, version=self.version + 1)

    def locked_out(self) -> "User":
        """Return the user disabled; all earlier tokens end."""
        return msgspec.structs.replace(self, disabled=True, version=self.version + 1)


class SignupRules(msgspec.Struct, frozen=True):
    """Whether strangers may make accounts, and how many accounts there may then be in all."""

    open: bool = True
    most: int = MOST_ACCOUNTS


class Caller(msgspec.Struct, frozen=True):
    """The caller of a request: its role and, after a login, its name and session."""

    role: Role = Role.ANYONE
    name: str | None = None
    session: str | None = None

    @property
    def person(self) -> str:
        """Return the name of a logged-in person; raise LoginRequired, or Forbidden for programs."""
        if self.name is None:
            raise LoginRequired("a login is required")
        if self.session is None:
            raise Forbidden("API tokens may not do this; log in with a password")
        return self.name


ANONYMOUS = Caller()


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
