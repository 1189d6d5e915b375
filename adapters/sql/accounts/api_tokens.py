"""API tokens in SQL."""

from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import bindparam, delete, func, insert, select, true, update

from adapters.sql.accounts.generations import GENERATION, is_current, key_values
from adapters.sql.engine.database import Database, Row, named_row
from adapters.sql.schema.tables import api_tokens, users
from application.ports.accounts import ApiTokens
from domain.sessions import ApiToken
from domain.times import to_micros
from domain.users import ALL_SCOPES, scope_text, scopes_in

_COLUMNS = ("id", "user", "name", "digest", "created_at", "version", "scope") + (
    _ENDS := ("expires_at", "last_used_at")
)
_TIMES = ("created_at", *_ENDS)
_ADD = insert(api_tokens).values(
    {name: bindparam(name) for name in _COLUMNS} | {"generation": GENERATION}
)
_TOKENS = select(*(api_tokens.c[name] for name in _COLUMNS)).where(is_current(api_tokens))
_FIND = _TOKENS.where(api_tokens.c.digest == bindparam("of"))
_OF = _TOKENS.where(api_tokens.c.user == bindparam("of")).order_by(api_tokens.c.id)
#: Held until the transaction ends, so that of two tokens added at once one counts the other.
_LOCK_USER = select(users.c.key).where(users.c.key == bindparam("of")).with_for_update()
_COUNT = (
    select(func.count())
    .select_from(api_tokens)
    .where(is_current(api_tokens), api_tokens.c.user == bindparam("of"))
)
_REVOKE = {
    is_one: delete(api_tokens).where(
        api_tokens.c.id == bindparam("token") if is_one else true(),
        api_tokens.c.user == bindparam("of"),
    )
    for is_one in (True, False)
}
_NOTE_USE = (
    update(api_tokens)
    .where(api_tokens.c.id == bindparam("token"))
    .values(last_used_at=bindparam("at"))
)


class SqlApiTokens(ApiTokens):
    """API tokens in a SQL database; `key_id` identifies the secret key."""

    def __init__(self, database: Database, key_id: str) -> None:
        self._database = database
        self._key = key_values(key_id)

    async def add(self, token: ApiToken, most: int | None = None) -> bool:
        """Store a new token, unless its user has `most` already."""
        async with self._database.write() as session:
            if most is not None:
                await session.rows(_LOCK_USER, {"of": token.user})
                [[count]] = await session.rows(_COUNT, {"of": token.user, **self._key})
                if count >= most:
                    return False
            await session.run(_ADD, {**_row_of(token), **self._key})
        return True

    async def find(self, digest: str) -> ApiToken | None:
        """Return the valid token whose text has this digest, None if there is none."""
        [rows] = await self._database.snapshot([(_FIND, {"of": digest, **self._key})])
        return _api_token(rows[0]) if rows else None

    async def of(self, user: str) -> list[ApiToken]:
        """Return a user's tokens, oldest first."""
        [rows] = await self._database.snapshot([(_OF, {"of": user, **self._key})])
        return [_api_token(row) for row in rows]

    async def revoke(self, user: str, token_id: str | None = None) -> int:
        """Revoke a token of that user, or all of them; return how many there were."""
        named = {"of": user, "token": token_id}
        async with self._database.write() as session:
            revoked = await session.run(_REVOKE[token_id is not None], named)
            if revoked:
                await session.note_change()
        return revoked

    async def note_use(self, token_id: str, at: datetime) -> None:
        """Store when a token was last used."""
        async with self._database.write(durable=False) as session:
            await session.run(_NOTE_USE, {"token": token_id, "at": to_micros(at)})


def _row_of(token: ApiToken) -> dict[str, Any]:
    row = msgspec.structs.asdict(token)
    scopes = row.pop("scopes")
    row["scope"] = None if scopes == ALL_SCOPES else scope_text(scopes)
    return row | {name: to_micros(row[name]) for name in _TIMES}


def _api_token(row: Row) -> ApiToken:
    named = named_row(_COLUMNS, row, _TIMES)
    scope = named.pop("scope")
    return ApiToken(**named, scopes=ALL_SCOPES if scope is None else scopes_in(scope))
