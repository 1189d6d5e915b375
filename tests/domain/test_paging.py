"""Pages: the order of records, and cursors that belong to one query."""

from functools import cmp_to_key
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.builtin.posts import POSTS
from domain.errors import InvalidCursor, UnknownParameter
from domain.filters import Filter
from domain.paging import COUNT_BOUND, Counting, Cursor, PageRequest, Sort
from tests.strategies import SAMPLES, filters, sample, samples, sorts, times

rows = st.builds(SAMPLES.stored, samples(), times)


def key_of(row: Any) -> Any:
    """Return what tells rows apart."""
    return SAMPLES.key_of(row)


# ---------------------------------------------------------------- sorts


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("", "source,number"),
        ("-price", "-price,-source,-number"),
        ("-price,title", "-price,title,source,number"),
        ("number", "number,source"),
        ("-number", "-number,-source"),
        (",price,", "price,source,number"),
        ("_changed_at", "_changed_at,source,number"),
    ],
)
def test_the_key_comes_last_in_every_order(text: str, whole: str) -> None:
    sort = Sort.parse(SAMPLES, text)

    assert sort.text == whole
    assert sort.names == tuple(name.removeprefix("-") for name in whole.split(","))
    assert Sort.parse(SAMPLES, sort.text) == sort


def test_fields_are_trimmed_of_blanks() -> None:
    assert Sort.parse(SAMPLES, " -price, number ,") == Sort.parse(SAMPLES, "-price,number")


@pytest.mark.parametrize(
    "text", ["nothing", "tags", "--price", "price,nothing", "+price", "- price"]
)
def test_a_field_that_is_not_sortable_is_refused(text: str) -> None:
    with pytest.raises(UnknownParameter, match="the sort fields are: source, number") as refused:
        Sort.parse(SAMPLES, text)

    assert refused.value.parameter == "sort"


def _compare(sort: Sort, one: Any, other: Any) -> int:
    """Return the order said in the plainest way, as a yardstick."""
    for term in sort.terms:
        mine, theirs = getattr(one, term.field.name), getattr(other, term.field.name)
        if mine == theirs:
            continue
        if mine is None or theirs is None:
            return 1 if mine is None else -1
        before = -1 if mine < theirs else 1
        return -before if term.descending else before
    return 0


@given(st.lists(rows, max_size=8), sorts())
def test_records_are_sorted_term_by_term_with_missing_values_last(
    some: list[Any], sort: Sort
) -> None:
    expected = sorted(some, key=cmp_to_key(lambda one, other: _compare(sort, one, other)))

    assert list(map(sort.position, sort.sorted(some))) == list(map(sort.position, expected))


@given(rows, rows, sorts())
def test_of_two_records_exactly_one_comes_after_unless_they_share_their_key(
    one: Any, other: Any, sort: Sort
) -> None:
    after = sort.is_after(one, sort.position(other))
    before = sort.is_after(other, sort.position(one))

    if key_of(one) == key_of(other) and sort.position(one) == sort.position(other):
        assert (after, before) == (False, False)
    else:
        assert after is not before


@given(st.lists(rows, min_size=3, max_size=3), sorts())
def test_the_order_is_transitive(some: list[Any], sort: Sort) -> None:
    first, second, third = some

    if sort.is_after(second, sort.position(first)) and sort.is_after(third, sort.position(second)):
        assert sort.is_after(third, sort.position(first))


@given(st.lists(rows, max_size=8, unique_by=key_of), sorts())
def test_in_a_sorted_list_every_record_comes_after_those_before_it(
    some: list[Any], sort: Sort
) -> None:
    ordered = sort.sorted(some)

    for place, row in enumerate(ordered):
        after = [other for other in ordered if sort.is_after(other, sort.position(row))]
        assert after == ordered[place + 1 :]


# ---------------------------------------------------------------- cursors


@given(filters, sorts(), filters, sorts())
def test_a_cursor_belongs_to_one_filter_and_one_sort(
    filter: Filter, sort: Sort, other_filter: Filter, other_sort: Sort
) -> None:
    cursor = Cursor((), PageRequest(filter=filter, sort=sort).query_digest)
    other = PageRequest(filter=other_filter, sort=other_sort, cursor=cursor)

    if (filter.format(), sort) == (other_filter.format(), other_sort):
        other.check()
    else:
        with pytest.raises(InvalidCursor):
            other.check()


def test_the_digest_of_a_query_does_not_depend_on_the_page() -> None:
    request = PageRequest(sort=Sort.parse(POSTS, ""))
    row = POSTS.row(1, 2, "title", "body", None)

    following = msgspec.structs.replace(
        request, limit=5, offset=3, cursor=request.cursor_after(row)
    )

    following.check()
    assert following.query_digest == request.query_digest
    assert following.cursor == Cursor((1,), request.query_digest)


def test_a_request_without_a_cursor_is_fine() -> None:
    PageRequest(sort=Sort.parse(POSTS, "")).check()


def test_a_position_is_the_values_of_the_sort_fields() -> None:
    sort = Sort.parse(SAMPLES, "-price,note")

    assert sort.position(sample(3, price=2.5)) == (2.5, None, "a", 3)


# ---------------------------------------------------------------- totals


@pytest.mark.parametrize(
    ("counting", "counted", "total"),
    [
        (Counting.NONE, None, (None, None)),
        (Counting.EXACT, 0, (0, "eq")),
        (Counting.EXACT, COUNT_BOUND + 1, (COUNT_BOUND + 1, "eq")),
        (Counting.BOUNDED, COUNT_BOUND, (COUNT_BOUND, "eq")),
        (Counting.BOUNDED, COUNT_BOUND + 1, (COUNT_BOUND, "gte")),
    ],
)
def test_a_total_is_exact_or_a_lower_bound(
    counting: Counting, counted: int | None, total: tuple[int | None, str | None]
) -> None:
    assert counting.total(counted) == total
