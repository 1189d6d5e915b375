"""Generations: the database and the secret key that a session or an API token belongs to."""

from sqlalchemy import Column, ColumnElement, Table, bindparam, func, select
from sqlalchemy.dialects.postgresql import insert as upsert

from adapters.sql.engine.database import Database, Values
from adapters.sql.schema.tables import meta

#: The generation of rows without one, which are older than the column or by an older process.
_FIRST = "first_generation"


def _named(name: str) -> ColumnElement[str]:
    return select(meta.c.value).where(meta.c.name == name).scalar_subquery()


#: The current generation; a statement with it needs the value `key_id`, see `key_values`.
GENERATION: ColumnElement[str] = _named("epoch") + bindparam("key_id", type_=meta.c.value.type)
_KNOWN = select(meta.c.name).where(meta.c.name == _FIRST)
_BEGIN = upsert(meta).values(name=_FIRST, value=GENERATION).on_conflict_do_nothing()


def key_values(key_id: str) -> Values:
    """Return the values for statements with GENERATION; `key_id` identifies the secret key."""
    return {"key_id": f":{key_id}"}


def is_current(table: Table) -> ColumnElement[bool]:
    """Return whether a row belongs to this database and this key."""
    column: Column[str] = table.c.generation
    return func.coalesce(column, _named(_FIRST)) == GENERATION


async def begin_generations(database: Database, key_id: str) -> None:
    """Record, once in each database, that rows without a generation belong to this key."""
    [rows] = await database.snapshot([(_KNOWN, {})])
    if not rows:
        async with database.write() as session:
            await session.run(_BEGIN, key_values(key_id))
