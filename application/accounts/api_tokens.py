"""API tokens: long-lived tokens for programs, until their user revokes them."""

from application.accounts.authentication import API_TOKEN_PREFIX
from application.ports.accounts import Accounts, ApiTokens
from application.ports.system import Clock, Random
from domain.errors import InvalidInput, UnknownToken, UnknownUser
from domain.fields import storable
from domain.sessions import ApiToken, digest_of
from domain.users import Caller, key_of

LONGEST_NAME = 100
#: The most API tokens of one user.
MAX_TOKENS = 100


class ApiTokenService:
    """The use cases of API tokens; a caller with an API token cannot create another."""

    def __init__(
        self, accounts: Accounts, api_tokens: ApiTokens, clock: Clock, random: Random
    ) -> None:
        self._accounts = accounts
        self._api_tokens = api_tokens
        self._clock = clock
        self._random = random

    async def create(self, caller: Caller, name: str) -> tuple[ApiToken, str]:
        """Create a token of the caller; return it with its text, which is never shown again."""
        return await self._create(key_of(caller.person), name)

    async def create_for(self, user: str, name: str) -> tuple[ApiToken, str]:
        """Create a token of a user, as the operator; raise UnknownUser if there is none."""
        if await self._accounts.get(user) is None:
            raise UnknownUser(f"there is no user {user!r}")
        return await self._create(key_of(user), name)

    async def list(self, caller: Caller) -> list[ApiToken]:
        """Return the caller's tokens, oldest first."""
        return await self._api_tokens.of(key_of(caller.person))

    async def revoke(self, caller: Caller, token_id: str) -> None:
        """Revoke one of the caller's tokens; raise UnknownToken if there is none."""
        if not await self._api_tokens.revoke(key_of(caller.person), token_id):
            raise UnknownToken("you have no API token of that identifier")

    async def _create(self, user: str, name: str) -> tuple[ApiToken, str]:
        if not 1 <= len(name) <= LONGEST_NAME or storable(name) != name or not name.isprintable():
            raise InvalidInput("/name", f"expected 1 to {LONGEST_NAME} printable characters")
        if len(await self._api_tokens.of(user)) >= MAX_TOKENS:
            raise InvalidInput(
                "/name", f"expected fewer than {MAX_TOKENS} tokens; revoke one first"
            )
        text = API_TOKEN_PREFIX + self._random.secret()
        token = ApiToken(
            id=self._random.identifier(),
            user=user,
            name=name,
            digest=digest_of(text),
            created_at=self._clock.now(),
        )
        await self._api_tokens.add(token)
        return token, text
