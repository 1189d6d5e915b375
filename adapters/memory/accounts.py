"""Accounts in memory: users, sessions, tokens, passwords and limits."""

import base64
import hashlib
from datetime import datetime

import msgspec

from adapters.memory.database import MemoryDatabase, RefreshToken
from application.ports.accounts import (
    Accounts,
    ApiTokens,
    ClientLimits,
    LoginAttempts,
    PasswordHasher,
    Sessions,
    Tokens,
    UserSessions,
    Verified,
)
from application.ports.operations import Renewed, Restoration
from application.ports.system import Clock
from domain.errors import InvalidToken, NameTaken, TooManyRequests
from domain.politeness import Rate
from domain.sessions import ApiToken, Claims, Session, is_replay
from domain.throttling import Allowance, Attempts, Guess, allowance, spacing_s, spent_until_s
from domain.users import User, full, key_of


class MemoryAccounts(Accounts):
    """Users in a memory database."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database

    async def add(self, user: User, most: int | None = None) -> None:
        """Store a new user; raise NameTaken if the name is taken, SignupClosed at `most` users."""
        if most is not None and len(self._database.users) >= most:
            raise full(most)
        if user.key in self._database.users:
            raise NameTaken(f"there is a user {user.name!r} already")
        self._put(user)

    async def get(self, name: str) -> User | None:
        """Return the user of that name, None if there is none."""
        return self._database.users.get(key_of(name))

    async def page(self, limit: int, after: str = "") -> list[User]:
        """Return up to `limit` users whose keys come after this one, in the order of the keys."""
        keys = sorted(key for key in self._database.users if key > after)
        return [self._database.users[key] for key in keys[:limit]]

    async def replace(self, seen: User, changed: User) -> bool:
        """Replace a user if it is still equal to `seen`; return whether it was."""
        if self._database.users.get(seen.key) != seen:
            return False
        self._put(changed)
        return True

    def _put(self, user: User) -> None:
        self._database.users[user.key] = user
        self._database.writes += 1


class MemorySessions(Sessions, UserSessions):
    """Sessions in a memory database; `key` stands for the secret key."""

    def __init__(self, database: MemoryDatabase, clock: Clock, key: str = "") -> None:
        self._database = database
        self._clock = clock
        self._key = key

    async def open(self, session: Session, digest: str) -> None:
        """Store a new session with the digest of its first refresh token."""
        self._database.sessions[session.id] = session
        self._database.generations[session.id] = _generation(self._database, self._key)
        self._database.refresh_tokens[digest] = RefreshToken(session.id)

    async def rotate(self, digest: str, successor: str) -> Session:
        """Replace a refresh token by its successor; a repetition after GRACE ends the session."""
        now, token = self._clock.now(), self._database.refresh_tokens.get(digest)
        session = self._database.sessions[token.session] if token else None
        if token is None or session is None or not self._is_open(session):
            raise InvalidToken("this session has ended; log in again")
        following = self._database.refresh_tokens.get(successor)
        if is_replay(token.used_at, following.used_at if following else None, now):
            self._end(session)
            raise InvalidToken("this refresh token was used before, so its session has ended")
        token.used_at = token.used_at or now
        self._database.refresh_tokens.setdefault(successor, RefreshToken(session.id))
        session = msgspec.structs.replace(session, last_used_at=now)
        self._database.sessions[session.id] = session
        return session

    async def end(self, digest_or_id: str) -> None:
        """End the session with that identifier or that refresh token, if there is one."""
        token = self._database.refresh_tokens.get(digest_or_id)
        session = self._database.sessions.get(token.session if token else digest_or_id)
        if session is not None:
            self._end(session)

    async def is_open(self, session_id: str) -> bool:
        """Return whether there is such a session and its tokens are valid."""
        session = self._database.sessions.get(session_id)
        return session is not None and self._is_open(session)

    async def of(self, user: str) -> list[Session]:
        """Return the user's open sessions, the latest login first."""
        theirs = [s for s in self._database.sessions.values() if s.user == user]
        theirs.sort(key=lambda session: (session.created_at, session.id), reverse=True)
        return [session for session in theirs if self._is_open(session)]

    async def end_all(self, user: str | None) -> int:
        """End every session of a user, or of all users; return how many were open."""
        ended = 0
        for session in list(self._database.sessions.values()):
            if user is None or session.user == user:
                ended += self._is_open(session)
                self._end(session)
        return ended

    def _is_open(self, session: Session) -> bool:
        here = _generation(self._database, self._key)
        is_ours = self._database.generations[session.id] == here
        return is_ours and session.is_open(self._clock.now())

    def _end(self, session: Session) -> None:
        if session.ended_at is None:
            ended = msgspec.structs.replace(session, ended_at=self._clock.now())
            self._database.sessions[session.id] = ended
            self._database.writes += 1


