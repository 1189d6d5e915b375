"""Authentication: finds out who is asking from the token a request carries."""

from datetime import datetime, timedelta
from typing import NamedTuple

from application.ports.accounts import Accounts, ApiTokens, Sessions, Tokens
from application.ports.datasets import Changes
from application.ports.system import Clock
from domain.errors import InvalidToken
from domain.sessions import Claims, digest_of
from domain.users import Caller, User

#: Tokens of programs begin like this, so that people and scanners know one when they see it.
API_TOKEN_PREFIX = "cat_"  # noqa: S105 - not a secret
#: What was found out about a bearer is believed for no longer than this.
BELIEVED = timedelta(seconds=5)
MOST_KNOWN = 10_000
_LONGEST = 4096


class _Known(NamedTuple):
    caller: Caller
    version: int
    until: datetime


class Authenticate:
    """Tells who the bearer of a token is.

    What it has found out is believed for some seconds, and only as long as nobody has written
    anything: a user locked out here is locked out at once, and elsewhere within BELIEVED. At most
    `most_known` bearers are known.
    """

    def __init__(
        self,
        accounts: Accounts,
        sessions: Sessions,
        api_tokens: ApiTokens,
        tokens: Tokens,
        changes: Changes,
        clock: Clock,
        most_known: int = MOST_KNOWN,
    ) -> None:
        self._accounts = accounts
        self._sessions = sessions
        self._api_tokens = api_tokens
        self._tokens = tokens
        self._changes = changes
        self._clock = clock
        self._most_known = most_known
        self._known: dict[str | tuple[str, str, int], _Known] = {}

    async def __call__(self, token: str) -> Caller:
        """Whose token it is; InvalidToken unless it is ours and counts."""
        if len(token) > _LONGEST:
            raise _invalid()
        if token.startswith(API_TOKEN_PREFIX):
            digest = digest_of(token)
            return self._believed(digest) or self._learn(digest, await self._program(digest))
        claims = self._tokens.read(token)
        key = (claims.user, claims.session, claims.version)
        return self._believed(key) or self._learn(key, await self._person(claims))

    def _believed(self, key: str | tuple[str, str, int]) -> Caller | None:
        known = self._known.get(key)
        if known is None or known.until <= self._clock.now():
            return None
        return known.caller if known.version == self._changes.version() else None

    def _learn(self, key: str | tuple[str, str, int], found: tuple[Caller, int]) -> Caller:
        caller, version = found
        if len(self._known) >= self._most_known:
            self._known.clear()
        self._known[key] = _Known(caller, version, self._clock.now() + BELIEVED)
        return caller

    async def _program(self, digest: str) -> tuple[Caller, int]:
        version = self._changes.version()
        token = await self._api_tokens.find(digest)
        user = await self._accounts.get(token.user) if token else None
        if user is None or user.disabled:
            raise _invalid()
        return Caller(user.role, user.name), version

    async def _person(self, claims: Claims) -> tuple[Caller, int]:
        version = self._changes.version()
        user: User | None = await self._accounts.get(claims.user)
        if user is None or user.disabled or user.version != claims.version:
            raise _invalid()
        if not await self._sessions.is_open(claims.session):
            raise _invalid()
        return Caller(user.role, user.name, claims.session), version


def _invalid() -> InvalidToken:
    # One text for every reason: whoever tries tokens learns nothing.
    return InvalidToken("this token is invalid or expired; log in again")
