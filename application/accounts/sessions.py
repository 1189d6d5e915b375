"""Sessions: the use cases of logging in, refreshing tokens and logging out."""

from datetime import timedelta
from typing import NamedTuple

import msgspec

from application.accounts.passwords import publish_refusal
from application.ports.accounts import (
    Accounts,
    LoginAttempts,
    PasswordHasher,
    Sessions,
    Tokens,
    UserSessions,
)
from application.ports.operations import Events
from application.ports.system import Clock, Random
from domain.errors import (
    InvalidToken,
    LoginRequired,
    TooManyRequests,
    UnknownSession,
    WrongCredentials,
)
from domain.events import LoggedIn, SessionsEnded
from domain.sessions import Claims, Session, digest_of
from domain.users import Caller, User, is_name, key_of


class Granted(msgspec.Struct, frozen=True, kw_only=True):
    """The tokens of a session; `expires_in` is the access token's lifetime in seconds."""

    access_token: str
    refresh_token: str
    token_type: str = "bearer"  # noqa: S105 - the word of RFC 6750
    expires_in: int


class Lifetimes(msgspec.Struct, frozen=True):
    """The lifetimes of an access token, and of a session with all its refresh tokens."""

    access: timedelta = timedelta(minutes=10)
    session: timedelta = timedelta(days=30)


class Grant:
    """Issues the tokens of sessions."""

    def __init__(self, tokens: Tokens, clock: Clock, lifetimes: Lifetimes) -> None:
        self._tokens = tokens
        self._clock = clock
        self.lifetimes = lifetimes

    def __call__(self, user: User, session: Session, refresh_token: str) -> Granted:
        """Return the tokens of a session, which no access token outlives."""
        now = self._clock.now()
        expires_at = min(now + self.lifetimes.access, session.expires_at)
        claims = Claims(
            user=user.key, session=session.id, version=user.version, expires_at=expires_at
        )
        return Granted(
            access_token=self._tokens.issue(claims),
            refresh_token=refresh_token,
            expires_in=max(0, round((expires_at - now).total_seconds())),
        )


class LogIn:
    """The use case that opens a session for a correct username and password."""

    def __init__(
        self,
        accounts: Accounts,
        sessions: Sessions,
        attempts: LoginAttempts,
        hasher: PasswordHasher,
        grant: Grant,
        clock: Clock,
        random: Random,
        events: Events,
    ) -> None:
        self._accounts = accounts
        self._sessions = sessions
        self._attempts = attempts
        self._hasher = hasher
        self._grant = grant
        self._clock = clock
        self._random = random
        self._events = events

    async def __call__(self, name: str, password: str, network: str) -> Granted:
        """Open a session and return its tokens; `network` is the network of the client.

        Raise WrongCredentials, the same whether or not there is such a user, and TooManyRequests
        after too many attempts.
        """
        account, user, wait_s = key_of(name), None, 0.0
        try:
            wait_s = await self._attempts.begin(account, network)
            user = await self._accounts.get(name) if is_name(name) else None
            hashed = user.password if user and not user.disabled else None
            verified = await self._hasher.verify(password, hashed)
            if user is None or not verified.ok:
                raise WrongCredentials("the username or the password is wrong")
        except (TooManyRequests, WrongCredentials) as error:
            publish_refusal(self._events, user.name if user else "", network, error, wait_s)
            raise
        await self._attempts.succeed(account, network)
        if verified.renewed is not None:
            # If the user is changed at the same time, the next login does this.
            renewed = msgspec.structs.replace(user, password=verified.renewed)
            await self._accounts.replace(user, renewed)
        granted = await self._open(user, network)
        self._events.publish(LoggedIn(account=user.name, network=network))
        return granted

    async def _open(self, user: User, network: str) -> Granted:
        now, refresh_token = self._clock.now(), self._random.secret()
        session = Session(
            id=self._random.identifier(),
            user=user.key,
            version=user.version,
            created_at=now,
            expires_at=now + self._grant.lifetimes.session,
            network=network,
        )
        await self._sessions.open(session, digest_of(refresh_token))
        return self._grant(user, session, refresh_token)


class Refresh:
    """The use case that continues a session: it exchanges a refresh token for new tokens."""

    def __init__(
        self, accounts: Accounts, sessions: Sessions, tokens: Tokens, grant: Grant
    ) -> None:
        self._accounts = accounts
        self._sessions = sessions
        self._tokens = tokens
        self._grant = grant

    async def __call__(self, refresh_token: str) -> Granted:
        """Return new tokens; raise InvalidToken, also for a used token, whose session ends then."""
        # Computed, not random: a retry after a lost response gets the same one.
        successor = self._tokens.successor(refresh_token)
        session = await self._sessions.rotate(digest_of(refresh_token), digest_of(successor))
        user = await self._accounts.get(session.user)
        # There may have been a login with the old password while it was being changed.
        if user is None or user.disabled or user.version != session.version:
            raise InvalidToken("this session has ended; log in again")
        return self._grant(user, session, successor)


class LogOut:
    """The use case that ends a session."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    async def __call__(self, caller: Caller, refresh_token: str | None = None) -> None:
        """End the session of the refresh token, or else the caller's own."""
        if refresh_token is not None:
            await self._sessions.end(digest_of(refresh_token))
        elif caller.session is not None:
            await self._sessions.end(caller.session)
        else:
            raise LoginRequired("name the session to end by its refresh_token or an access token")


class EndSessions:
    """The use case that ends sessions of a user before their time."""

    def __init__(self, sessions: Sessions, user_sessions: UserSessions, events: Events) -> None:
        self._sessions = sessions
        self._user_sessions = user_sessions
        self._events = events

    async def __call__(self, user: str, by: str, session_id: str | None = None) -> int:
        """End one session, or all of them; return how many were open; raise UnknownSession."""
        if session_id is None:
            ended = await self._user_sessions.end_all(key_of(user))
        else:
            sessions = await self._user_sessions.of(key_of(user))
            if session_id not in {session.id for session in sessions}:
                raise UnknownSession("there is no open session of that identifier")
            await self._sessions.end(session_id)
            ended = 1
        self._events.publish(SessionsEnded(account=user, by=by, count=ended))
        return ended


class OwnSessions:
    """The use cases of a user's own sessions; programs have none."""

    def __init__(self, user_sessions: UserSessions, end_sessions: EndSessions) -> None:
        self._user_sessions = user_sessions
        self._end_sessions = end_sessions

    async def list(self, caller: Caller) -> list[Session]:
        """Return the caller's open sessions, the latest login first."""
        return await self._user_sessions.of(key_of(caller.person))

    async def end(self, caller: Caller, session_id: str | None = None) -> None:
        """End one of the caller's sessions, or all of them; raise UnknownSession."""
        await self._end_sessions(caller.person, caller.person, session_id)


class SessionUseCases(NamedTuple):
    """The use cases of sessions."""

    log_in: LogIn
    refresh: Refresh
    log_out: LogOut
    own: OwnSessions
