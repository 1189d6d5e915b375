"""All backends give equal results for any query: rows, order, cursors and totals."""

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.dataset import Key
from domain.filters import Condition, Filter, Operator, operators_of
from domain.paging import Counting, PageRequest
from tests.contract.backends import BACKENDS, Backend
from tests.strategies import SAMPLES, filters, samples, sorts

#: What the letters of one engine's locale, pattern or JSON may mean to another.
NASTY = [
    *"aAbBzZ éÉßſİıΣσςK",  # the last one is the sign for kelvin, which folds to k
    *("e\u0301", "\u0301", "\u200b", "\u00a0", "\u2028", "\ufeff", "\uffff", "\U0010ffff"),
    *(
        "😀",
        "👩‍👩‍👧",
        "'",
        '"',
        "\\",
        "\\u0041",
        "%",
        "_",
        "*",
        "?",
        "[",
        "]",
        ",",
        "\n",
        "\t",
        "\x01",
    ),
    *("null", "true", "1", "{}", "$1", ":x", "--"),
]
nasty = st.lists(st.sampled_from(NASTY), max_size=4).map("".join)


def nastier_samples() -> st.SearchStrategy[Any]:
    """Return records with difficult texts."""
    tags = st.lists(nasty, max_size=3)
    return st.builds(
        msgspec.structs.replace,
        samples(),
        title=nasty,
        note=st.none() | nasty,
        tags=tags,
        labels=st.none() | tags,
    )


@st.composite
def nastier_filters(draw: st.DrawFn) -> Filter:
    """Return a condition on a text, from the characters the texts are made of."""
    field = SAMPLES.fields[draw(st.sampled_from(["title", "note", "tags", "labels"]))]
    operator = draw(st.sampled_from([o for o in operators_of(field) if o is not Operator.ISNULL]))
    value: Any = draw(nasty)
    if operator.takes_list:
        value = tuple(sorted(draw(st.lists(nasty, min_size=2, max_size=2))))
    return Filter((Condition(field, operator, value),))


@st.composite
def requests(draw: st.DrawFn) -> PageRequest:
    """Return any query."""
    return PageRequest(
        filter=draw(filters | nastier_filters()),
        sort=draw(sorts()),
        limit=draw(st.integers(1, 5)),
        offset=draw(st.integers(0, 3)),
        counting=draw(st.sampled_from(Counting)),
    )


async def walked(backend: Backend, request: PageRequest) -> list[Any]:
    """Return every page of the answer, as a user reads it, with its cursor."""
    pages = []
    while True:
        page = await backend.store.find(SAMPLES, request)
        pages.append((msgspec.json.encode(page.rows), page.next_cursor, page.total))
        if page.next_cursor is None:
            return pages
        request = msgspec.structs.replace(request, cursor=page.next_cursor, offset=0)


async def answers(
    backend: Backend, merges: list[list[Any]], asked: list[PageRequest], keys: set[Key]
) -> list[Any]:
    """Return one backend's results of all writes and queries."""
    results: list[Any] = []
    for records in merges:
        backend.clock.advance(1)
        results.append(await backend.bring(records))
    for request in asked:
        results.append(await walked(backend, request))
        results.append(await backend.store.count(SAMPLES, request.filter))
        rows = [await backend.store.get(SAMPLES, key, request.filter) for key in sorted(keys)]
        results.append(msgspec.json.encode(rows))
    freshness = await backend.store.freshness(SAMPLES)
    return [*results, freshness.seq, freshness.checkpoints]


@pytest.mark.postgres
@settings(max_examples=60)
@given(
    st.lists(st.lists(nastier_samples(), max_size=8), min_size=1, max_size=3),
    st.lists(requests(), min_size=1, max_size=4),
)
async def test_all_backends_give_equal_results(
    merges: list[list[Any]], asked: list[PageRequest]
) -> None:
    keys = {SAMPLES.key_of(record) for records in merges for record in records}
    results = {}
    for name, open_backend in BACKENDS.items():
        async with open_backend() as backend:
            results[name] = await answers(backend, merges, asked, keys)

    assert results["sqlite"] == results["memory"]
    assert results["postgres"] == results["memory"]
