"""Contract of `Store`: pages equal those of plain Python, for any query."""

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.dataset import CHANGED_AT, Key
from domain.filters import Condition, Filter, Operator
from domain.paging import COUNT_BOUND, Counting, PageRequest, Sort
from tests.contract.backends import Backend, Open
from tests.strategies import SAMPLES, filters, sample, samples, sorts

BY_KEY = Sort.parse(SAMPLES, "")
some_samples = st.lists(samples(), max_size=12)


async def _find(backend: Backend, **asked: Any) -> Any:
    return await backend.store.find(SAMPLES, PageRequest(**{"sort": BY_KEY, **asked}))


async def _fill(backend: Backend, records: Sequence[Any]) -> list[Any]:
    """Store the records in two merges, so that not all have changed at the same time."""
    half = len(records) // 2
    await backend.bring(records[:half])
    backend.clock.advance(3600)
    await backend.bring(records[half:])
    return await backend.everything()


async def _walk(backend: Backend, request: PageRequest) -> list[Any]:
    rows = []
    while True:
        page = await backend.store.find(SAMPLES, request)
        rows += page.rows
        if page.next_cursor is None:
            return rows
        assert len(page.rows) == request.limit
        request = msgspec.structs.replace(request, cursor=page.next_cursor, offset=0)


# ---------------------------------------------------------------- any question


@given(some_samples, filters, sorts(), st.integers(0, 4), st.integers(0, 4))
async def test_pages_are_the_sorted_matching_records_cut_up(
    open_backend: Open,
    records: list[Any],
    filter: Filter,
    sort: Sort,
    limit: int,
    offset: int,
) -> None:
    async with open_backend() as backend:
        stored = await _fill(backend, records)
        expected = sort.sorted([row for row in stored if filter.matches(row)])
        request = PageRequest(
            filter=filter, sort=sort, limit=limit, offset=offset, counting=Counting.EXACT
        )

        page = await backend.store.find(SAMPLES, request)
        walked = await _walk(backend, request) if limit else expected[offset:]

        assert len(stored) == len({SAMPLES.key_of(record) for record in records})
        assert page.rows == expected[offset : offset + limit]
        assert (page.next_cursor is not None) is (0 < limit < len(expected) - offset)
        assert (page.total, page.total_relation) == (len(expected), "eq")
        assert walked == expected[offset:]
        assert await backend.store.count(SAMPLES, filter) == len(expected)


@settings(max_examples=50)
@given(some_samples, filters, samples())
async def test_a_record_is_found_by_its_key_when_it_is_visible(
    open_backend: Open, records: list[Any], seen: Filter, other: Any
) -> None:
    async with open_backend() as backend:
        stored = {SAMPLES.key_of(row): row for row in await _fill(backend, records)}

        for key in {*stored, SAMPLES.key_of(other)}:
            row = stored.get(key)
            visible = row if row is not None and seen.matches(row) else None
            assert await backend.store.get(SAMPLES, key, seen) == visible


@settings(max_examples=60)
@given(
    some_samples,
    st.lists(st.lists(samples(), max_size=4), max_size=4),
    st.lists(st.lists(st.integers(0, 11), max_size=3), max_size=4),
    sorts(),
    st.integers(1, 4),
)
async def test_a_walk_beside_inserts_and_deletes_skips_and_repeats_no_row_that_stays(
    open_backend: Open,
    records: list[Any],
    between: list[list[Any]],
    deletions: list[list[int]],
    sort: Sort,
    limit: int,
) -> None:
    async with open_backend() as backend:
        await _fill(backend, records)
        places: dict[Key, set[tuple[Any, ...]]] = {}
        deleted: set[Key] = set()
        before = await _note_places(backend, sort, places)
        walked: list[Key] = []
        request = PageRequest(sort=sort, limit=limit)
        while True:
            page = await backend.store.find(SAMPLES, request)
            walked += [SAMPLES.key_of(row) for row in page.rows]
            if page.next_cursor is None:
                break
            if between:
                backend.clock.advance(1)
                await backend.bring(between.pop())
                await _note_places(backend, sort, places)
            if deletions:
                there = [SAMPLES.key_of(row) for row in await backend.everything()]
                gone = [there[place] for place in deletions.pop() if place < len(there)]
                await backend.forget(SAMPLES, gone)
                deleted |= {*gone}
            request = msgspec.structs.replace(request, cursor=page.next_cursor)

        staying = [key for key in before if len(places[key]) == 1 and key not in deleted]
        assert [walked.count(key) for key in staying] == [1] * len(staying)
        assert all(walked.count(key) <= len(places[key]) for key in walked)


async def _note_places(
    backend: Backend, sort: Sort, places: dict[Key, set[tuple[Any, ...]]]
) -> list[Key]:
    rows = await backend.everything()
    for row in rows:
        places.setdefault(SAMPLES.key_of(row), set()).add(sort.position(row))
    return [SAMPLES.key_of(row) for row in rows]


