"""Pages as SQL: the meaning of filters, sorts and cursors, written for the database.

A page is read in segments, because an index leads to it only then: first the rows that have a
value in the first sort field, then those that have none.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import (
    ColumnElement,
    Select,
    and_,
    bindparam,
    exists,
    false,
    func,
    literal_column,
    or_,
    select,
    tuple_,
)

from adapters.sql.database import Values
from adapters.sql.tables import encoder_of, table_of
from domain.dataset import Dataset
from domain.fields import Field
from domain.filters import Condition, Filter, Operator
from domain.paging import COUNT_BOUND, Counting, PageRequest, Sort

Clause = ColumnElement[bool]
Bind = Callable[[str], Any]

# ---------------------------------------------------------------- filters


def _startswith(column: Any, bind: Bind) -> Clause:
    start: Clause = func.substr(column, 1, func.length(bind(""))) == bind("")
    return start


def _has(column: Any, bind: Bind) -> Clause:
    items = func.json_each(column).table_valued("value")
    return exists(select(literal_column("1")).where(items.c.value == bind("")))


_CLAUSE: Mapping[Operator, Callable[[Any, Bind], Clause]] = {
    Operator.EQ: lambda column, bind: column == bind(""),
    Operator.NE: lambda column, bind: column.is_distinct_from(bind("")),
    Operator.LT: lambda column, bind: column < bind(""),
    Operator.LTE: lambda column, bind: column <= bind(""),
    Operator.GT: lambda column, bind: column > bind(""),
    Operator.GTE: lambda column, bind: column >= bind(""),
    Operator.BETWEEN: lambda column, bind: column.between(bind("_0"), bind("_1")),
    Operator.CONTAINS: lambda column, bind: func.instr(column, bind("")) > 0,
    Operator.ICONTAINS: lambda column, bind: (
        func.instr(func.lower(column), func.lower(bind(""))) > 0
    ),
    Operator.STARTSWITH: _startswith,
    Operator.HAS: _has,
}


class _Comparison(NamedTuple):
    """What of a condition decides the text of the statement: everything but the values."""

    field: str
    operator: Operator
    size: int  # how many values, or for `isnull` the value itself

    @classmethod
    def of(cls, condition: Condition) -> "_Comparison":
        size = len(condition.value) if condition.operator.takes_list else 1
        if condition.operator is Operator.ISNULL:
            size = int(condition.value)
        return cls(condition.field.name, condition.operator, size)

    def clause(self, column: Any, name: str) -> Any:
        def bind(suffix: str) -> Any:
            return bindparam(name + suffix, type_=column.type)

        if self.operator is Operator.ISNULL:
            return column.is_(None) if self.size else column.is_not(None)
        if self.operator in (Operator.IN, Operator.NIN):
            values = [bind(f"_{place}") for place in range(self.size)]
            inside = column.in_(values)
            return inside if self.operator is Operator.IN else or_(column.is_(None), ~inside)
        return _CLAUSE[self.operator](column, bind)


def encoded(field: Field, value: Any) -> Any:
    """A value as its column holds it."""
    encoder = encoder_of(field)
    # A list field is asked for one of its items, and those are plain text.
    return value if encoder is None or isinstance(value, str) or value is None else encoder(value)


def values_of(filter: Filter) -> Values:
    """The values of a filter's conditions, by the names its clauses give them."""
    values: dict[str, Any] = {}
    for number, condition in enumerate(filter.conditions):
        if condition.operator.takes_list:
            for place, value in enumerate(condition.value):
                values[f"f{number}_{place}"] = encoded(condition.field, value)
        elif condition.operator is not Operator.ISNULL:
            values[f"f{number}"] = encoded(condition.field, condition.value)
    return values


def shape_of(filter: Filter) -> tuple[_Comparison, ...]:
    """What of a filter decides the text of its statement."""
    return tuple(map(_Comparison.of, filter.conditions))


def clauses(table: Any, shape: Sequence[_Comparison]) -> list[Clause]:
    """A filter as clauses over the table's columns."""
    return [part.clause(table.c[part.field], f"f{n}") for n, part in enumerate(shape)]


# ---------------------------------------------------------------- sorts and cursors


