"""Sessions and tokens over SQL: a refresh token is used inside one transaction that holds it."""

from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import bindparam, delete, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from adapters.sql.engine.database import Database, Row, named_row
from adapters.sql.engine.dialects import now
from adapters.sql.schema.tables import api_tokens, refresh_tokens, sessions
from application.ports.accounts import ApiTokens, Sessions
from application.ports.system import Clock
from domain.errors import InvalidToken
from domain.sessions import ApiToken, Session, is_replay
from domain.times import from_micros, to_micros

_FIELDS = Session.__struct_fields__

_OPEN = insert(sessions)
_KEEP = upsert(refresh_tokens).on_conflict_do_nothing()
#: Until the transaction ends nobody else can use the token, or end the session.
_FOUND = (
    select(now(), refresh_tokens.c.used_at, *(sessions.c[name] for name in _FIELDS))
    .join(sessions, sessions.c.id == refresh_tokens.c.session)
    .where(refresh_tokens.c.digest == bindparam("of"))
    .with_for_update()
)
_USE = (
    update(refresh_tokens)
    .where(refresh_tokens.c.digest == bindparam("of"), refresh_tokens.c.used_at.is_(None))
    .values(used_at=now())
)
_END = (
    update(sessions)
    .where(sessions.c.id == bindparam("of"), sessions.c.ended_at.is_(None))
    .values(ended_at=now())
)
_SESSION_OF = select(refresh_tokens.c.session).where(refresh_tokens.c.digest == bindparam("of"))
_END_ALL = (
    update(sessions)
    .where(sessions.c.user == bindparam("of"), sessions.c.ended_at.is_(None))
    .values(ended_at=now())
)
_IS_OPEN = select(sessions.c.id).where(
    sessions.c.id == bindparam("of"),
    sessions.c.ended_at.is_(None),
    sessions.c.expires_at > now(),
)


class SqlSessions(Sessions):
    """Keeps sessions in a SQL database."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def open(self, session: Session, digest: str) -> None:
        """Keep a new session with its first refresh token."""
        row = msgspec.structs.asdict(session)
        row = {name: to_micros(v) if isinstance(v, datetime) else v for name, v in row.items()}
        async with self._database.write() as connection:
            await connection.run_all([(_OPEN, row), (_KEEP, _token(digest, session.id))])

    async def rotate(self, digest: str, successor: str) -> Session:
        """Use a refresh token; used again too late, it ends the session."""
        named = self._named(digest)
        async with self._database.write() as connection:
            rows = await connection.rows(_FOUND, named)
            if not rows:
                raise InvalidToken("this session has ended; log in again")
            [[now, used_at, *row]] = rows
            session = _session(row)
            if not session.is_open(from_micros(now)):
                raise InvalidToken("this session has ended; log in again")
            stolen = used_at is not None and is_replay(from_micros(used_at), from_micros(now))
            if stolen:
                await connection.run(_END, self._named(session.id))
                await connection.note_change()
            else:
                kept = _token(successor, session.id)
                await connection.run_all([(_USE, named), (_KEEP, kept)])
        if stolen:
            raise InvalidToken("this refresh token was used before, so its session has ended")
        return session

    async def end(self, digest_or_id: str) -> None:
        """End one session."""
        [rows] = await self._database.snapshot([(_SESSION_OF, {"of": digest_or_id})])
        await self._end(_END, rows[0][0] if rows else digest_or_id)

    async def end_all(self, user: str) -> None:
        """End every session of a user."""
        await self._end(_END_ALL, user)

    async def is_open(self, session_id: str) -> bool:
        """Whether there is such a session, and its tokens still count."""
        [rows] = await self._database.snapshot([(_IS_OPEN, self._named(session_id))])
        return bool(rows)

    async def _end(self, statement: Any, of: str) -> None:
        async with self._database.write() as connection:
            if await connection.run(statement, self._named(of)):
                await connection.note_change()

    def _named(self, of: str) -> dict[str, Any]:
        return {"of": of, "now": self._database.now(self._clock)}


def _token(digest: str, session: str) -> dict[str, Any]:
    return {"digest": digest, "session": session, "used_at": None}


def _session(row: list[Any]) -> Session:
    return Session(**named_row(_FIELDS, row, ("created_at", "expires_at", "ended_at")))


# ---------------------------------------------------------------- tokens of programs

_ADD = insert(api_tokens)
_NAMES = ApiToken.__struct_fields__
_TOKENS = select(*(api_tokens.c[name] for name in _NAMES))
_FIND = _TOKENS.where(api_tokens.c.digest == bindparam("of"))
_OF = _TOKENS.where(api_tokens.c.user == bindparam("of")).order_by(api_tokens.c.id)
_REVOKE = delete(api_tokens).where(
    api_tokens.c.id == bindparam("token"), api_tokens.c.user == bindparam("of")
)


class SqlApiTokens(ApiTokens):
    """Keeps API tokens in a SQL database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, token: ApiToken) -> None:
        """Keep a new token."""
        row = msgspec.structs.asdict(token) | {"created_at": to_micros(token.created_at)}
        async with self._database.write() as session:
            await session.run(_ADD, row)

    async def find(self, digest: str) -> ApiToken | None:
        """The token whose text has this digest."""
        [rows] = await self._database.snapshot([(_FIND, {"of": digest})])
        return _api_token(rows[0]) if rows else None

    async def of(self, user: str) -> list[ApiToken]:
        """A user's tokens, oldest first."""
        [rows] = await self._database.snapshot([(_OF, {"of": user})])
        return [_api_token(row) for row in rows]

    async def revoke(self, user: str, token_id: str) -> bool:
        """Take a token of that user's away."""
        async with self._database.write() as session:
            revoked = await session.run(_REVOKE, {"of": user, "token": token_id})
            if revoked:
                await session.note_change()
        return bool(revoked)


def _api_token(row: Row) -> ApiToken:
    return ApiToken(**named_row(_NAMES, row, ("created_at",)))
