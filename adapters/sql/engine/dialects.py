"""SQL that SQLite and PostgreSQL spell differently, or that SQLAlchemy lacks."""

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

# ---------------------------------------------------------------- upserts


def replacing(table: Table, where: ColumnElement[bool] | None = None) -> Insert:
    """Return an insert that replaces the row of the same key, if `where` holds for that row."""
    upsert, key = insert(table), [column.key for column in table.primary_key]
    changed = {c.key: upsert.excluded[c.key] for c in table.c if c.key not in key}
    return upsert.on_conflict_do_update(index_elements=key, set_=changed, where=where)


# ---------------------------------------------------------------- the present time


class _Now(FunctionElement[int]):
    name = "now"
    type = BigInteger()
    inherit_cache = True


def now() -> ColumnElement[int]:
    """Return the present time in microseconds: the value of `now`, or the database's own clock.

    The statement's values must contain `now`, from `Database.now`.
    """
    return _Now()


@compiles(_Now, "sqlite")
def _now_parameter(element: _Now, compiler: SQLCompiler, **kw: Any) -> str:
    return compiler.process(bindparam("now", type_=BigInteger()), **kw)


@compiles(_Now, "postgresql")
def _now_or_server_clock(element: _Now, compiler: SQLCompiler, **kw: Any) -> str:
    given = compiler.process(bindparam("now", type_=BigInteger()), **kw)
    # A subquery is computed once, so that an index can be searched for its value.
    return f"(SELECT coalesce({given}, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint))"


# ---------------------------------------------------------------- the order of text


class _InBinaryOrder(FunctionElement[str]):
    name = "in_binary_order"
    type = Text()
    inherit_cache = True


def in_binary_order(text: ColumnElement[str]) -> ColumnElement[str]:
    """Return a text that is compared and sorted by its characters, whatever the locale."""
    return _InBinaryOrder(text)


@compiles(_InBinaryOrder, "sqlite")
def _as_it_is(element: _InBinaryOrder, compiler: SQLCompiler, **kw: Any) -> str:
    return compiler.process(element.clauses, **kw)


@compiles(_InBinaryOrder, "postgresql")
def _collated(element: _InBinaryOrder, compiler: SQLCompiler, **kw: Any) -> str:
    return f'({compiler.process(element.clauses, **kw)} COLLATE "C")'


# ---------------------------------------------------------------- substrings


class _Position(FunctionElement[int]):
    name = "position_of"
    type = Integer()
    inherit_cache = True


def position(text: Any, part: Any) -> ColumnElement[int]:
    """Return where a part begins in a text, counted from 1; 0 if it is not found."""
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
        return self  # SQLite uses no index if this is wrapped in a comparison with 1


def listed(column: ColumnElement[Any], items: ColumnElement[str]) -> ColumnElement[bool]:
    """Return whether a column's value is an item of a JSON list, so that an index can be used."""
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
    # An array is computed once and looked up in an index; a subquery would be joined.
    return f"({column} = ANY (ARRAY({inner})))"


class _Holds(FunctionElement[bool]):
    name = "holds"
    type = Boolean()
    inherit_cache = True


def holds(items: ColumnElement[str], item: ColumnElement[str]) -> ColumnElement[bool]:
    """Return whether a JSON list of texts contains this one."""
    return _Holds(items, item)


@compiles(_Holds, "sqlite")
def _exists_in_json_each(element: _Holds, compiler: SQLCompiler, **kw: Any) -> str:
    items, item = (compiler.process(clause, **kw) for clause in element.clauses)
    return f"(EXISTS (SELECT 1 FROM json_each({items}) WHERE value = {item}))"


@compiles(_Holds, "postgresql")
def _jsonb_exists(element: _Holds, compiler: SQLCompiler, **kw: Any) -> str:
    items, item = (compiler.process(clause, **kw) for clause in element.clauses)
    return f"jsonb_exists({items}::jsonb, {item})"


# ---------------------------------------------------------------- the catalogue of tables


class _HasTable(FunctionElement[bool]):
    name = "has_table"
    type = Boolean()
    inherit_cache = True


def has_table(name: str) -> ColumnElement[bool]:
    """Return whether a table of that name exists."""
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
    """DDL that adds a column, null in every row."""

    def __init__(self, column: Column[Any]) -> None:
        self.column = column


@compiles(AddColumn)
def _add_column(element: AddColumn, compiler: DDLCompiler, **kw: Any) -> str:
    table = compiler.preparer.format_table(element.column.table)
    return f"ALTER TABLE {table} ADD COLUMN {compiler.process(CreateColumn(element.column))}"


class RenameTable(ExecutableDDLElement):
    """DDL that gives a table the name of another."""

    def __init__(self, table: Table, named: Table) -> None:
        self.table = table
        self.named = named


@compiles(RenameTable)
def _rename_table(element: RenameTable, compiler: DDLCompiler, **kw: Any) -> str:
    table, named = map(compiler.preparer.format_table, (element.table, element.named))
    return f"ALTER TABLE {table} RENAME TO {named}"
