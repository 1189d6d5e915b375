"""Users: who may log in, under which names and passwords, and who is asking."""

import re
from datetime import datetime

import msgspec

from domain.dataset import Role
from domain.errors import Forbidden, InvalidInput, LoginRequired
from domain.fields import storable

SHORTEST_PASSWORD = 8
#: Longer ones would only cost time: no password is ever cut.
LONGEST_PASSWORD_BYTES = 1024

NAME_PATTERN = r"[A-Za-z0-9._@-]{1,64}"

_NAME = re.compile(NAME_PATTERN)


class User(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody with an account; `password` is a hash, and `version` moves when tokens must end."""

    name: str
    role: Role = Role.USER
    password: str
    disabled: bool = False
    version: int = 0
    created_at: datetime

    @property
    def key(self) -> str:
        """What names are told apart by: names that differ in case alone are one."""
        return key_of(self.name)

    def with_password(self, hashed: str) -> "User":
        """The user with another password: every token given before ends."""
        return msgspec.structs.replace(self, password=hashed, version=self.version + 1)

    def locked_out(self) -> "User":
        """The user who may not log in any more: every token given before ends."""
        return msgspec.structs.replace(self, disabled=True, version=self.version + 1)


class Caller(msgspec.Struct, frozen=True):
    """Who is asking: a role, and for somebody known the name and the session they logged in to."""

    role: Role = Role.ANYONE
    name: str | None = None
    session: str | None = None

    @property
    def person(self) -> str:
        """The name of a person who has logged in; LoginRequired or, for a program, Forbidden."""
        if self.name is None:
            raise LoginRequired("this needs a logged-in user")
        if self.session is None:
            raise Forbidden("this is for people, not for programs; log in with a password")
        return self.name


ANYBODY = Caller()


def key_of(name: str) -> str:
    """The name in the form in which names are compared."""
    return name.lower()


def is_name(text: str) -> bool:
    """Whether somebody may be called so."""
    return _NAME.fullmatch(text) is not None


def checked_name(name: str) -> str:
    """Let a name pass that somebody may have; InvalidInput otherwise."""
    if not is_name(name):
        raise InvalidInput("/username", "expected 1 to 64 letters, digits and . _ - @")
    return name


def checked_password(password: str, field: str = "password") -> str:
    """Let a password pass that is neither too short nor too long; InvalidInput otherwise."""
    if len(password) < SHORTEST_PASSWORD:
        raise InvalidInput(f"/{field}", f"expected at least {SHORTEST_PASSWORD} characters")
    if storable(password) != password:
        raise InvalidInput(f"/{field}", "expected no U+0000 and no lone surrogate")
    if len(password.encode()) > LONGEST_PASSWORD_BYTES:
        raise InvalidInput(f"/{field}", f"expected at most {LONGEST_PASSWORD_BYTES} bytes")
    return password
