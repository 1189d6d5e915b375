"""Pages as SQL: the meaning of filters, sorts and cursors, written for the database.

A page is read in segments, because an index leads to it only then: first the rows that have a
value in the first sort field, then those that have none. Segments are read until the page is full.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import (
    ColumnElement,
    Float,
    Select,
    Text,
    and_,
    bindparam,
    false,
    func,
    literal_column,
    or_,
    select,
    tuple_,
)

from adapters.sql.engine.database import Values
from adapters.sql.engine.dialects import holds, listed, position
from adapters.sql.schema.sql_dataset import SqlDataset, encoder_of
from domain.dataset import Dataset
from domain.fields import Field, FieldType
from domain.filters import Condition, Filter, Operator
from domain.paging import COUNT_BOUND, Counting, PageRequest, Sort

# ---------------------------------------------------------------- filters

Clause = ColumnElement[bool]
Bind = Callable[[str], Any]


def _between(column: Any, bind: Bind) -> Clause:
    # Not as BETWEEN: PostgreSQL takes no COLLATE on its bounds.
    return and_(column >= bind("_0"), column <= bind("_1"))


def _startswith(column: Any, bind: Bind) -> Clause:
    start: Clause = func.substr(column, 1, func.length(bind(""))) == bind("")
    return start


_CLAUSE: Mapping[Operator, Callable[[Any, Bind], Clause]] = {
    Operator.EQ: lambda column, bind: column == bind(""),
    Operator.NE: lambda column, bind: column.is_distinct_from(bind("")),
    Operator.LT: lambda column, bind: column < bind(""),
    Operator.LTE: lambda column, bind: column <= bind(""),
    Operator.GT: lambda column, bind: column > bind(""),
    Operator.GTE: lambda column, bind: column >= bind(""),
    Operator.BETWEEN: _between,
    Operator.CONTAINS: lambda column, bind: position(column, bind("")) > 0,
    Operator.ICONTAINS: lambda column, bind: position(func.lower(column), func.lower(bind(""))) > 0,
    Operator.STARTSWITH: _startswith,
    Operator.HAS: lambda column, bind: holds(column, bind("")),
}


_LOWER = (Operator.GT, Operator.GTE)
_UPPER = (Operator.LT, Operator.LTE)


class Comparison(NamedTuple):
    """What of a condition decides the text of the statement: everything but the values."""

    field: str
    operator: Operator
    size: int  # how many values are bound, or for `isnull` the value itself

    @classmethod
    def of(cls, condition: Condition) -> "Comparison":
        """The comparison a condition makes."""
        size = 1
        if condition.operator is Operator.ISNULL:
            size = int(condition.value)
        elif _binds_each(condition):
            size = _room_for(len(condition.value))
        return cls(condition.field.name, condition.operator, size)

    def clause(self, column: Any, name: str) -> Any:
        """The comparison over a column; its values are bound under names that begin with `name`."""

        def bind(suffix: str) -> Any:
            return bindparam(name + suffix, type_=column.type)

        if self.operator is Operator.ISNULL:
            return column.is_(None) if self.size else column.is_not(None)
        if self.operator in (Operator.IN, Operator.NIN):
            inside = self._listed(column, bind)
            return inside if self.operator is Operator.IN else or_(column.is_(None), ~inside)
        return _CLAUSE[self.operator](column, bind)

    def beyond(self, column: Any, name: str, descending: bool) -> Any:
        """What of the comparison is still to be met after a cursor, in an order by this column.

        The cursor's own record has met it, and so has all that lies further from one of its bounds:
        an index would be led to that bound, and not to the cursor. None when nothing is left.
        """
        if self.operator in (_UPPER if descending else _LOWER):
            return None
        if self.operator is Operator.BETWEEN:
            bound = bindparam(f"{name}_{0 if descending else 1}", type_=column.type)
            return column >= bound if descending else column <= bound
        return self.clause(column, name)

    def _listed(self, column: Any, bind: Bind) -> Any:
        if isinstance(column.type, Float):
            return column.in_([bind(f"_{place}") for place in range(self.size)])
        return listed(column, bindparam(bind("").key, type_=Text()))


def _binds_each(condition: Condition) -> bool:
    """Whether a list's values are bound one by one: numbers would not survive as JSON text."""
    listed = condition.operator in (Operator.IN, Operator.NIN)
    return listed and condition.field.type is FieldType.NUMBER


def _room_for(count: int) -> int:
    """The next power of two: lists of all lengths then make few different statements."""
    return 1 << (count - 1).bit_length()


def encoded(field: Field, value: Any) -> Any:
    """A value as its column holds it."""
    encoder = encoder_of(field)
    # A list field is asked for one of its items, and those are plain text.
    return value if encoder is None or isinstance(value, str) or value is None else encoder(value)


