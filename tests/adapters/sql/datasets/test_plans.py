"""Queries declared fast are fast: no full scan and no sort step, on either engine.

Every index of every dataset is tried: equal values for its first fields, the order of the rest in
both directions, with a range, on the first page and after a cursor. The rows differ in their key
alone, so that a plan that does not find the exact position reads many rows in vain.
"""

import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from adapters.sql.datasets.queries import Shape, page_values, statements_of
from adapters.sql.engine.database import BoundStatement, Compiler
from adapters.sql.engine.postgres.database import DIRECT, postgres_compiler
from adapters.sql.engine.sqlite.connections import connect
from adapters.sql.engine.sqlite.database import SqliteDatabase, sqlite_compiler
from adapters.sql.schema.migrate import migrate
from domain.dataset import Dataset
from domain.fields import Field, FieldType
from domain.filters import Condition, Filter, Operator, operators_of
from domain.paging import PageRequest, Sort
from tests.contract.backends import DATASETS
from tests.services.postgres import administering, migrated_database

ROWS = 4000
LIMIT = 10
#: SQLite's virtual machine takes about thirty steps for a row, and a few to find the first one.
MOST_STEPS = 1000

_TIME = datetime(2026, 1, 1, tzinfo=UTC)
_MICROS = int(_TIME.timestamp()) * 1_000_000
#: The value of every row, in the domain and in SQL.
_VALUES: dict[FieldType, tuple[Any, str]] = {
    FieldType.INTEGER: (2000, "2000"),
    FieldType.NUMBER: (2000.0, "2000.0"),
    FieldType.BOOLEAN: (True, "(1 = 1)"),
    FieldType.TIME: (_TIME, str(_MICROS)),
    FieldType.TEXT: ("2000", "'2000'"),
    FieldType.TEXTS: ((), "'[]'"),
}

#: Values far below and far above it.
_BOUNDS: dict[FieldType, tuple[Any, Any]] = {
    FieldType.INTEGER: (1, 10_000),
    FieldType.NUMBER: (1.0, 10_000.0),
    FieldType.TIME: (datetime(2000, 1, 1, tzinfo=UTC), datetime(2050, 1, 1, tzinfo=UTC)),
    FieldType.TEXT: ("", "a"),
}

every_dataset = pytest.mark.parametrize("dataset", DATASETS, ids=lambda dataset: dataset.name)


@every_dataset
async def test_sqlite_reads_fast_queries_by_an_index(dataset: Dataset[Any], tmp_path: Path) -> None:
    database = SqliteDatabase(tmp_path / "full.db")
    await migrate(database, [dataset])
    connection, compiler = connect(database.path), sqlite_compiler()
    connection.execute(f"{_filling(dataset)} FROM {_NUMBERS['sqlite']}")

    for request in _requests(dataset):
        statements = _compiled(compiler, "sqlite", dataset, request)
        plans = [_sqlite_plan(connection, statement) for statement in statements]
        assert not [plan for plan in plans if "TEMP B-TREE" in plan], _named(dataset, request)
        if request.filter.conditions or request.cursor:
            assert all("SEARCH" in plan for plan in plans), (_named(dataset, request), plans)
        assert _steps(connection, statements, request) < MOST_STEPS, _named(dataset, request)
    connection.close()
    await database.close()


@every_dataset
async def test_postgresql_reads_fast_queries_by_an_index(dataset: Dataset[Any]) -> None:
    compiler = postgres_compiler()
    async with migrated_database((dataset,)) as url, administering(url) as connection:
        for name, value in DIRECT.items():
            await connection.execute(f"SET {name} TO {value}")
        await connection.execute(f"{_filling(dataset)} FROM {_NUMBERS['postgresql']}")

        for request in _requests(dataset):
            for statement in _compiled(compiler, "postgresql", dataset, request):
                await connection.execute(f"PREPARE page AS {statement.text}")
                values = ", ".join("NULL" for _ in statement.values)
                lines = await connection.fetch(f"EXPLAIN EXECUTE page({values})")
                await connection.execute("DEALLOCATE page")
                plan = "\n".join(line for [line] in lines)
                shown = f"{_named(dataset, request)}\n{plan}"
                assert plan.startswith("Limit"), shown
                assert not [word for word in ("Sort", "Seq Scan", "Bitmap") if word in plan], shown
                if request.filter.conditions or request.cursor:
                    assert "Index Cond" in plan, shown