class _Column(NamedTuple):
    """One sort term over the table."""

    column: Any
    nullable: bool
    descending: bool
    name: str

    def order(self) -> Iterator[Any]:
        if self.nullable:
            yield self.column.is_(None)
        yield self.column.desc() if self.descending else self.column.asc()

    def after(self, missing: bool) -> Any:
        if missing:
            return false()
        bound = bindparam(self.name, type_=self.column.type)
        beyond = self.column < bound if self.descending else self.column > bound
        return or_(beyond, self.column.is_(None)) if self.nullable else beyond

    def same(self, missing: bool) -> Any:
        if missing:
            return self.column.is_(None)
        return self.column == bindparam(self.name, type_=self.column.type)


def _after(columns: Sequence[_Column], missing: Sequence[bool]) -> Clause:
    """Strictly after the cursor's position; `missing` tells which of its values are null."""
    even = len({column.descending for column in columns}) == 1
    if even and not any(column.nullable for column in columns):
        # A row value leads an index straight to the place; a tree of ORs does not.
        here = tuple_(*(column.column for column in columns))
        there = tuple_(*(bindparam(c.name, type_=c.column.type) for c in columns))
        beyond: Clause = here < there if columns[0].descending else here > there
        return beyond
    return or_(
        *(
            and_(
                *(c.same(gone) for c, gone in zip(columns[:n], missing, strict=False)),
                column.after(missing[n]),
            )
            for n, column in enumerate(columns)
        )
    )


# ---------------------------------------------------------------- statements


class Shape(msgspec.Struct, frozen=True):
    """Everything about a request that decides the text of its statements, and no value."""

    filter: tuple[_Comparison, ...]
    sort: str
    missing: tuple[bool, ...] | None
    offset: bool
    counting: Counting

    @classmethod
    def of(cls, request: PageRequest) -> "Shape":
        """The shape of a request."""
        cursor = request.cursor
        missing = None if cursor is None else tuple(value is None for value in cursor.position)
        return cls(
            shape_of(request.filter),
            request.sort.text,
            missing,
            request.offset > 0,
            request.counting,
        )


class PageStatements(NamedTuple):
    """The statements of one shape: the segments in order, and the count if it is asked for."""

    segments: tuple[Select[Any], ...]
    counting: Select[Any] | None


@lru_cache(maxsize=1024)
def statements_of(dataset: Dataset[Any], shape: Shape) -> PageStatements:
    """The statements that read a page of this shape; built once and then remembered."""
    table = table_of(dataset)
    where = clauses(table, shape.filter)
    terms = Sort.parse(dataset, shape.sort).terms
    columns = [
        _Column(table.c[t.field.name], t.field.nullable, t.descending, f"k{n}")
        for n, t in enumerate(terms)
    ]
    page = select(*(table.c[name] for name in dataset.fields)).where(*where)
    return PageStatements(tuple(_segments(page, columns, shape)), _count(table, where, shape))


def _segments(page: Select[Any], columns: Sequence[_Column], shape: Shape) -> Iterator[Select[Any]]:
    first = columns[0]
    if shape.offset or not first.nullable:
        where = [] if shape.missing is None else [_after(columns, shape.missing)]
        yield _cut(page.where(*where), columns, shape.offset)
        return
    present = [first._replace(nullable=False), *columns[1:]]
    if shape.missing is None or not shape.missing[0]:
        where = [] if shape.missing is None else [_after(present, shape.missing)]
        yield _cut(page.where(first.column.is_not(None), *where), present)
    where = []
    if shape.missing is not None and shape.missing[0]:
        where = [_after(columns[1:], shape.missing[1:])]
    yield _cut(page.where(first.column.is_(None), *where), columns[1:])


def _cut(page: Select[Any], columns: Sequence[_Column], offset: bool = False) -> Select[Any]:
    ordered = page.order_by(*(part for column in columns for part in column.order()))
    limited = ordered.limit(bindparam("limit"))
    return limited.offset(bindparam("offset")) if offset else limited


def _count(table: Any, where: Sequence[Clause], shape: Shape) -> Select[Any] | None:
    if shape.counting is Counting.NONE:
        return None
    if shape.counting is Counting.EXACT:
        return select(func.count()).select_from(table).where(*where)
    one: Any = literal_column("1")
    some: Select[Any] = select(one).select_from(table).where(*where).limit(COUNT_BOUND + 1)
    return select(func.count()).select_from(some.subquery())


def page_values(request: PageRequest) -> Values:
    """The values of a request's page statements."""
    values: dict[str, Any] = {**values_of(request.filter), "limit": request.limit + 1}
    values["offset"] = request.offset
    if request.cursor is not None:
        for n, (term, value) in enumerate(
            zip(request.sort.terms, request.cursor.position, strict=True)
        ):
            values[f"k{n}"] = encoded(term.field, value)
    return values