def values_of(filter: Filter) -> Values:
    """The values of a filter's conditions, by the names its clauses give them."""
    values: dict[str, Any] = {}
    for number, condition in enumerate(filter.conditions):
        if condition.operator is Operator.BETWEEN or _binds_each(condition):
            listed = [encoded(condition.field, value) for value in condition.value]
            # The last one fills the room that is left; it changes nothing.
            listed += listed[-1:] * (_room_for(len(listed)) - len(listed))
            values |= {f"f{number}_{place}": value for place, value in enumerate(listed)}
        elif condition.operator.takes_list:
            listed = [encoded(condition.field, value) for value in condition.value]
            values[f"f{number}"] = msgspec.json.encode(listed).decode()
        elif condition.operator is not Operator.ISNULL:
            values[f"f{number}"] = encoded(condition.field, condition.value)
    return values


def shape_of(filter: Filter) -> tuple[Comparison, ...]:
    """What of a filter decides the text of its statement."""
    return tuple(map(Comparison.of, filter.conditions))


def clauses(table: Any, shape: Sequence[Comparison]) -> list[Clause]:
    """A filter as clauses over the table's columns."""
    return [part.clause(table.c[part.field], f"f{n}") for n, part in enumerate(shape)]


def clauses_beyond(
    table: Any, shape: Sequence[Comparison], first: str, descending: bool
) -> list[Clause]:
    """A filter as it is still to be met after a cursor, in an order by the field `first`."""
    left = (
        part.beyond(table.c[part.field], f"f{n}", descending)
        if part.field == first
        else part.clause(table.c[part.field], f"f{n}")
        for n, part in enumerate(shape)
    )
    return [clause for clause in left if clause is not None]


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

    filter: tuple[Comparison, ...]
    sort: Sort
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
            request.sort,
            missing,
            request.offset > 0,
            request.counting,
        )


class PageStatements(NamedTuple):
    """The statements of one shape: the segments in order, and the count if it is asked for.

    `fast` says that an index leads straight to the page.
    """

    segments: tuple[Select[Any], ...]
    counting: Select[Any] | None
    fast: bool


#: A statement with more values than this is rare, large, and not worth remembering.
_MAX_VALUES = 64
#: So many shapes of one dataset are remembered; then the oldest is forgotten.
MAX_SHAPES = 256


def statements_of(engine: str, dataset: Dataset[Any], shape: Shape) -> PageStatements:
    """Return the statements by which an engine reads a page of this shape, built once."""
    sql = SqlDataset.of(dataset)
    known: PageStatements | None = sql.pages.get((engine, shape))
    if known is not None:
        return known
    built = _built(engine, dataset, sql, shape)
    if sum(comparison.size for comparison in shape.filter) <= _MAX_VALUES:
        if len(sql.pages) >= MAX_SHAPES:
            del sql.pages[next(iter(sql.pages))]
        sql.pages[engine, shape] = built
    return built


def _built(engine: str, dataset: Dataset[Any], sql: SqlDataset, shape: Shape) -> PageStatements:
    table = sql.table
    where = clauses(table, shape.filter)
    columns = [
        _Column(table.c[t.field.name], t.field.nullable, t.descending, f"k{n}")
        for n, t in enumerate(shape.sort.terms)
    ]
    every = select(*sql.columns)
    first = columns[0]
    left = clauses_beyond(table, shape.filter, first.column.name, first.descending)
    # Whether an index leads there does not depend on the values.
    asked = (Condition(dataset.fields[c.field], c.operator, None) for c in shape.filter)
    fast = dataset.answers_fast(Filter(tuple(asked)), shape.sort.names)
    stepwise = fast and engine == "sqlite" and sql.is_numbered
    later = _Later(every.where(*left), stepwise)
    segments = _segments(every.where(*where), later, columns, shape)
    return PageStatements(tuple(segments), _count(table, where, shape), fast)


def _segments(
    page: Select[Any], later: "_Later", columns: Sequence[_Column], shape: Shape
) -> Iterator[Select[Any]]:
    first = columns[0]
    if shape.offset or not first.nullable:
        if shape.missing is None:
            yield _cut(page, columns, shape.offset)
        else:
            yield from later(columns, shape.missing, shape.offset)
        return
    present = [first._replace(nullable=False), *columns[1:]]
    if shape.missing is None:
        yield _cut(page.where(first.column.is_not(None)), present)
    elif not shape.missing[0]:
        yield from later(present, shape.missing)
    where = []
    if shape.missing is not None and shape.missing[0]:
        where = [_after(columns[1:], shape.missing[1:])]
    # Sorting by what is null in every row shows PostgreSQL that its index is in this order.
    yield _cut(page.where(first.column.is_(None), *where), present)


class _Later(NamedTuple):
    """What comes after a cursor; `stepwise` where no row value leads an index to its place."""

    page: Select[Any]
    stepwise: bool

    def __call__(
        self, columns: Sequence[_Column], missing: Sequence[bool], offset: bool = False
    ) -> Iterator[Select[Any]]:
        """The segments: most often one, or one for each field that may be the first to differ."""
        if not self.stepwise or offset or any(column.nullable for column in columns):
            yield _cut(self.page.where(_after(columns, missing)), columns, offset)
            return
        for n in reversed(range(len(columns))):
            same = (column.same(missing=False) for column in columns[:n])
            yield _cut(self.page.where(*same, columns[n].after(missing=False)), columns)


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
