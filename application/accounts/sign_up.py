"""Accounts: the use cases of creating them, by strangers, admins and the settings."""

from application.ports.accounts import Accounts, PasswordHasher
from application.ports.operations import Events
from application.ports.system import Clock
from domain.dataset import Role
from domain.errors import (
    InvalidInput,
    NameTaken,
    SignupClosed,
    UnknownUser,
)
from domain.events import UserAdded
from domain.users import OPERATOR, SignupRules, User, checked_name, checked_password


class AddUser:
    """The use case of admins and the operator that creates an account."""

    def __init__(
        self, accounts: Accounts, hasher: PasswordHasher, clock: Clock, events: Events
    ) -> None:
        self._accounts = accounts
        self._hasher = hasher
        self._clock = clock
        self._events = events

    async def __call__(
        self,
        name: str,
        password: str,
        role: Role = Role.USER,
        most: int | None = None,
        by: str = OPERATOR,
    ) -> User:
        """Create a user; raise InvalidInput for a bad name or password, or NameTaken.

        Raise SignupClosed if there are `most` users already. `by` is who does it.
        """
        checked_name(name)
        check_new_password(self._hasher, password)
        user = User(
            name=name,
            role=role,
            password=await self._hasher.hash(password),
            created_at=self._clock.now(),
        )
        await self._accounts.add(user, most)
        self._events.publish(UserAdded(account=user.name, role=role, by=by))
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
        return await self._add_user(name, password, most=self._rules.most, by=name)


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
            return await existing_user(self._accounts, name)


async def existing_user(accounts: Accounts, name: str) -> User:
    """Return the user with that name; raise UnknownUser if there is none."""
    user = await accounts.get(name)
    if user is None:
        raise UnknownUser(f"there is no user {name!r}")
    return user


def check_new_password(hasher: PasswordHasher, password: str, field: str = "password") -> None:
    """Raise InvalidInput for a password that is too short, too long or too common."""
    checked_password(password, field)
    if hasher.is_common(password):
        raise InvalidInput(f"/{field}", "expected a password that is not among the most common")
