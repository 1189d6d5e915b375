"""Migration: bring a database to what this version of the program expects, under a lock.

Alembic owns the system tables; the table of a dataset follows from its `Dataset` value.
"""

import secrets
from collections.abc import AsyncIterator, Sequence
from typing import Any

import msgspec
from sqlalchemy import (
    ClauseElement,
    MetaData,
    Select,
    Table,
    bindparam,
    column,
    insert,
    literal,
    select,
    table,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.schema import CreateIndex, CreateTable, DropTable

from adapters.sql.engine.database import Database, SqlSession
from adapters.sql.engine.dialects import AddColumn, RenameTable, has_table
from adapters.sql.schema.dataset_tables import layout_of, table_of
from adapters.sql.schema.tables import datasets, meta
from domain.dataset import Dataset
from domain.errors import StoreUnavailable

#: The newest revision under migrations/versions; known here so that Alembic, which takes long to
#: import, is needed only when there is something to apply.
HEAD = "0007"

_DATABASE_ID = select(meta.c.value).where(meta.c.name == "epoch")
_NAME_DATABASE = (
    upsert(meta).values(name="epoch", value=bindparam("drawn")).on_conflict_do_nothing()
)
_HAS_REVISION = select(has_table("alembic_version"))
_REVISION: Select[Any] = select(column("version_num")).select_from(table("alembic_version"))
_LAYOUT = select(datasets.c.layout).where(datasets.c.name == bindparam("of"))
_DECLARE = insert(datasets).values(name=bindparam("of"), seq=0, layout=bindparam("drawn"))
_CHANGE = (
    update(datasets)
    .where(datasets.c.name == bindparam("of"))
    # Readers must not take what they saw of the old rows for what is there now.
    .values(layout=bindparam("drawn"), seq=datasets.c.seq + 1)
)


async def migrate(database: Database, declared: Sequence[Dataset[Any]]) -> list[str]:
    """Migrate a database, making it if it is a file; says what was done, nothing when all was done.

    Several processes may start at once: one does the work while the others wait for its lock.
    """
    async with database.migration() as session:
        done = [line async for line in _system(session, database.engine)]
        done += [line for dataset in declared async for line in _dataset(session, dataset)]
        if done:
            await session.note_change()
        return done


async def database_id_of(database: Database) -> str:
    """The database's random name, part of every ETag, so that a new database has other ones."""
    [[[value]]] = await database.snapshot([(_DATABASE_ID, {})])
    return str(value)


# ---------------------------------------------------------------- system tables


async def _system(session: SqlSession, engine: str) -> AsyncIterator[str]:
    revision = await _revision(session)
    if revision == HEAD:
        return
    if revision is not None and revision > HEAD:
        raise StoreUnavailable(
            f"this database was made by a newer version ({revision}, and we know {HEAD})"
        )
    from adapters.sql.schema.migrations.upgrade import steps

    for step in steps(revision, HEAD, engine):
        await session.run(text(step.replace(":", r"\:")), {})
    await session.run(_NAME_DATABASE, {"drawn": secrets.token_hex(8)})
    yield f"system tables: {revision or 'none'} -> {HEAD}"


async def _revision(session: SqlSession) -> str | None:
    [[exists]] = await session.rows(_HAS_REVISION, {})
    rows = await session.rows(_REVISION, {}) if exists else []
    return str(rows[0][0]) if rows else None


# ---------------------------------------------------------------- dataset tables


async def _dataset(session: SqlSession, dataset: Dataset[Any]) -> AsyncIterator[str]:
    named = {"of": dataset.name, "drawn": layout_of(dataset)}
    known = await session.rows(_LAYOUT, named)
    if not known:
        await _create(session, table_of(dataset))
        await session.run(_DECLARE, named)
        yield f"table of {dataset.name}: created"
    elif known[0][0] != named["drawn"]:
        await _change(session, dataset, msgspec.json.decode(known[0][0]))
        await session.run(_CHANGE, named)
        yield f"table of {dataset.name}: changed; the next fetch reads kept payloads again"


async def _create(session: SqlSession, made: Table) -> None:
    await _run_all(session, CreateTable(made), *map(CreateIndex, made.indexes))


async def _change(session: SqlSession, dataset: Dataset[Any], old: dict[str, Any]) -> None:
    changed, columns = table_of(dataset), old["columns"]
    same_key = tuple(old["key"]) == dataset.key
    kept = [n for n, f in dataset.fields.items() if columns.get(n) == str(f.type)]
    if same_key and len(kept) == len(columns) and old["indexes"] == _listed(dataset):
        added = [changed.c[name] for name in dataset.fields if name not in columns]
        await _run_all(session, *map(AddColumn, added))
        return
    await _rebuild(session, dataset, kept if same_key and {*dataset.key} <= {*kept} else [])


async def _rebuild(session: SqlSession, dataset: Dataset[Any], kept: list[str]) -> None:
    """Build the table anew; what still fits is carried over until it is read again."""
    old = table_of(dataset)
    # No dataset's name has two underscores, so this one is free.
    new = old.to_metadata(MetaData(), name=f"{old.name}__new")
    await _run_all(session, CreateTable(new))
    if kept:
        names = [*kept, "_source", "_receipt", "_seq", "_hash"]
        # A row that has lost a value must be written again, even by the record it came from.
        is_whole = {*kept} == {*dataset.fields}
        hash_ = old.c._hash if is_whole else literal(0, old.c._hash.type)
        carried = select(*(old.c[name] for name in names[:-1]), hash_)
        await session.run(insert(new).from_select(names, carried), {})
    # The names of indexes are free again once the old table is gone.
    await _run_all(session, DropTable(old), RenameTable(new, old), *map(CreateIndex, old.indexes))


async def _run_all(session: SqlSession, *statements: ClauseElement) -> None:
    for statement in statements:
        await session.run(statement, {})


def _listed(dataset: Dataset[Any]) -> list[list[str]]:
    return [list(index) for index in dataset.whole_indexes]
