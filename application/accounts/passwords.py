"""Passwords: the use cases of confirming and changing them."""

from contextlib import suppress

from application.accounts.sign_up import check_new_password, existing_user
from application.ports.accounts import (
    Accounts,
    ApiTokens,
    LoginAttempts,
    PasswordHasher,
    UserSessions,
)
from application.ports.operations import Events
from domain.errors import (
    CatchmentError,
    StoreError,
    StoreUnavailable,
    TooManyRequests,
    WrongCredentials,
)
from domain.events import LoginLocked, LoginRefused, PasswordChanged
from domain.users import OPERATOR, Caller, User, key_of


def publish_refusal(
    events: Events, account: str, network: str, error: CatchmentError, wait_s: float
) -> None:
    """Publish that a password was refused, and the lock that begins with it, if one does."""
    events.publish(LoginRefused(account=account, network=network, code=error.code))
    if wait_s:
        events.publish(LoginLocked(account=account, network=network, wait_s=wait_s))


class ConfirmPassword:
    """The check that a logged-in user knows the password."""

    def __init__(
        self, accounts: Accounts, attempts: LoginAttempts, hasher: PasswordHasher, events: Events
    ) -> None:
        self._accounts = accounts
        self._attempts = attempts
        self._hasher = hasher
        self._events = events

    async def __call__(self, name: str, password: str, network: str) -> User:
        """Return the user with that name; raise WrongCredentials if the password is wrong.

        It counts as a login attempt: raise TooManyRequests after too many.
        """
        wait_s = 0.0
        try:
            wait_s = await self._attempts.begin(key_of(name), network)
            user = await self._accounts.get(name)
            verified = await self._hasher.verify(password, user.password if user else None)
            if user is None or not verified.ok:
                raise WrongCredentials("the current password is another one")
        except (TooManyRequests, WrongCredentials) as error:
            publish_refusal(self._events, name, network, error, wait_s)
            raise
        await self._attempts.succeed(key_of(name), network)
        return user


class ChangePassword:
    """The use case that changes a password; the user's sessions and API tokens end."""

    def __init__(
        self,
        accounts: Accounts,
        sessions: UserSessions,
        api_tokens: ApiTokens,
        hasher: PasswordHasher,
        confirm: ConfirmPassword,
        events: Events,
    ) -> None:
        self._accounts = accounts
        self._sessions = sessions
        self._api_tokens = api_tokens
        self._hasher = hasher
        self._confirm = confirm
        self._events = events

    async def __call__(self, caller: Caller, current: str, new: str, network: str) -> None:
        """Change the caller's password; raise Forbidden for programs, or as ConfirmPassword."""
        name = caller.person
        check_new_password(self._hasher, new, "new_password")
        await self._put(await self._confirm(name, current, network), new, name)

    async def set(self, name: str, new: str, keep_tokens: bool = False) -> None:
        """Set a user's password, as the operator; raise UnknownUser if there is none."""
        check_new_password(self._hasher, new)
        await self._put(await existing_user(self._accounts, name), new, OPERATOR, keep_tokens)

    async def _put(self, user: User, new: str, by: str, keep_tokens: bool = False) -> None:
        changed = user.with_password(await self._hasher.hash(new), keep_tokens)
        if not await self._accounts.replace(user, changed):
            raise StoreUnavailable("the account was changed at the same time; try again")
        self._events.publish(PasswordChanged(account=user.name, by=by, tokens_kept=keep_tokens))
        # The user's new version already ends all of them; this only tidies the rows.
        with suppress(StoreError):
            await self._sessions.end_all(user.key)
            if not keep_tokens:
                await self._api_tokens.revoke(user.key)
