"""Migration: bring a database to the schema of this version, under a lock.

Alembic migrates the system tables; the table of a dataset is derived from its `Dataset` value.
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
from adapters.sql.schema.sql_dataset import SqlDataset
from adapters.sql.schema.tables import datasets, meta
from application.ports.datasets import Tables
from domain.dataset import Dataset
from domain.errors import StoreUnavailable
from domain.layouts import Layout

#: The newest revision under migrations/versions, repeated here so that Alembic, which is slow to
#: import, is needed only when there is a revision to apply.
HEAD = "0011"

_GET_DATABASE_ID = select(meta.c.value).where(meta.c.name == "epoch")
_PUT_DATABASE_ID = (
    upsert(meta).values(name="epoch", value=bindparam("new")).on_conflict_do_nothing()
)
_HAS_REVISION = select(has_table("alembic_version"))
_REVISION: Select[Any] = select(column("version_num")).select_from(table("alembic_version"))
_LAYOUT = select(datasets.c.layout).where(datasets.c.name == bindparam("of"))
_LOCK = _LAYOUT.with_for_update()
_DECLARE = insert(datasets).values(name=bindparam("of"), seq=0, layout=bindparam("new"))
_CHANGE = (
    update(datasets)
    .where(datasets.c.name == bindparam("of"))
    # The number moves so that readers do not use what they have cached of the old rows.
    .values(layout=bindparam("new"), seq=datasets.c.seq + 1)
)


async def migrate(database: Database, declared: Sequence[Dataset[Any]]) -> list[str]:
    """Migrate a database, creating it if it is a file, and return a line for each change made.

    Several processes may start at once: one migrates while the others wait for its lock.
    """
    async with database.migration() as session:
        done = [line async for line in _system(session, database.engine)]
        done += await _prepared(database, session, declared)
        if done:
            await session.note_change()
        return done


async def database_id_of(database: Database) -> str:
    """Return the database's random identifier, which makes the ETags of each database its own."""
    [[[value]]] = await database.snapshot([(_GET_DATABASE_ID, {})])
    return str(value)


# ---------------------------------------------------------------- system tables


async def _system(session: SqlSession, engine: str) -> AsyncIterator[str]:
    revision = await _revision(session)
    if revision == HEAD:
        return
    if revision is not None and revision > HEAD:
        raise StoreUnavailable(
            f"this database was made by a newer version ({revision}, this one knows {HEAD})"
        )
    from adapters.sql.schema.migrations.upgrade import steps

    for step in steps(revision, HEAD, engine):
        await session.run(text(step.replace(":", r"\:")), {})
    await session.run(_PUT_DATABASE_ID, {"new": secrets.token_hex(8)})
    yield f"system tables: {revision or 'none'} -> {HEAD}"


async def _revision(session: SqlSession) -> str | None:
    [[exists]] = await session.rows(_HAS_REVISION, {})
    rows = await session.rows(_REVISION, {}) if exists else []
    return str(rows[0][0]) if rows else None


# ---------------------------------------------------------------- dataset tables


class SqlTables(Tables):
    """The tables of datasets in a SQL database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def prepare(self, datasets: Sequence[Dataset[Any]]) -> None:
        """Create or change the tables of datasets, all in one transaction."""
        async with self._database.migration() as session:
            if await _prepared(self._database, session, datasets):
                await session.note_change()


async def _prepared(
    database: Database, session: SqlSession, declared: Sequence[Dataset[Any]]
) -> list[str]:
    done = [await _dataset(database, session, SqlDataset.of(dataset)) for dataset in declared]
    return [line for line in done if line]


async def _dataset(database: Database, session: SqlSession, dataset: SqlDataset) -> str:
    named = {"of": dataset.name, "new": dataset.layout_text}
    known = await session.rows(_LAYOUT, named)
    if not known:
        await _create(session, dataset.table)
        await session.run(_DECLARE, named)
        return f"table of {dataset.name}: created"
    [[layout]] = known
    if layout == dataset.layout_text:
        return ""
    old = msgspec.json.decode(layout, type=Layout)
    grows = old.grows_into(dataset.layout)
    if not grows:
        await database.distrust(session)
    # The row is locked before the table, in the order of a merge, so that neither deadlocks.
    await session.rows(_LOCK, named)
    if grows:
        new = [column for column in dataset.columns if column.name not in old.columns]
        await _run_all(session, *map(AddColumn, new))
    else:
        await _rebuild(session, dataset, old.kept_by(dataset.layout))
    await session.run(_CHANGE, named)
    return f"table of {dataset.name}: changed; the next fetch reads kept payloads again"


async def _create(session: SqlSession, new: Table) -> None:
    await _run_all(session, CreateTable(new), *map(CreateIndex, new.indexes))


async def _rebuild(session: SqlSession, dataset: SqlDataset, kept: Sequence[str]) -> None:
    """Rebuild the table; values that still fit are copied until payloads are read again."""
    old = dataset.table
    # No dataset's name contains two underscores, so this name is free.
    new = old.to_metadata(MetaData(), name=f"{old.name}__new")
    await _run_all(session, CreateTable(new))
    if kept:
        names = [*kept, "_source", "_receipt", "_seq", "_hash"]
        # A row that lost a value must be written again even if its record is unchanged.
        is_whole = {*kept} == {*dataset.layout.columns}
        hash_ = old.c._hash if is_whole else literal(0, old.c._hash.type)
        copied = select(*(old.c[name] for name in names[:-1]), hash_)
        await session.run(insert(new).from_select(names, copied), {})
    # The names of indexes are free again once the old table is dropped.
    await _run_all(session, DropTable(old), RenameTable(new, old), *map(CreateIndex, old.indexes))


async def _run_all(session: SqlSession, *statements: ClauseElement) -> None:
    for statement in statements:
        await session.run(statement, {})
