"""Migration: bring a database to what this version of the program expects, under a lock.

Alembic owns the system tables; the table of a dataset follows from its `Dataset` value.
"""

import secrets
import sqlite3
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import Table
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.schema import CreateColumn, CreateIndex, CreateTable

from adapters.sql.dataset_tables import layout_of, table_of
from adapters.sql.sqlite_connections import BUSY_S, connect, translated
from domain.dataset import Dataset
from domain.errors import StoreUnavailable

#: The newest revision under migrations/versions; known here so that Alembic, which takes long to
#: import, is needed only when there is something to apply.
HEAD = "0001"

_DIALECT = SQLiteDialect_pysqlite()


def migrate(path: Path, declared: Sequence[Dataset[Any]]) -> list[str]:
    """Migrate a SQLite file, making it if needed; says what was done, nothing when all was done.

    Several processes may start at once: one does the work while the others wait for its lock.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreUnavailable(f"{path} cannot be made ({error.strerror})") from error
    connection = connect(path)
    try:
        with translated():
            _write_ahead(connection)
            connection.execute("BEGIN IMMEDIATE")
            done = [*_system(connection), *_tables(connection, declared)]
            connection.execute("COMMIT")
            return done
    finally:
        connection.close()


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Choose write-ahead logging, which the file remembers; SQLite itself does not wait here."""
    until = time.monotonic() + BUSY_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(0.02)


def epoch_of(path: Path) -> str:
    """The database's random name, part of every ETag: a restored or new database has another."""
    connection = connect(path, read_only=True)
    try:
        with translated():
            [value] = connection.execute("SELECT value FROM meta WHERE name = 'epoch'").fetchone()
            return str(value)
    finally:
        connection.close()


# ---------------------------------------------------------------- system tables


def _system(connection: sqlite3.Connection) -> Iterable[str]:
    revision = _revision(connection)
    if revision == HEAD:
        return
    if revision is not None and revision > HEAD:
        raise StoreUnavailable(
            f"this database was made by a newer version ({revision}, and we know {HEAD})"
        )
    from adapters.sql.migrations.upgrade import upgrade

    upgrade(connection, HEAD)
    connection.execute(
        "INSERT OR IGNORE INTO meta (name, value) VALUES ('epoch', ?)", [secrets.token_hex(8)]
    )
    yield f"system tables: {revision or 'none'} -> {HEAD}"


def _revision(connection: sqlite3.Connection) -> str | None:
    exists = "SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'"
    if not connection.execute(exists).fetchone():
        return None
    row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return str(row[0]) if row else None


# ---------------------------------------------------------------- dataset tables


def _tables(connection: sqlite3.Connection, declared: Sequence[Dataset[Any]]) -> Iterable[str]:
    for dataset in declared:
        known = "SELECT layout FROM datasets WHERE name = ?"
        row = connection.execute(known, [dataset.name]).fetchone()
        layout = layout_of(dataset)
        if row is None:
            _create(connection, table_of(dataset))
            connection.execute("INSERT INTO datasets VALUES (?, 0, ?)", [dataset.name, layout])
            yield f"table of {dataset.name}: created"
        elif row[0] != layout:
            _change(connection, dataset, msgspec.json.decode(row[0]))
            # Readers must not take what they saw of the old rows for what is there now.
            change = "UPDATE datasets SET layout = ?, seq = seq + 1 WHERE name = ?"
            connection.execute(change, [layout, dataset.name])
            yield f"table of {dataset.name}: changed; the next fetch reads kept payloads again"


def _create(connection: sqlite3.Connection, table: Table) -> None:
    connection.execute(str(CreateTable(table).compile(dialect=_DIALECT)))
    for index in table.indexes:
        connection.execute(str(CreateIndex(index).compile(dialect=_DIALECT)))


def _change(connection: sqlite3.Connection, dataset: Dataset[Any], old: dict[str, Any]) -> None:
    table, columns = table_of(dataset), old["columns"]
    same_key = tuple(old["key"]) == dataset.key
    kept = [n for n, f in dataset.fields.items() if columns.get(n) == str(f.type)]
    if same_key and len(kept) == len(columns) and old["indexes"] == _listed(dataset):
        for name in [name for name in dataset.fields if name not in columns]:
            column = CreateColumn(table.c[name]).compile(dialect=_DIALECT)
            connection.execute(f"ALTER TABLE {table.name} ADD COLUMN {column}")
        return
    _rebuild(connection, dataset, kept if same_key and {*dataset.key} <= {*kept} else [])


def _rebuild(connection: sqlite3.Connection, dataset: Dataset[Any], kept: list[str]) -> None:
    """Build the table anew; what still fits is carried over until it is read again."""
    table = table_of(dataset)
    # No dataset's name has two underscores, so this one is free.
    old = f"{table.name}__old"
    connection.execute(f"ALTER TABLE {table.name} RENAME TO {old}")
    for [index] in connection.execute(
        "SELECT name FROM sqlite_master WHERE type = 'index' AND tbl_name = ? AND sql NOT NULL",
        [old],
    ).fetchall():
        connection.execute(f"DROP INDEX {index}")
    _create(connection, table)
    if kept:
        quoted = _DIALECT.identifier_preparer.quote
        names = ", ".join(map(quoted, [*kept, "_source", "_receipt", "_hash", "_seq"]))
        carry = f"INSERT INTO {table.name} ({names}) SELECT {names} FROM {old}"  # noqa: S608
        connection.execute(carry)
    connection.execute(f"DROP TABLE {old}")


def _listed(dataset: Dataset[Any]) -> list[list[str]]:
    return [list(index) for index in dataset.whole_indexes]
