"""Sessions in SQL; a refresh token is replaced in a transaction that locks it."""

from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import bindparam, insert, select, true, update
from sqlalchemy.dialects.postgresql import insert as upsert

from adapters.sql.accounts.generations import GENERATION, is_current, key_values
from adapters.sql.engine.database import Database, Values, named_row
from adapters.sql.engine.dialects import now
from adapters.sql.schema.tables import refresh_tokens, sessions
from application.ports.accounts import Sessions, UserSessions
from application.ports.system import Clock
from domain.errors import InvalidToken
from domain.sessions import Session, is_replay
from domain.times import from_micros, to_micros

_FIELDS = Session.__struct_fields__
_TIMES = ("created_at", "expires_at", "ended_at", "last_used_at")

_OPEN = insert(sessions).values(
    {name: bindparam(name) for name in _FIELDS} | {"generation": GENERATION}
)
_KEEP = upsert(refresh_tokens).on_conflict_do_nothing()
_following = refresh_tokens.alias("following")
_FOLLOWED_AT = (
    select(_following.c.used_at).where(_following.c.digest == bindparam("next")).scalar_subquery()
)
#: Locked, so that no other transaction uses the token or ends the session.
_FOUND = (
    select(now(), refresh_tokens.c.used_at, _FOLLOWED_AT, *(sessions.c[name] for name in _FIELDS))
    .join(sessions, sessions.c.id == refresh_tokens.c.session)
    .where(refresh_tokens.c.digest == bindparam("of"), is_current(sessions))
    .with_for_update()
)
_USE = (
    update(refresh_tokens)
    .where(refresh_tokens.c.digest == bindparam("of"), refresh_tokens.c.used_at.is_(None))
    .values(used_at=now())
)
_USED = update(sessions).where(sessions.c.id == bindparam("session")).values(last_used_at=now())
_END = (
    update(sessions)
    .where(sessions.c.id == bindparam("of"), sessions.c.ended_at.is_(None))
    .values(ended_at=now())
)
_SESSION_OF = select(refresh_tokens.c.session).where(refresh_tokens.c.digest == bindparam("of"))
_IS_VALID = (sessions.c.ended_at.is_(None), sessions.c.expires_at > now(), is_current(sessions))
_IS_OPEN = select(sessions.c.id).where(sessions.c.id == bindparam("of"), *_IS_VALID)
_OF = (
    select(*(sessions.c[name] for name in _FIELDS))
    .where(sessions.c.user == bindparam("of"), *_IS_VALID)
    .order_by(sessions.c.created_at.desc(), sessions.c.id.desc())
)
_END_ALL = {
    is_one: update(sessions)
    .where(sessions.c.user == bindparam("of") if is_one else true(), *_IS_VALID)
    .values(ended_at=now())
    for is_one in (True, False)
}


class SqlSessions(Sessions, UserSessions):
    """Sessions in a SQL database; `key_id` identifies the secret key."""

    def __init__(self, database: Database, clock: Clock, key_id: str) -> None:
        self._database = database
        self._clock = clock
        self._key = key_values(key_id)

    async def open(self, session: Session, digest: str) -> None:
        """Store a new session with the digest of its first refresh token."""
        row = msgspec.structs.asdict(session)
        row = {name: to_micros(v) if isinstance(v, datetime) else v for name, v in row.items()}
        async with self._database.write() as connection:
            kept = (_KEEP, _token(digest, session.id))
            await connection.run_all([(_OPEN, {**row, **self._key}), kept])

    async def rotate(self, digest: str, successor: str) -> Session:
        """Replace a refresh token by its successor; a repetition after GRACE ends the session."""
        async with self._database.write() as connection:
            named = self._named(digest)
            rows = await connection.rows(_FOUND, {**named, "next": successor})
            if not rows:
                raise InvalidToken("this session has ended; log in again")
            [[now, used_at, followed_at, *row]] = rows
            session = _session(row)
            if not session.is_open(from_micros(now)):
                raise InvalidToken("this session has ended; log in again")
            stolen = is_replay(from_micros(used_at), from_micros(followed_at), from_micros(now))
            if stolen:
                await connection.run(_END, self._named(session.id))
                await connection.note_change()
            else:
                kept = _token(successor, session.id)
                used = {**named, "session": session.id}
                await connection.run_all([(_USE, named), (_USED, used), (_KEEP, kept)])
        if stolen:
            raise InvalidToken("this refresh token was used before, so its session has ended")
        return msgspec.structs.replace(session, last_used_at=from_micros(now))

    async def end(self, digest_or_id: str) -> None:
        """End the session with that identifier or that refresh token, if there is one."""
        [rows] = await self._database.snapshot([(_SESSION_OF, {"of": digest_or_id})])
        async with self._database.write() as connection:
            if await connection.run(_END, self._named(rows[0][0] if rows else digest_or_id)):
                await connection.note_change()

    async def is_open(self, session_id: str) -> bool:
        """Return whether there is such a session and its tokens are valid."""
        [rows] = await self._database.snapshot([(_IS_OPEN, self._named(session_id))])
        return bool(rows)

    async def of(self, user: str) -> list[Session]:
        """Return the user's open sessions, the latest login first."""
        [rows] = await self._database.snapshot([(_OF, self._named(user))])
        return [_session(row) for row in rows]

    async def end_all(self, user: str | None) -> int:
        """End every session of a user, or of all users; return how many were open."""
        async with self._database.write() as connection:
            ended = await connection.run(_END_ALL[user is not None], self._named(user))
            if ended:
                await connection.note_change()
        return ended

    def _named(self, of: str | None) -> Values:
        return {"of": of, "now": self._database.now(self._clock), **self._key}


def _token(digest: str, session: str) -> dict[str, Any]:
    return {"digest": digest, "session": session, "used_at": None}


def _session(row: Any) -> Session:
    return Session(**named_row(_FIELDS, row, _TIMES))