class MemoryApiTokens(ApiTokens):
    """API tokens in a memory database; `key` stands for the secret key."""

    def __init__(self, database: MemoryDatabase, key: str = "") -> None:
        self._database = database
        self._key = key

    async def add(self, token: ApiToken, most: int | None = None) -> bool:
        """Store a new token, unless its user has `most` already."""
        if most is not None and len(await self.of(token.user)) >= most:
            return False
        self._database.api_tokens[token.id] = token
        self._database.generations[token.id] = _generation(self._database, self._key)
        return True

    async def find(self, digest: str) -> ApiToken | None:
        """Return the valid token whose text has this digest, None if there is none."""
        return next((token for token in self._ours() if token.digest == digest), None)

    async def of(self, user: str) -> list[ApiToken]:
        """Return a user's tokens, oldest first."""
        return [token for token in self._ours() if token.user == user]

    async def revoke(self, user: str, token_id: str | None = None) -> int:
        """Revoke a token of that user, or all of them; return how many there were."""
        theirs = [
            token
            for token in self._database.api_tokens.values()
            if token.user == user and token_id in (None, token.id)
        ]
        for token in theirs:
            del self._database.api_tokens[token.id]
            self._database.writes += 1
        return len(theirs)

    async def note_use(self, token_id: str, at: datetime) -> None:
        """Store when a token was last used."""
        token = self._database.api_tokens.get(token_id)
        if token is not None:
            used = msgspec.structs.replace(token, last_used_at=at)
            self._database.api_tokens[token_id] = used

    def _ours(self) -> list[ApiToken]:
        here, made_in = _generation(self._database, self._key), self._database.generations
        return [t for t in self._database.api_tokens.values() if made_in[t.id] == here]


class MemoryRestoration(Restoration):
    """The renewal of a memory database."""

    def __init__(self, database: MemoryDatabase, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def renew(self, database_id: str, keep_tokens: bool) -> Renewed:
        """Give the database another identifier; end sessions and, unless kept, API tokens."""
        ended = await MemorySessions(self._database, self._clock).end_all(None)
        tokens, before = self._database.api_tokens, self._database.id
        self._database.id, revoked = database_id, 0
        if keep_tokens:
            made_in = self._database.generations
            for token_id in tokens:
                made_in[token_id] = made_in[token_id].replace(before, database_id, 1)
        else:
            revoked = len(tokens)
            tokens.clear()
        return Renewed(sessions=ended, tokens=revoked)


def _generation(database: MemoryDatabase, key: str) -> str:
    return f"{database.id}:{key}"


class MemoryClientLimits(ClientLimits):
    """Request counters of clients in a memory database."""

    def __init__(self, database: MemoryDatabase, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def spend(self, client: str, rate: Rate) -> Allowance:
        """Count one more request if one is left."""
        now_s = self._clock.now().timestamp()
        full_at_s = spent_until_s(self._database.full_at_s.get(client, now_s), rate, now_s)
        following_s = full_at_s + spacing_s(rate)
        if following_s - now_s > rate.window_s + 1e-6:
            return allowance(rate, full_at_s - now_s, allowed=False)
        self._database.full_at_s[client] = following_s
        return allowance(rate, following_s - now_s, allowed=True)


class MemoryLoginAttempts(LoginAttempts):
    """Counters of password attempts in a memory database."""

    def __init__(self, database: MemoryDatabase, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def begin(self, account: str, network: str) -> float:
        """Count an attempt; raise TooManyRequests if none is allowed from this network now."""
        now, known = self._clock.now(), self._guess(account, network)
        wait_s = known.wait_s(now)
        if wait_s:
            raise TooManyRequests("too many wrong passwords; wait before the next try", wait_s)
        following = known.after_attempt(now)
        self._put(account, network, following)
        return following.wait_s(now)

    async def succeed(self, account: str, network: str) -> None:
        """Record that the last attempt was correct."""
        self._put(account, network, self._guess(account, network).succeeded(self._clock.now()))

    def _guess(self, account: str, network: str) -> Guess:
        attempts = self._database.attempts
        here = attempts.get((account, network), Attempts())
        return Guess(here, attempts.get((account, ""), Attempts()))

    def _put(self, account: str, network: str, guess: Guess) -> None:
        self._database.attempts[account, network] = guess.here
        self._database.attempts[account, ""] = guess.strangers


class MemoryPasswordHasher(PasswordHasher):
    """A fast hasher that counts its checks; it renews hashes that start with `old`."""

    def __init__(self) -> None:
        self.checks = 0

    async def hash(self, password: str) -> str:
        """Return the hash to store instead of the password."""
        return f"new {_digest(password)}"

    async def verify(self, password: str, hashed: str | None) -> Verified:
        """Return whether the password has this hash."""
        self.checks += 1
        version, _, digest = (hashed or "").partition(" ")
        if digest != _digest(password):
            return Verified(ok=False)
        return Verified(ok=True, renewed=await self.hash(password) if version == "old" else None)

    def is_common(self, password: str) -> bool:
        """Return whether the password is a common one."""
        return password.lower() == "password"


class MemoryTokens(Tokens):
    """Tokens that hold their claims unsigned."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def issue(self, claims: Claims) -> str:
        """Return an access token with these claims."""
        return base64.urlsafe_b64encode(msgspec.json.encode(claims)).decode()

    def read(self, token: str) -> Claims:
        """Return the claims of an access token; raise InvalidToken unless it is valid."""
        try:
            claims = msgspec.json.decode(base64.urlsafe_b64decode(token), type=Claims)
        except (ValueError, msgspec.DecodeError) as error:
            raise InvalidToken("this is not one of our tokens") from error
        if claims.expires_at <= self._clock.now():
            raise InvalidToken("this token has expired")
        return claims

    def successor(self, token: str) -> str:
        """Return the refresh token that follows this one."""
        return _digest(token)


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
