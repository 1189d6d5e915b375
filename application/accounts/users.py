"""Users: the use cases of admins and of the operator."""

import msgspec

from application.accounts.api_tokens import RevokeTokens
from application.accounts.sessions import EndSessions
from application.accounts.sign_up import AddUser, existing_user
from application.ports.accounts import Accounts, ApiTokens, UserSessions
from application.ports.operations import Events
from domain.dataset import Role
from domain.errors import InvalidInput
from domain.events import RoleChanged, SessionsEnded, UserDisabled, UserEnabled
from domain.sessions import ApiToken, Session
from domain.users import User, key_of


class ManageUsers:
    """The use cases of admins: to list users, to change them, and to end what lets them in.

    `by` is the name of the admin, or OPERATOR. An admin cannot disable or demote themselves, so
    that one is always left.
    """

    def __init__(
        self,
        accounts: Accounts,
        add_user: AddUser,
        sessions: UserSessions,
        api_tokens: ApiTokens,
        end_sessions: EndSessions,
        revoke_tokens: RevokeTokens,
        events: Events,
    ) -> None:
        self._accounts = accounts
        self._add_user = add_user
        self._sessions = sessions
        self._api_tokens = api_tokens
        self._end_sessions = end_sessions
        self._revoke_tokens = revoke_tokens
        self._events = events

    async def add(self, name: str, password: str, role: Role, by: str) -> User:
        """Create a user; raise as AddUser does."""
        return await self._add_user(name, password, role, by=by)

    async def page(self, limit: int, after: str = "") -> list[User]:
        """Return up to `limit` users whose keys come after this one, in the order of the keys."""
        return await self._accounts.page(limit, after)

    async def get(self, name: str) -> User:
        """Return a user; raise UnknownUser if there is none of that name."""
        return await existing_user(self._accounts, name)

    async def change(
        self, name: str, by: str, role: Role | None = None, disabled: bool | None = None
    ) -> User:
        """Change what is not None, and return the user; raise UnknownUser, InvalidInput.

        All sessions and API tokens of a user who is disabled end, and stay ended.
        """
        user = await self.get(name)
        _check_other(user, by, role, disabled)
        changed = _changed(user, role, disabled)
        while not await self._accounts.replace(user, changed):
            user = await self.get(name)
            changed = _changed(user, role, disabled)
        self._publish(user, changed, by)
        if disabled:
            # The user's new version already ends all of them; this only tidies the rows.
            await self._sessions.end_all(user.key)
            await self._api_tokens.revoke(user.key)
        return changed

    async def sessions_of(self, name: str) -> list[Session]:
        """Return a user's open sessions, the latest login first; raise UnknownUser."""
        return await self._sessions.of((await self.get(name)).key)

    async def end_sessions(self, name: str, by: str, session_id: str | None = None) -> int:
        """End one session of a user, or all; return how many; raise UnknownUser, UnknownSession."""
        return await self._end_sessions((await self.get(name)).name, by, session_id)

    async def end_all_sessions(self, by: str) -> int:
        """End every session of every user; return how many were open."""
        ended = await self._sessions.end_all(None)
        self._events.publish(SessionsEnded(account="", by=by, count=ended))
        return ended

    async def tokens_of(self, name: str) -> list[ApiToken]:
        """Return a user's API tokens, oldest first; raise UnknownUser."""
        return await self._api_tokens.of((await self.get(name)).key)

    async def revoke_tokens(self, name: str, by: str, token_id: str | None = None) -> int:
        """Revoke one token of a user, or all; return how many; raise UnknownUser, UnknownToken."""
        return await self._revoke_tokens((await self.get(name)).name, by, token_id)

    def _publish(self, user: User, changed: User, by: str) -> None:
        if changed.role is not user.role:
            self._events.publish(RoleChanged(account=user.name, role=changed.role, by=by))
        if changed.disabled is not user.disabled:
            kind = UserDisabled if changed.disabled else UserEnabled
            self._events.publish(kind(account=user.name, by=by))


def _changed(user: User, role: Role | None, disabled: bool | None) -> User:
    changed = msgspec.structs.replace(user, role=role or user.role)
    if disabled is None or disabled is user.disabled:
        return changed
    return changed.locked_out() if disabled else changed.let_in()


def _check_other(user: User, by: str, role: Role | None, disabled: bool | None) -> None:
    """Raise InvalidInput if an admin would lock themselves out."""
    if user.key != key_of(by):
        return
    if disabled:
        raise InvalidInput("/disabled", "you cannot disable yourself; another admin can")
    if role not in (None, user.role):
        raise InvalidInput("/role", "you cannot change your own role; another admin can")
