"""API tokens: long-lived tokens for programs, until they expire or their user revokes them."""

from datetime import datetime, timedelta

import msgspec

from application.accounts.authentication import API_TOKEN_PREFIX
from application.accounts.passwords import ConfirmPassword
from application.accounts.sign_up import existing_user
from application.ports.accounts import Accounts, ApiTokens, UserSessions
from application.ports.operations import Events
from application.ports.system import Clock, Random
from domain.errors import InvalidInput, InvalidToken, PasswordRequired, UnknownToken
from domain.events import TokenCreated, TokensRevoked
from domain.fields import storable
from domain.sessions import LONGEST_TTL, ApiToken, digest_of
from domain.users import ALL_SCOPES, OPERATOR, Caller, Scope, User, key_of, scope_text

LONGEST_NAME = 100
#: The most API tokens of one user.
MAX_TOKENS = 100


class NewToken(msgspec.Struct, frozen=True, kw_only=True):
    """An API token to create: its name, its end or its lifetime, and its scopes."""

    name: str
    expires_at: datetime | None = None
    ttl: timedelta | None = None
    scopes: frozenset[Scope] = ALL_SCOPES

    def end(self, now: datetime) -> datetime | None:
        """Return when the token ends, None for never; raise InvalidInput for an invalid end."""
        if self.expires_at is not None and self.ttl is not None:
            raise InvalidInput("/ttl", "expected either expires_at or ttl")
        ttl = self.ttl if self.expires_at is None else self.expires_at - now
        if ttl is None:
            return None
        if not timedelta(0) < ttl <= LONGEST_TTL:
            pointer = "/ttl" if self.expires_at is None else "/expires_at"
            raise InvalidInput(pointer, f"expected an end within {LONGEST_TTL.days} days from now")
        return now + ttl


class RevokeTokens:
    """The use case that revokes API tokens of a user."""

    def __init__(self, api_tokens: ApiTokens, events: Events) -> None:
        self._api_tokens = api_tokens
        self._events = events

    async def __call__(self, user: str, by: str, token_id: str | None = None) -> int:
        """Revoke one token, or all of them; return how many there were; raise UnknownToken."""
        revoked = await self._api_tokens.revoke(key_of(user), token_id)
        if token_id is not None and not revoked:
            raise UnknownToken("there is no API token of that identifier")
        self._events.publish(TokensRevoked(account=user, by=by, count=revoked))
        return revoked


class ApiTokenService:
    """The use cases of API tokens; a caller with an API token cannot create another."""

    def __init__(
        self,
        accounts: Accounts,
        sessions: UserSessions,
        api_tokens: ApiTokens,
        confirm: ConfirmPassword,
        revoke: RevokeTokens,
        clock: Clock,
        random: Random,
        events: Events,
    ) -> None:
        self._accounts = accounts
        self._sessions = sessions
        self._api_tokens = api_tokens
        self._confirm = confirm
        self._revoke = revoke
        self._clock = clock
        self._random = random
        self._events = events

    async def create(
        self, caller: Caller, wanted: NewToken, password: str | None, network: str
    ) -> tuple[ApiToken, str]:
        """Create a token of the caller; return it with its text, which is never shown again.

        Without the current password, raise PasswordRequired unless the login is recent: a session
        left open must not become access without end. With it, raise as ConfirmPassword does.
        """
        name = caller.person
        if password is not None:
            user = await self._confirm(name, password, network)
        else:
            user = await self._recently_logged_in(caller, name)
        return await self._create(user, wanted, name)

    async def create_for(self, user: str, wanted: NewToken) -> tuple[ApiToken, str]:
        """Create a token of a user, as the operator; raise UnknownUser if there is none."""
        return await self._create(await existing_user(self._accounts, user), wanted, OPERATOR)

    async def list(self, caller: Caller) -> list[ApiToken]:
        """Return the caller's tokens, oldest first."""
        return await self._api_tokens.of(key_of(caller.person))

    async def revoke(self, caller: Caller, token_id: str) -> None:
        """Revoke one of the caller's tokens; raise UnknownToken if there is none."""
        await self._revoke(caller.person, caller.person, token_id)

    async def _recently_logged_in(self, caller: Caller, name: str) -> User:
        sessions = {session.id: session for session in await self._sessions.of(key_of(name))}
        user, session = await self._accounts.get(name), sessions.get(str(caller.session))
        # Read again, because an authentication is cached for some seconds.
        if user is None or session is None or session.version != user.version:
            raise InvalidToken("this session has ended; log in again")
        if not session.is_recent(self._clock.now()):
            raise PasswordRequired("this login is too long ago; send current_password")
        return user

    async def _create(self, user: User, wanted: NewToken, by: str) -> tuple[ApiToken, str]:
        name = wanted.name
        if not 1 <= len(name) <= LONGEST_NAME or storable(name) != name or not name.isprintable():
            raise InvalidInput("/name", f"expected 1 to {LONGEST_NAME} printable characters")
        text, now = API_TOKEN_PREFIX + self._random.secret(), self._clock.now()
        token = ApiToken(
            id=self._random.identifier(),
            user=user.key,
            name=name,
            digest=digest_of(text),
            created_at=now,
            version=user.token_version,
            scopes=wanted.scopes,
            expires_at=wanted.end(now),
        )
        if not await self._api_tokens.add(token, MAX_TOKENS):
            raise InvalidInput(
                "/name", f"expected fewer than {MAX_TOKENS} tokens; revoke one first"
            )
        self._events.publish(
            TokenCreated(
                account=user.name,
                by=by,
                token=token.id,
                scope=scope_text(token.scopes),
                expires_at=token.expires_at,
            )
        )
        return token, text
