"""Pages as SQL: filters, sorts and cursors as SELECT statements.

A page is read in segments, so that an index can be used for each: first the rows with a value in
the first sort field, then those without. Segments are read until the page is full.
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
    # PostgreSQL allows no COLLATE on the bounds of BETWEEN.
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
    """A condition without its values, which is what decides the statement's text."""

    field: str
    operator: Operator
    size: int  # how many values are bound, or for `isnull` the value itself

    @classmethod
    def of(cls, condition: Condition) -> "Comparison":
        """Return the comparison of a condition."""
        size = 1
        if condition.operator is Operator.ISNULL:
            size = int(condition.value)
        elif _binds_each(condition):
            size = _room_for(len(condition.value))
        return cls(condition.field.name, condition.operator, size)

    def clause(self, column: Any, name: str) -> Any:
        """Return the comparison with a column; the names of its parameters begin with `name`."""

        def bind(suffix: str) -> Any:
            return bindparam(name + suffix, type_=column.type)

        if self.operator is Operator.ISNULL:
            return column.is_(None) if self.size else column.is_not(None)
        if self.operator in (Operator.IN, Operator.NIN):
            inside = self._listed(column, bind)
            return inside if self.operator is Operator.IN else or_(column.is_(None), ~inside)
        return _CLAUSE[self.operator](column, bind)

    def beyond(self, column: Any, name: str, descending: bool) -> Any:
        """Return what remains of the comparison after a cursor, in an order by this column.

        The cursor's record is within the bounds, so every later one meets the bound that lies
        before it. Repeating that bound would lead an index there and not to the cursor. None if
        nothing remains.
        """
        if self.operator in (_UPPER if descending else _LOWER):
            return None
        if self.operator is Operator.BETWEEN:
            bound = bindparam(f"{name}_{0 if descending else 1}", type_=column.type)
            return column >= bound if descending else column <= bound
        return self.clause(column, name)

    def _listed(self, column: Any, bind: Bind) -> Any:
        if isinstance(column.type, Float):
            return column.in_([bind(f"_{number}") for number in range(self.size)])
        return listed(column, bindparam(bind("").key, type_=Text()))


def _binds_each(condition: Condition) -> bool:
    """Return whether a list's values are bound one by one: JSON text would not keep numbers."""
    listed = condition.operator in (Operator.IN, Operator.NIN)
    return listed and condition.field.type is FieldType.NUMBER


def _room_for(count: int) -> int:
    """Return the next power of two, so that lists of all lengths make few statements."""
    return 1 << (count - 1).bit_length()


def encoded(field: Field, value: Any) -> Any:
    """Return a value as its column stores it."""
    encoder = encoder_of(field)
    # A list field is compared with one of its items, which is plain text.
    return value if encoder is None or isinstance(value, str) or value is None else encoder(value)


def values_of(filter: Filter) -> Values:
    """Return the values of a filter's conditions, by the names of their parameters."""
    values: dict[str, Any] = {}
    for number, condition in enumerate(filter.conditions):
        if condition.operator is Operator.BETWEEN or _binds_each(condition):
            listed = [encoded(condition.field, value) for value in condition.value]
            # Repeating the last value fills the parameters that are left, and changes nothing.
            listed += listed[-1:] * (_room_for(len(listed)) - len(listed))
            values |= {f"f{number}_{n}": value for n, value in enumerate(listed)}
        elif condition.operator.takes_list:
            listed = [encoded(condition.field, value) for value in condition.value]
            values[f"f{number}"] = msgspec.json.encode(listed).decode()
        elif condition.operator is not Operator.ISNULL:
            values[f"f{number}"] = encoded(condition.field, condition.value)
    return values


def shape_of(filter: Filter) -> tuple[Comparison, ...]:
    """Return a filter's comparisons, without their values."""
    return tuple(map(Comparison.of, filter.conditions))


def clauses(table: Any, shape: Sequence[Comparison]) -> list[Clause]:
    """Return a filter as clauses over the table's columns."""
    return [part.clause(table.c[part.field], f"f{n}") for n, part in enumerate(shape)]