# ---------------------------------------------------------------- requests


def _requests(dataset: Dataset[Any]) -> Iterator[PageRequest]:
    """Yield the requests of every index: first page, after a record, after the last value."""
    row = dataset.row(*map(_value, dataset.fields.values()))
    for request in _fast(dataset):
        assert dataset.answers_fast(request.filter, request.sort.names)
        yield request
        yield msgspec.structs.replace(request, cursor=request.cursor_after(row))
        first = request.sort.terms[0].field
        if first.nullable:
            missing = msgspec.structs.replace(row, **{first.name: None})
            yield msgspec.structs.replace(request, cursor=request.cursor_after(missing))


def _fast(dataset: Dataset[Any]) -> Iterator[PageRequest]:
    for index in (dataset.key, *dataset.whole_indexes):
        for equal in range(len(index) + 1):
            same = tuple(_condition(dataset, name, Operator.EQ) for name in index[:equal])
            for sign in ("", "-"):
                order = ",".join(f"{sign}{name}" for name in index[equal:] or dataset.key)
                sort = Sort.parse(dataset, order)
                yield PageRequest(filter=Filter(same), sort=sort, limit=LIMIT)
                if Operator.BETWEEN in operators_of(sort.terms[0].field) and index[equal:]:
                    field = dataset.fields[index[equal]]
                    ranged = Condition(field, Operator.BETWEEN, _BOUNDS[field.type])
                    yield PageRequest(filter=Filter((*same, ranged)), sort=sort, limit=LIMIT)


def _condition(dataset: Dataset[Any], name: str, operator: Operator) -> Condition:
    field = dataset.fields[name]
    return Condition(field, operator, _value(field))


def _value(field: Field) -> Any:
    return field.choices[0] if field.choices else _VALUES[field.type][0]


def _named(dataset: Dataset[Any], request: PageRequest) -> str:
    after = f" after {request.cursor.position}" if request.cursor else ""
    return f"{dataset.name}: {request.filter.format()} by {request.sort.text}{after}"


# ---------------------------------------------------------------- rows

_NUMBERS = {
    "sqlite": f"(WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {ROWS})"
    " SELECT n FROM s)",
    "postgresql": f"generate_series(1, {ROWS}) n",
}


def _filling(dataset: Dataset[Any]) -> str:
    """Return an INSERT of rows that differ in the last field of their key only."""
    own = [_column(dataset, field) for field in list(dataset.fields.values())[:-1]]
    return f"INSERT INTO d_{dataset.name} SELECT {', '.join(own)}, 's', 1, 1, 1, {_MICROS}"


def _column(dataset: Dataset[Any], field: Field) -> str:
    if field.name == dataset.key[-1]:
        return "n" if field.type is FieldType.INTEGER else "CAST(n AS TEXT)"
    return f"'{field.choices[0]}'" if field.choices else _VALUES[field.type][1]


# ---------------------------------------------------------------- statements


def _compiled(
    compiler: Compiler, engine: str, dataset: Dataset[Any], request: PageRequest
) -> list[BoundStatement]:
    statements = statements_of(engine, dataset, Shape.of(request))
    assert statements.fast
    values = page_values(request)
    return [compiler.bind(segment, values) for segment in statements.segments]


def _sqlite_plan(connection: sqlite3.Connection, statement: BoundStatement) -> str:
    rows = connection.execute(f"EXPLAIN QUERY PLAN {statement.text}", statement.values)
    return "\n".join(row[3] for row in rows)


def _steps(
    connection: sqlite3.Connection, statements: list[BoundStatement], request: PageRequest
) -> int:
    """Return how many steps SQLite takes to read one page, segment by segment."""
    steps = rows = 0

    def step() -> int:
        nonlocal steps
        steps += 1
        return 0

    connection.set_progress_handler(step, 1)
    for statement in statements:
        if rows <= request.limit:
            rows += len(connection.execute(statement.text, statement.values).fetchall())
    connection.set_progress_handler(None, 1)
    return steps
