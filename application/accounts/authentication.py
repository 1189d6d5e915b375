"""Authentication: the caller of a request, by the token in it."""

import asyncio
from contextlib import suppress
from datetime import datetime, timedelta
from typing import NamedTuple

from application.ports.accounts import Accounts, ApiTokens, Sessions, Tokens
from application.ports.datasets import Changes
from application.ports.system import Clock
from domain.errors import InvalidToken, StoreError
from domain.sessions import ApiToken, Claims, digest_of
from domain.users import Caller, User

#: The start of every API token, so that people and secret scanners recognise one.
API_TOKEN_PREFIX = "cat_"  # noqa: S105 - not a secret
#: The longest time for which an authenticated token is cached.
CACHED_FOR = timedelta(seconds=5)
MAX_CACHED = 10_000
_LONGEST = 4096


class _Cached(NamedTuple):
    caller: Caller
    version: int
    until: datetime


class TokenUse:
    """Records when API tokens were last used, in the background of the requests."""

    def __init__(self, api_tokens: ApiTokens, clock: Clock) -> None:
        self._api_tokens = api_tokens
        self._clock = clock
        self._recording: dict[str, asyncio.Task[None]] = {}

    def __call__(self, token: ApiToken) -> None:
        """Record that a token is used now, unless its last use was recorded a short while ago."""
        now = self._clock.now()
        if not token.was_used(now) and token.id not in self._recording:
            task = self._recording[token.id] = asyncio.create_task(self._record(token.id, now))
            task.add_done_callback(lambda _: self._recording.pop(token.id))

    async def drain(self) -> None:
        """Return when every use is recorded."""
        await asyncio.gather(*self._recording.values())

    async def _record(self, token_id: str, now: datetime) -> None:
        # A token is valid even if its use cannot be recorded; its next use is.
        with suppress(StoreError):
            await self._api_tokens.note_use(token_id, now)


class Authenticate:
    """The use case that finds the caller with a token.

    Results are cached for some seconds, until the next write to the database: a user disabled by
    this process is locked out at once, elsewhere within CACHED_FOR. The cache holds at most
    `max_cached` tokens.
    """

    def __init__(
        self,
        accounts: Accounts,
        sessions: Sessions,
        api_tokens: ApiTokens,
        tokens: Tokens,
        changes: Changes,
        clock: Clock,
        record_use: TokenUse,
        max_cached: int = MAX_CACHED,
    ) -> None:
        self._accounts = accounts
        self._sessions = sessions
        self._api_tokens = api_tokens
        self._tokens = tokens
        self._changes = changes
        self._clock = clock
        self._record_use = record_use
        self._max_cached = max_cached
        self._cache: dict[str | tuple[str, str, int], _Cached] = {}

    async def __call__(self, token: str) -> Caller:
        """Return the caller with this token; raise InvalidToken unless it is ours and valid."""
        if len(token) > _LONGEST:
            raise _invalid()
        if token.startswith(API_TOKEN_PREFIX):
            digest = digest_of(token)
            return self._from_cache(digest) or self._cached(digest, await self._program(digest))
        claims = self._tokens.read(token)
        key = (claims.user, claims.session, claims.version)
        return self._from_cache(key) or self._cached(key, await self._person(claims))

    def _from_cache(self, key: str | tuple[str, str, int]) -> Caller | None:
        cached = self._cache.get(key)
        # A clock that was set back does not make the entry last longer.
        if cached is None or not timedelta(0) < cached.until - self._clock.now() <= CACHED_FOR:
            return None
        return cached.caller if cached.version == self._changes.version() else None

    def _cached(self, key: str | tuple[str, str, int], found: _Cached) -> Caller:
        if len(self._cache) >= self._max_cached:
            self._cache.clear()
        self._cache[key] = found
        return found.caller

    async def _program(self, digest: str) -> _Cached:
        version, now = self._changes.version(), self._clock.now()
        token = await self._api_tokens.find(digest)
        user = await self._accounts.get(token.user) if token else None
        if token is None or user is None or not token.is_valid(user, now):
            raise _invalid()
        self._record_use(token)
        until = min(now + CACHED_FOR, token.expires_at or now + CACHED_FOR)
        return _Cached(token.caller(user), version, until)

    async def _person(self, claims: Claims) -> _Cached:
        version, now = self._changes.version(), self._clock.now()
        user: User | None = await self._accounts.get(claims.user)
        if user is None or user.disabled or user.version != claims.version:
            raise _invalid()
        if not await self._sessions.is_open(claims.session):
            raise _invalid()
        caller = Caller(user.role, user.name, claims.session)
        return _Cached(caller, version, now + CACHED_FOR)


def _invalid() -> InvalidToken:
    # One text for every reason, so that guessing tokens reveals nothing.
    return InvalidToken("this token is invalid or expired; log in again")
