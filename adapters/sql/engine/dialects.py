"""The few words that SQLite and PostgreSQL spell differently, or SQLAlchemy lacks."""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Integer,
    Table,
    Text,
    bindparam,
)
from sqlalchemy.dialects.postgresql import Insert, insert
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.schema import CreateColumn, ExecutableDDLElement
from sqlalchemy.sql.compiler import DDLCompiler, SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

# ---------------------------------------------------------------- a row in place of another


def replacing(table: Table, where: ColumnElement[bool] | None = None) -> Insert:
    """Insert a row, or put it in place of the one with the same key, if `where` holds for that."""
    put, key = insert(table), [column.key for column in table.primary_key]
    changed = {c.key: put.excluded[c.key] for c in table.c if c.key not in key}
    return put.on_conflict_do_update(index_elements=key, set_=changed, where=where)


# ---------------------------------------------------------------- the present now


class _Now(FunctionElement[int]):
    name = "now"
    type = BigInteger()
    inherit_cache = True


def now() -> ColumnElement[int]:
    """The present time in microseconds: the value given as `now`, or the database's own clock.

    The statement's values must hold `now`, as `Database.now` gives it.
    """
    return _Now()


@compiles(_Now, "sqlite")
def _now_given(element: _Now, compiler: SQLCompiler, **kw: Any) -> str:
    return compiler.process(bindparam("now", type_=BigInteger()), **kw)


@compiles(_Now, "postgresql")
def _now_of_the_server(element: _Now, compiler: SQLCompiler, **kw: Any) -> str:
    given = compiler.process(bindparam("now", type_=BigInteger()), **kw)
    # As a subquery it is computed once, and an index may be searched for it.
    return f"(SELECT coalesce({given}, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint))"


# ---------------------------------------------------------------- text in text


class _Position(FunctionElement[int]):
    name = "position_of"
    type = Integer()
    inherit_cache = True


def position(text: Any, part: Any) -> ColumnElement[int]:
    """Where a part begins in a text, counted from 1; 0 when it is not in it."""
    return _Position(text, part)


@compiles(_Position, "sqlite")
def _instr(element: _Position, compiler: SQLCompiler, **kw: Any) -> str:
    return f"instr({compiler.process(element.clauses, **kw)})"


@compiles(_Position, "postgresql")
def _strpos(element: _Position, compiler: SQLCompiler, **kw: Any) -> str:
    return f"strpos({compiler.process(element.clauses, **kw)})"


# ---------------------------------------------------------------- lists as JSON text


class _Listed(FunctionElement[bool]):
    name = "listed"
    type = Boolean()
    inherit_cache = True

    def self_group(self, against: Any = None) -> Any:
        return self  # a comparison with 1 around it would keep SQLite from its index


def listed(column: ColumnElement[Any], items: ColumnElement[str]) -> ColumnElement[bool]:
    """Whether a column's value is one of the items of a JSON list; an index may be searched."""
    return _Listed(column, items)


@compiles(_Listed, "sqlite")
def _in_json_each(element: _Listed, compiler: SQLCompiler, **kw: Any) -> str:
    column, items = (compiler.process(clause, **kw) for clause in element.clauses)
    return f"({column} IN (SELECT value FROM json_each({items})))"


@compiles(_Listed, "postgresql")
def _any_of_array(element: _Listed, compiler: SQLCompiler, **kw: Any) -> str:
    column, items = (compiler.process(clause, **kw) for clause in element.clauses)
    value = compiler.dialect.type_compiler_instance.process(next(iter(element.clauses)).type)
    inner = f"SELECT value::{value} FROM jsonb_array_elements_text({items}::jsonb)"
    # An array is computed once and searched for in an index; a subquery would be joined.
    return f"({column} = ANY (ARRAY({inner})))"


class _Holds(FunctionElement[bool]):
    name = "holds"
    type = Boolean()
    inherit_cache = True


def holds(items: ColumnElement[str], item: ColumnElement[str]) -> ColumnElement[bool]:
    """Whether a JSON list of texts, kept as text, holds this one."""
    return _Holds(items, item)


@compiles(_Holds, "sqlite")
def _exists_in_json_each(element: _Holds, compiler: SQLCompiler, **kw: Any) -> str:
    items, item = (compiler.process(clause, **kw) for clause in element.clauses)
    return f"(EXISTS (SELECT 1 FROM json_each({items}) WHERE value = {item}))"


@compiles(_Holds, "postgresql")
def _jsonb_exists(element: _Holds, compiler: SQLCompiler, **kw: Any) -> str:
    items, item = (compiler.process(clause, **kw) for clause in element.clauses)
    return f"jsonb_exists({items}::jsonb, {item})"


# ---------------------------------------------------------------- what is there


class _HasTable(FunctionElement[bool]):
    name = "has_table"
    type = Boolean()
    inherit_cache = True


def has_table(name: str) -> ColumnElement[bool]:
    """Whether there is a table of that name."""
    return _HasTable(bindparam(None, name, type_=Text()))


@compiles(_HasTable, "sqlite")
def _in_sqlite_master(element: _HasTable, compiler: SQLCompiler, **kw: Any) -> str:
    name = compiler.process(element.clauses, **kw)
    return f"(EXISTS (SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = {name}))"


@compiles(_HasTable, "postgresql")
def _to_regclass(element: _HasTable, compiler: SQLCompiler, **kw: Any) -> str:
    return f"(to_regclass({compiler.process(element.clauses, **kw)}) IS NOT NULL)"


# ---------------------------------------------------------------- changing tables


class AddColumn(ExecutableDDLElement):
    """Adds a column, empty in every row, to a table that is there."""

    def __init__(self, column: Column[Any]) -> None:
        self.column = column


@compiles(AddColumn)
def _add_column(element: AddColumn, compiler: DDLCompiler, **kw: Any) -> str:
    table = compiler.preparer.format_table(element.column.table)
    return f"ALTER TABLE {table} ADD COLUMN {compiler.process(CreateColumn(element.column))}"


class RenameTable(ExecutableDDLElement):
    """Gives one table the name of another."""

    def __init__(self, table: Table, named: Table) -> None:
        self.table = table
        self.named = named


@compiles(RenameTable)
def _rename_table(element: RenameTable, compiler: DDLCompiler, **kw: Any) -> str:
    table, named = map(compiler.preparer.format_table, (element.table, element.named))
    return f"ALTER TABLE {table} RENAME TO {named}"
