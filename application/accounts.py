"""Accounts: signing up, changing a password, and what the operator does to users."""

from contextlib import suppress

from application.ports.accounts import Accounts, Sessions
from application.ports.clock import Clock
from application.ports.security import PasswordHasher
from domain.dataset import Role
from domain.errors import (
    InvalidInput,
    LoginRequired,
    StoreError,
    StoreUnavailable,
    UnknownUser,
    WrongCredentials,
)
from domain.users import Caller, User, checked_name, checked_password


class SignUp:
    """Makes an account."""

    def __init__(self, accounts: Accounts, hasher: PasswordHasher, clock: Clock) -> None:
        self._accounts = accounts
        self._hasher = hasher
        self._clock = clock

    async def __call__(self, name: str, password: str, role: Role = Role.USER) -> User:
        """The new user; InvalidInput for a bad name or password, NameTaken."""
        checked_name(name)
        _check_password(self._hasher, password)
        user = User(
            name=name,
            role=role,
            password=await self._hasher.hash(password),
            created_at=self._clock.now(),
        )
        await self._accounts.add(user)
        return user


class FirstAdmin:
    """Sees to it that there is the admin whom the settings name."""

    def __init__(self, accounts: Accounts, sign_up: SignUp) -> None:
        self._accounts = accounts
        self._sign_up = sign_up

    async def __call__(self, name: str, password: str) -> bool:
        """Whether the account was made now; one that is there is left as it is."""
        if await self._accounts.get(name) is not None:
            return False
        await self._sign_up(name, password, Role.ADMIN)
        return True


class ChangePassword:
    """Changes a password; every session ends, and whoever is logged in must do so again."""

    def __init__(self, accounts: Accounts, sessions: Sessions, hasher: PasswordHasher) -> None:
        self._accounts = accounts
        self._sessions = sessions
        self._hasher = hasher

    async def __call__(self, caller: Caller, current: str, new: str) -> None:
        """Change the caller's own; WrongCredentials unless they know the current one."""
        if caller.name is None:
            raise LoginRequired("this needs a logged-in user")
        user = await self._accounts.get(caller.name)
        _check_password(self._hasher, new, "new_password")
        verified = await self._hasher.verify(current, user.password if user else None)
        if user is None or not verified.ok:
            raise WrongCredentials("the current password is another one")
        await self._put(user, new)

    async def set(self, name: str, new: str) -> None:
        """Give a user another password, as the operator; UnknownUser."""
        _check_password(self._hasher, new)
        await self._put(await _known(self._accounts, name), new)

    async def _put(self, user: User, new: str) -> None:
        hashed = await self._hasher.hash(new)
        if not await self._accounts.replace(user, user.with_password(hashed)):
            raise StoreUnavailable("the account was changed at the same time; try again")
        with suppress(
            StoreError
        ):  # no session goes on with another version: only the list is older
            await self._sessions.end_all(user.key)


class DisableUser:
    """Locks a user out: every session and every token of theirs ends."""

    def __init__(self, accounts: Accounts, sessions: Sessions) -> None:
        self._accounts = accounts
        self._sessions = sessions

    async def __call__(self, name: str) -> None:
        """Lock the user out; UnknownUser."""
        user = await _known(self._accounts, name)
        while not await self._accounts.replace(user, user.locked_out()):
            user = await _known(self._accounts, name)
        await self._sessions.end_all(user.key)


async def _known(accounts: Accounts, name: str) -> User:
    user = await accounts.get(name)
    if user is None:
        raise UnknownUser(f"there is no user {name!r}")
    return user


def _check_password(hasher: PasswordHasher, password: str, field: str = "password") -> None:
    checked_password(password, field)
    if hasher.is_common(password):
        raise InvalidInput(f"/{field}", "expected a password that is not among the most common")