# ---------------------------------------------------------------- single promises


async def test_the_last_page_has_no_cursor(backend: Backend) -> None:
    await backend.bring([sample(number) for number in range(4)])

    first = await _find(backend, limit=2)
    second = await _find(backend, limit=2, cursor=first.next_cursor)

    assert [row.number for row in first.rows] == [0, 1]
    assert [row.number for row in second.rows] == [2, 3]
    assert second.next_cursor is None


async def test_a_cursor_whose_row_has_moved_still_shows_the_place(backend: Backend) -> None:
    await backend.bring([sample(number, price=float(number)) for number in range(4)])
    sort = Sort.parse(SAMPLES, "price")
    first = await _find(backend, sort=sort, limit=2)

    await backend.bring([sample(1, price=9.0)])

    second = await _find(backend, sort=sort, limit=9, cursor=first.next_cursor)
    assert [row.number for row in second.rows] == [2, 3, 1]


@pytest.mark.parametrize("sort", ["rating", "-rating"])
async def test_missing_values_come_last_in_both_directions(backend: Backend, sort: str) -> None:
    await backend.bring([sample(1, rating=None), sample(2, rating=2.0), sample(3, rating=3.0)])

    rows = await _walk(backend, PageRequest(sort=Sort.parse(SAMPLES, sort), limit=1))

    assert rows[-1].number == 1


@pytest.mark.parametrize(
    ("asked", "value"),
    [
        ("note", "a"),
        ("count", "1"),
        ("rating", "1.5"),
        ("state", "on"),
        ("closed_at", "2026-01-01T00:00:00Z"),
    ],
)
@pytest.mark.parametrize("operator", ["ne", "nin"])
async def test_ne_matches_what_may_be_missing(
    backend: Backend, asked: str, value: str, operator: str
) -> None:
    field = SAMPLES.fields[asked]
    same, other = sample(1, **{asked: field.parse(value)}), sample(2)
    await backend.bring([same, other])
    filter = Filter.parse(SAMPLES.fields, [(f"{asked}__{operator}", value)])

    page = await _find(backend, filter=filter)

    assert [row.number for row in page.rows] == [2]


async def test_text_is_in_binary_order(backend: Backend) -> None:
    titles = ["b", "a", "B", "É", "\uffff", "😀", "", "aa", "z"]
    await backend.bring([sample(n, title=title) for n, title in enumerate(titles)])

    page = await _find(backend, sort=Sort.parse(SAMPLES, "title"))

    assert [row.title for row in page.rows] == sorted(titles, key=str.encode)


async def test_an_offset_beyond_the_end_is_an_empty_page(backend: Backend) -> None:
    await backend.bring([sample(1)])

    page = await _find(backend, offset=5)

    assert (page.rows, page.next_cursor) == ([], None)


async def test_nothing_is_counted_unless_asked(backend: Backend) -> None:
    page = await _find(backend)

    assert (page.total, page.total_relation) == (None, None)


@pytest.mark.parametrize("counting", [Counting.EXACT, Counting.BOUNDED])
async def test_a_total_is_of_the_whole_answer(backend: Backend, counting: Counting) -> None:
    await backend.bring([sample(number) for number in range(5)])
    above = Filter((Condition(SAMPLES.fields["number"], Operator.GT, 0),))
    first = await _find(backend, filter=above, limit=2, counting=counting)

    second = await _find(
        backend, filter=above, limit=2, counting=counting, cursor=first.next_cursor
    )

    assert [(page.total, page.total_relation) for page in (first, second)] == [(4, "eq")] * 2


async def test_bounded_counting_stops_at_its_bound(backend: Backend) -> None:
    await backend.bring([sample(number) for number in range(COUNT_BOUND + 1)])

    bounded = await _find(backend, limit=1, counting=Counting.BOUNDED)
    exact = await _find(backend, limit=1, counting=Counting.EXACT)

    assert (bounded.total, bounded.total_relation) == (COUNT_BOUND, "gte")
    assert (exact.total, exact.total_relation) == (COUNT_BOUND + 1, "eq")


async def test_records_can_be_filtered_by_changes_since_a_time(backend: Backend) -> None:
    await backend.bring([sample(1), sample(2)])
    time = backend.clock.now()
    backend.clock.advance(1)
    await backend.bring([sample(2), sample(3)])
    since = Filter((Condition(CHANGED_AT, Operator.GT, time),))

    page = await _find(backend, filter=since)

    assert [row.number for row in page.rows] == [3]


@settings(max_examples=20)
@given(st.lists(samples(), min_size=1, max_size=5))
async def test_rows_come_back_with_the_types_of_their_record(
    open_backend: Open, records: list[Any]
) -> None:
    async with open_backend() as backend:
        await backend.bring(records)

        for row in await backend.everything():
            again = msgspec.convert(msgspec.to_builtins(row), SAMPLES.row, strict=True)
            assert again == row
