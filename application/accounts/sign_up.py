"""Accounts: the use cases of signing up, changing passwords and disabling users."""

from contextlib import suppress

from application.ports.accounts import Accounts, LoginAttempts, PasswordHasher, Sessions
from application.ports.system import Clock
from domain.dataset import Role
from domain.errors import (
    InvalidInput,
    NameTaken,
    SignupClosed,
    StoreError,
    StoreUnavailable,
    UnknownUser,
    WrongCredentials,
)
from domain.users import Caller, SignupRules, User, checked_name, checked_password, key_of


class AddUser:
    """The use case of admins and the operator that creates an account."""

    def __init__(self, accounts: Accounts, hasher: PasswordHasher, clock: Clock) -> None:
        self._accounts = accounts
        self._hasher = hasher
        self._clock = clock

    async def __call__(
        self, name: str, password: str, role: Role = Role.USER, most: int | None = None
    ) -> User:
        """Create a user; raise InvalidInput for a bad name or password, or NameTaken.

        Raise SignupClosed if there are `most` users already.
        """
        checked_name(name)
        _check_password(self._hasher, password)
        user = User(
            name=name,
            role=role,
            password=await self._hasher.hash(password),
            created_at=self._clock.now(),
        )
        await self._accounts.add(user, most)
        return user


class SignUp:
    """The use case of new users that creates an account, if the settings allow it."""

    def __init__(self, add_user: AddUser, rules: SignupRules) -> None:
        self._add_user = add_user
        self._rules = rules

    async def __call__(self, name: str, password: str) -> User:
        """Create a user as AddUser does; raise SignupClosed if only admins may do so."""
        if not self._rules.open:
            raise SignupClosed("only admins create accounts here; ask one of them")
        return await self._add_user(name, password, most=self._rules.most)


class EnsureAdmin:
    """The use case that creates the admin named in the settings, if missing."""

    def __init__(self, accounts: Accounts, add_user: AddUser) -> None:
        self._accounts = accounts
        self._add_user = add_user

    async def __call__(self, name: str, password: str) -> User:
        """Return the user of that name; an existing account is not changed."""
        found = await self._accounts.get(name)
        if found is not None:
            return found
        try:
            return await self._add_user(name, password, Role.ADMIN)
        except NameTaken:
            # Another process that has just started was faster.
            return await _existing(self._accounts, name)


class ChangePassword:
    """The use case that changes a password; every session of the user ends."""

    def __init__(
        self,
        accounts: Accounts,
        sessions: Sessions,
        attempts: LoginAttempts,
        hasher: PasswordHasher,
    ) -> None:
        self._accounts = accounts
        self._sessions = sessions
        self._attempts = attempts
        self._hasher = hasher

    async def __call__(self, caller: Caller, current: str, new: str, network: str) -> None:
        """Change the caller's password; raise WrongCredentials if the current one is wrong.

        It counts as a login attempt: raise TooManyRequests after too many. Raise Forbidden for
        programs.
        """
        name = caller.person
        _check_password(self._hasher, new, "new_password")
        await self._attempts.begin(key_of(name), network)
        user = await self._accounts.get(name)
        verified = await self._hasher.verify(current, user.password if user else None)
        if user is None or not verified.ok:
            raise WrongCredentials("the current password is another one")
        await self._attempts.succeed(key_of(name), network)
        await self._put(user, new)

    async def set(self, name: str, new: str) -> None:
        """Set a user's password, as the operator; raise UnknownUser if there is none."""
        _check_password(self._hasher, new)
        await self._put(await _existing(self._accounts, name), new)

    async def _put(self, user: User, new: str) -> None:
        hashed = await self._hasher.hash(new)
        if not await self._accounts.replace(user, user.with_password(hashed)):
            raise StoreUnavailable("the account was changed at the same time; try again")
        # The user's new version already ends every session; this only tidies the rows.
        with suppress(StoreError):
            await self._sessions.end_all(user.key)


class DisableUser:
    """The use case that disables a user; all sessions and tokens of the user end."""

    def __init__(self, accounts: Accounts, sessions: Sessions) -> None:
        self._accounts = accounts
        self._sessions = sessions

    async def __call__(self, name: str) -> None:
        """Disable the user; raise UnknownUser if there is none."""
        user = await _existing(self._accounts, name)
        while not await self._accounts.replace(user, user.locked_out()):
            user = await _existing(self._accounts, name)
        await self._sessions.end_all(user.key)


async def _existing(accounts: Accounts, name: str) -> User:
    user = await accounts.get(name)
    if user is None:
        raise UnknownUser(f"there is no user {name!r}")
    return user


def _check_password(hasher: PasswordHasher, password: str, field: str = "password") -> None:
    checked_password(password, field)
    if hasher.is_common(password):
        raise InvalidInput(f"/{field}", "expected a password that is not among the most common")
