"""Pages as SQL: the meaning of sorts and cursors, written for the database.

A page is read in segments, because an index leads to it only then: first the rows that have a
value in the first sort field, then those that have none. Segments are read until the page is full.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import (
    Select,
    and_,
    bindparam,
    false,
    func,
    literal_column,
    or_,
    select,
    tuple_,
)

from adapters.sql.datasets.conditions import (
    Clause,
    Comparison,
    clauses,
    clauses_beyond,
    encoded,
    shape_of,
    values_of,
)
from adapters.sql.engine.database import Values
from adapters.sql.schema.dataset_tables import is_numbered, table_of
from domain.dataset import Dataset
from domain.filters import Condition, Filter
from domain.paging import COUNT_BOUND, Counting, PageRequest, Sort

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
    """The statements of one shape: the segments in order, and the count if it is asked for.

    `fast` says that an index leads straight to the page.
    """

    segments: tuple[Select[Any], ...]
    counting: Select[Any] | None
    fast: bool


#: A statement with more values than this is rare, large, and not worth remembering.
_MOST_REMEMBERED = 64


def statements_of(engine: str, dataset: Dataset[Any], shape: Shape) -> PageStatements:
    """The statements by which an engine reads a page of this shape; common ones are built once."""
    if sum(comparison.size for comparison in shape.filter) > _MOST_REMEMBERED:
        return _built(engine, dataset, shape)
    return _remembered(engine, dataset, shape)


@lru_cache(maxsize=512)
def _remembered(engine: str, dataset: Dataset[Any], shape: Shape) -> PageStatements:
    return _built(engine, dataset, shape)


def _built(engine: str, dataset: Dataset[Any], shape: Shape) -> PageStatements:
    table = table_of(dataset)
    where = clauses(table, shape.filter)
    sort = Sort.parse(dataset, shape.sort)
    columns = [
        _Column(table.c[t.field.name], t.field.nullable, t.descending, f"k{n}")
        for n, t in enumerate(sort.terms)
    ]
    every = select(*(table.c[name] for name in dataset.fields))
    first = columns[0]
    left = clauses_beyond(table, shape.filter, first.column.name, first.descending)
    # Whether an index leads there does not depend on the values.
    asked = (Condition(dataset.fields[c.field], c.operator, None) for c in shape.filter)
    fast = dataset.answers_fast(Filter(tuple(asked)), sort.names)
    stepwise = fast and engine == "sqlite" and is_numbered(dataset)
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
