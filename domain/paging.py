"""Pages: sort orders, cursors, page requests and pages."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from functools import cached_property
from operator import attrgetter
from typing import Any, Generic, Literal

import msgspec

from domain.checkpoints import Freshness
from domain.dataset import Dataset, R
from domain.errors import InvalidCursor, PageTooLarge, UnknownParameter
from domain.fields import Field
from domain.filters import Filter

DEFAULT_LIMIT = 100
MAX_LIMIT = 500
MAX_OFFSET = 10_000
#: A page ends before the texts of its records take more than this; its first record is always in.
MAX_PAGE_BYTES = 8 * 1024 * 1024
#: `count=bounded` stops counting here.
COUNT_BOUND = 10_000

Relation = Literal["eq", "gte"]


class Term(msgspec.Struct, frozen=True):
    """One field to sort by."""

    field: Field
    descending: bool = False

    @property
    def text(self) -> str:
        """Return the term as written in `sort=`."""
        return f"-{self.field.name}" if self.descending else self.field.name


class Sort(msgspec.Struct, frozen=True, dict=True, cache_hash=True):
    """A total order of records: the key is always the last term.

    Missing values come last in both directions; text is in binary order.
    """

    terms: tuple[Term, ...]

    @classmethod
    def parse(cls, dataset: Dataset[Any], text: str) -> "Sort":
        """Parse `-price,name`; raise UnknownParameter for a field that is not sortable."""
        items = map(str.strip, text.split(","))
        terms = [_term(dataset.fields, item) for item in items if item]
        named = {term.field.name for term in terms}
        descending = terms[-1].descending if terms else False
        rest = (dataset.fields[name] for name in dataset.key if name not in named)
        return cls((*terms, *(Term(field, descending) for field in rest)))

    @cached_property
    def text(self) -> str:
        """Return the complete order as written in `sort=`."""
        return ",".join(term.text for term in self.terms)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Return the names of the sort fields, in order."""
        return tuple(term.field.name for term in self.terms)

    def position(self, row: Any) -> tuple[Any, ...]:
        """Return the position of a record in this order: the values of its sort fields."""
        return tuple(getattr(row, term.field.name) for term in self.terms)

    def sorted(self, rows: Sequence[Any]) -> list[Any]:
        """Return the records in this order."""
        ordered = list(rows)
        for term in reversed(self.terms):
            value = attrgetter(term.field.name)
            missing = [row for row in ordered if value(row) is None]
            present = [row for row in ordered if value(row) is not None]
            ordered = sorted(present, key=value, reverse=term.descending) + missing
        return ordered

    def is_after(self, row: Any, position: Sequence[Any]) -> bool:
        """Return whether a record comes strictly after a position."""
        for term, mine, theirs in zip(self.terms, self.position(row), position, strict=True):
            if mine == theirs:
                continue
            if mine is None or theirs is None:
                return mine is None
            return bool(mine < theirs) is term.descending
        return False


def _term(fields: Mapping[str, Field], item: str) -> Term:
    name = item.removeprefix("-")
    if name not in fields or not fields[name].sortable:
        allowed = ", ".join(field.name for field in fields.values() if field.sortable)
        raise UnknownParameter("sort", f"cannot sort by that; the sort fields are: {allowed}")
    return Term(fields[name], item.startswith("-"))


class Cursor(msgspec.Struct, frozen=True):
    """The start of a page: after `position`, in the result of one query."""

    position: tuple[Any, ...]
    query_digest: str


class Counting(StrEnum):
    """How the matching records of a page are counted."""

    NONE = "none"
    EXACT = "exact"
    BOUNDED = "bounded"

    def total(self, counted: int | None) -> "tuple[int | None, Relation | None]":
        """Return the total of a page, and whether it is exact or a lower bound."""
        if counted is None:
            return None, None
        if self is Counting.BOUNDED and counted > COUNT_BOUND:
            return COUNT_BOUND, "gte"
        return counted, "eq"


class PageRequest(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """A request for one page: a filter, an order and a start.

    A page of a `limit` of 0 has no records and no next page; only its count is wanted.
    """

    filter: Filter = Filter()
    sort: Sort
    limit: int = DEFAULT_LIMIT
    offset: int = 0
    cursor: Cursor | None = None
    counting: Counting = Counting.NONE

    @cached_property
    def query_digest(self) -> str:
        """Return a digest of filter and order: a cursor is valid for one of them only."""
        query = msgspec.json.encode((self.filter.format(), self.sort.text))
        return hashlib.blake2b(query, digest_size=12).hexdigest()

    def check(self) -> None:
        """Raise InvalidCursor if the cursor belongs to another filter or order."""
        if self.cursor is not None and self.cursor.query_digest != self.query_digest:
            raise InvalidCursor(
                "cursor", "this cursor belongs to another filter or sort; start from the first page"
            )

    def cursor_after(self, row: Any) -> Cursor:
        """Return the cursor of the page that starts after this record."""
        return Cursor(self.sort.position(row), self.query_digest)


class Page(msgspec.Struct, Generic[R], frozen=True):
    """One page of records, and the state of the dataset in the same snapshot.

    `rows` are of type `dataset.row`. `total` is None unless it was requested; with the relation
    "gte" it is a lower bound. `size` is about how many bytes the texts of the rows have.
    """

    rows: list[R]
    next_cursor: Cursor | None
    freshness: Freshness
    total: int | None = None
    total_relation: Relation | None = None
    size: int = 0


class PageSize:
    """The size of a page while rows, as tuples of values, are added to it."""

    def __init__(self) -> None:
        self.bytes = 0
        self.rows = 0

    def has_room(self, row: Iterable[Any]) -> bool:
        """Count one more row, unless the page is full."""
        size = self.bytes
        for value in row:
            if value.__class__ is str:
                size += len(value) if value.isascii() else len(value.encode(errors="replace"))
        if size > MAX_PAGE_BYTES and self.rows:
            return False
        self.bytes = size
        self.rows += 1
        return True


def require_whole(rows: int, request: PageRequest) -> None:
    """Raise PageTooLarge if a page of `rows` was cut that was requested by an offset.

    The client would take the next page from an offset that skips what was cut.
    """
    if request.offset and rows < request.limit:
        raise PageTooLarge(
            "limit",
            f"these records take more than {MAX_PAGE_BYTES} bytes; ask for limit={rows}, or follow"
            " next_cursor instead of an offset",
        )
