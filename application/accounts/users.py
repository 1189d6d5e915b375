"""Users: the use cases of admins and the operator."""

from application.accounts.sign_up import existing_user
from application.ports.accounts import Accounts, ApiTokens, UserSessions


class DisableUser:
    """The use case that disables a user; all sessions and API tokens of the user end."""

    def __init__(self, accounts: Accounts, sessions: UserSessions, api_tokens: ApiTokens) -> None:
        self._accounts = accounts
        self._sessions = sessions
        self._api_tokens = api_tokens

    async def __call__(self, name: str) -> None:
        """Disable the user; raise UnknownUser if there is none."""
        user = await existing_user(self._accounts, name)
        while not await self._accounts.replace(user, user.locked_out()):
            user = await existing_user(self._accounts, name)
        await self._sessions.end_all(user.key)
        await self._api_tokens.revoke(user.key)
