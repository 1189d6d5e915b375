"""Accounts over SQL."""

from typing import Any

from sqlalchemy import bindparam, func, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from adapters.sql.engine.database import Database, Row, named_row
from adapters.sql.engine.dialects import in_binary_order
from adapters.sql.schema.tables import meta, users
from application.ports.accounts import Accounts
from domain.dataset import Role
from domain.errors import NameTaken
from domain.times import to_micros
from domain.users import User, full, key_of

_NAMES = tuple(users.c.keys())
_ADD = upsert(users).on_conflict_do_nothing()
#: A lock until the transaction ends, so that concurrent registrations count each other.
_LOCK = select(meta.c.name).where(meta.c.name == "epoch").with_for_update()
_COUNT = select(func.count()).select_from(users)
_GET = select(users).where(users.c.key == bindparam("of"))
_PAGE = (
    select(users)
    .where(in_binary_order(users.c.key) > bindparam("after"))
    .order_by(in_binary_order(users.c.key))
    .limit(bindparam("limit"))
)
_REPLACE = (
    update(users)
    .where(
        users.c.key == bindparam("of"),
        users.c.version == bindparam("seen_version"),
        users.c.password == bindparam("seen_password"),
        users.c.disabled == bindparam("seen_disabled"),
        users.c.role == bindparam("seen_role"),
        users.c.token_version == bindparam("seen_token_version"),
    )
    .values({name: bindparam(f"new_{name}") for name in _NAMES})
)


class SqlAccounts(Accounts):
    """Users in a SQL database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, user: User, most: int | None = None) -> None:
        """Store a new user, unless the name is taken or there are too many."""
        async with self._database.write() as session:
            if most is not None:
                await session.rows(_LOCK, {})
                [[count]] = await session.rows(_COUNT, {})
                if count >= most:
                    raise full(most)
            if not await session.run(_ADD, _row_of(user)):
                raise NameTaken(f"there is a user {user.name!r} already")
            await session.note_change()

    async def get(self, name: str) -> User | None:
        """Return the user of that name, or None."""
        [rows] = await self._database.snapshot([(_GET, {"of": key_of(name)})])
        return _user(rows[0]) if rows else None

    async def page(self, limit: int, after: str = "") -> list[User]:
        """Return up to `limit` users whose keys come after this one, in the order of the keys."""
        [rows] = await self._database.snapshot([(_PAGE, {"after": after, "limit": limit})])
        return [_user(row) for row in rows]

    async def replace(self, seen: User, changed: User) -> bool:
        """Replace a user and return True; False if the user has changed meanwhile."""
        named = {
            "of": seen.key,
            "seen_version": seen.version,
            "seen_password": seen.password,
            "seen_disabled": seen.disabled,
            "seen_role": seen.role.value,
            "seen_token_version": seen.token_version,
            **{f"new_{name}": value for name, value in _row_of(changed).items()},
        }
        async with self._database.write() as session:
            replaced = await session.run(_REPLACE, named)
            await session.note_change()
        return bool(replaced)


def _user(row: Row) -> User:
    named = named_row(_NAMES, row, ("created_at",))
    del named["key"]
    named["role"] = Role(named["role"])
    named["disabled"] = bool(named["disabled"])
    return User(**named)


def _row_of(user: User) -> dict[str, Any]:
    return {
        "key": user.key,
        "name": user.name,
        "role": user.role.value,
        "password": user.password,
        "disabled": user.disabled,
        "version": user.version,
        "token_version": user.token_version,
        "created_at": to_micros(user.created_at),
    }