def clauses_beyond(
    table: Any, shape: Sequence[Comparison], first: str, descending: bool
) -> list[Clause]:
    """Return what remains of a filter after a cursor, in an order by the field `first`."""
    remaining = (
        part.beyond(table.c[part.field], f"f{n}", descending)
        if part.field == first
        else part.clause(table.c[part.field], f"f{n}")
        for n, part in enumerate(shape)
    )
    return [clause for clause in remaining if clause is not None]


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
    """Return the clause for rows after the cursor; `missing` says which of its values are null."""
    one_direction = len({column.descending for column in columns}) == 1
    if one_direction and not any(column.nullable for column in columns):
        # An index can be searched by a row value, and not by a tree of ORs.
        row = tuple_(*(column.column for column in columns))
        cursor = tuple_(*(bindparam(c.name, type_=c.column.type) for c in columns))
        after: Clause = row < cursor if columns[0].descending else row > cursor
        return after
    return or_(
        *(
            and_(
                *(c.same(is_null) for c, is_null in zip(columns[:n], missing, strict=False)),
                column.after(missing[n]),
            )
            for n, column in enumerate(columns)
        )
    )


# ---------------------------------------------------------------- statements


class Shape(msgspec.Struct, frozen=True):
    """A request without its values, which is what decides the text of its statements."""

    filter: tuple[Comparison, ...]
    sort: Sort
    missing: tuple[bool, ...] | None
    offset: bool
    counting: Counting

    @classmethod
    def of(cls, request: PageRequest) -> "Shape":
        """Return the shape of a request."""
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
    """The statements of one shape: the segments in order, and the count if one is requested.

    `fast` means that an index answers them.
    """

    segments: tuple[Select[Any], ...]
    counting: Select[Any] | None
    fast: bool


#: A statement with more values than this is rare and large, and not cached.
_MAX_VALUES = 64
#: Shapes of one dataset that are cached; beyond that, the oldest is dropped.
MAX_SHAPES = 256


def statements_of(engine: str, dataset: Dataset[Any], shape: Shape) -> PageStatements:
    """Return the statements that read a page of this shape on an engine, from the cache."""
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
    remaining = where
    if shape.missing is not None:
        remaining = clauses_beyond(table, shape.filter, first.column.name, first.descending)
    # Whether an index can be used does not depend on the values.
    conditions = (Condition(dataset.fields[c.field], c.operator, None) for c in shape.filter)
    fast = dataset.answers_fast(Filter(tuple(conditions)), shape.sort.names)
    stepwise = fast and engine == "sqlite" and sql.is_numbered
    later = _Later(every.where(*remaining), stepwise)
    segments = _segments(every.where(*where), later, columns, shape)
    counting = None
    if shape.counting is not Counting.NONE:
        counting = _count(table, where, shape.counting)
    return PageStatements(tuple(segments), counting, fast)


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
    # Sorting by a column that is null in every row shows PostgreSQL that its index has this order.
    yield _cut(page.where(first.column.is_(None), *where), present)


class _Later(NamedTuple):
    """The rows after a cursor; `stepwise` where an index cannot be searched by a row value."""

    page: Select[Any]
    stepwise: bool

    def __call__(
        self, columns: Sequence[_Column], missing: Sequence[bool], offset: bool = False
    ) -> Iterator[Select[Any]]:
        """Yield one segment, or one for each field that may be the first to differ."""
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


def _count(table: Any, where: Sequence[Clause], counting: Counting) -> Select[Any]:
    if counting is Counting.EXACT:
        return select(func.count()).select_from(table).where(*where)
    one: Any = literal_column("1")
    some: Select[Any] = select(one).select_from(table).where(*where).limit(COUNT_BOUND + 1)
    return select(func.count()).select_from(some.subquery())


def page_values(request: PageRequest) -> Values:
    """Return the values of a request's page statements."""
    values: dict[str, Any] = {**values_of(request.filter), "limit": request.limit + 1}
    values["offset"] = request.offset
    if request.cursor is not None:
        for n, (term, value) in enumerate(
            zip(request.sort.terms, request.cursor.position, strict=True)
        ):
            values[f"k{n}"] = encoded(term.field, value)
    return values
