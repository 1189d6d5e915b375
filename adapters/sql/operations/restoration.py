"""Restoration in SQL: one transaction renames the database and ends what it had let in."""

from sqlalchemy import bindparam, delete, true, update

from adapters.sql.accounts.generations import is_current, key_values
from adapters.sql.engine.database import Database
from adapters.sql.engine.dialects import now
from adapters.sql.schema.tables import api_tokens, meta, sessions
from application.ports.operations import Renewed, Restoration
from application.ports.system import Clock

_END = (
    update(sessions)
    .where(sessions.c.ended_at.is_(None), sessions.c.expires_at > now(), is_current(sessions))
    .values(ended_at=now())
)
_REVOKE = delete(api_tokens).where(true())
_KEEP = (
    update(api_tokens)
    .where(is_current(api_tokens))
    .values(generation=bindparam("new", type_=meta.c.value.type) + bindparam("key_id"))
)
_RENAME = update(meta).where(meta.c.name == "epoch").values(value=bindparam("new"))


class SqlRestoration(Restoration):
    """The renewal of a SQL database; `key_id` identifies the secret key."""

    def __init__(self, database: Database, clock: Clock, key_id: str) -> None:
        self._database = database
        self._clock = clock
        self._key = key_values(key_id)

    async def renew(self, database_id: str, keep_tokens: bool) -> Renewed:
        """Give the database another identifier; end sessions and, unless kept, API tokens."""
        values = {"new": database_id, "now": self._database.now(self._clock), **self._key}
        async with self._database.write() as session:
            ended = await session.run(_END, values)
            tokens = await session.run(_KEEP if keep_tokens else _REVOKE, values)
            await session.run(_RENAME, values)
            await session.note_change()
        return Renewed(sessions=ended, tokens=0 if keep_tokens else tokens)
