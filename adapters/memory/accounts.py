"""Accounts in memory."""

import msgspec

from adapters.memory.database import MemoryDatabase, RefreshToken
from application.ports.accounts import Accounts, ApiTokens, Sessions
from application.ports.system import Clock
from domain.errors import InvalidToken, NameTaken
from domain.sessions import ApiToken, Session, is_replay
from domain.users import User, key_of


class MemoryAccounts(Accounts):
    """Keeps users in a memory database."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database

    async def add(self, user: User) -> None:
        """Keep a new user."""
        if user.key in self._database.users:
            raise NameTaken(f"there is a user {user.name!r} already")
        self._put(user)

    async def get(self, name: str) -> User | None:
        """The user of that name."""
        return self._database.users.get(key_of(name))

    async def replace(self, seen: User, changed: User) -> bool:
        """Put a changed user in place."""
        if self._database.users.get(seen.key) != seen:
            return False
        self._put(changed)
        return True

    def _put(self, user: User) -> None:
        self._database.users[user.key] = user
        self._database.writes += 1


class MemorySessions(Sessions):
    """Keeps sessions in a memory database."""

    def __init__(self, database: MemoryDatabase, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def open(self, session: Session, digest: str) -> None:
        """Keep a new session with its first refresh token."""
        self._database.sessions[session.id] = session
        self._database.refresh_tokens[digest] = RefreshToken(session.id)

    async def rotate(self, digest: str, successor: str) -> Session:
        """Use a refresh token; used again too late, it ends the session."""
        now, token = self._clock.now(), self._database.refresh_tokens.get(digest)
        session = self._database.sessions[token.session] if token else None
        if token is None or session is None or not session.is_open(now):
            raise InvalidToken("this session has ended; log in again")
        if is_replay(token.used_at, now):
            self._end(session.id)
            raise InvalidToken("this refresh token was used before, so its session has ended")
        token.used_at = token.used_at or now
        self._database.refresh_tokens.setdefault(successor, RefreshToken(session.id))
        return session

    async def end(self, digest_or_id: str) -> None:
        """End one session."""
        token = self._database.refresh_tokens.get(digest_or_id)
        self._end(token.session if token else digest_or_id)

    async def end_all(self, user: str) -> None:
        """End every session of a user."""
        for session in list(self._database.sessions.values()):
            if session.user == user:
                self._end(session.id)

    async def is_open(self, session_id: str) -> bool:
        """Whether there is such a session, and its tokens still count."""
        session = self._database.sessions.get(session_id)
        return session is not None and session.is_open(self._clock.now())

    def _end(self, session_id: str) -> None:
        session = self._database.sessions.get(session_id)
        if session is not None and session.ended_at is None:
            ended = msgspec.structs.replace(session, ended_at=self._clock.now())
            self._database.sessions[session_id] = ended
            self._database.writes += 1


class MemoryApiTokens(ApiTokens):
    """Keeps API tokens in a memory database."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database

    async def add(self, token: ApiToken) -> None:
        """Keep a new token."""
        self._database.api_tokens[token.id] = token

    async def find(self, digest: str) -> ApiToken | None:
        """The token whose text has this digest."""
        tokens = self._database.api_tokens.values()
        return next((token for token in tokens if token.digest == digest), None)

    async def of(self, user: str) -> list[ApiToken]:
        """A user's tokens, oldest first."""
        return [token for token in self._database.api_tokens.values() if token.user == user]

    async def revoke(self, user: str, token_id: str) -> bool:
        """Take a token of that user's away."""
        token = self._database.api_tokens.get(token_id)
        if token is None or token.user != user:
            return False
        del self._database.api_tokens[token_id]
        self._database.writes += 1
        return True
