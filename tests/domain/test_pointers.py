"""JSON Pointers find what RFC 6901 says, and every element by the step `*`."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.pointers import MISSING, Pointer, parse_pointer

BODY: dict[str, Any] = {
    "data": [{"id": 1}, {"id": 2, "a/b": {"m~n": "deep"}}],
    "*": "star",
    "": "blank",
    "rates": {"EUR": 1.1, "CHF": 0.9},
}


@pytest.mark.parametrize(
    ("pointer", "found"),
    [
        ("", BODY),
        ("/data/0/id", 1),
        ("/data/1/a~1b/m~0n", "deep"),
        ("/~2", "star"),
        ("/", "blank"),
        ("/data/2", MISSING),
        ("/data/-1", MISSING),
        ("/data/01", MISSING),
        ("/data/9999999999999", MISSING),
        ("/data/x", MISSING),
        ("/data/0/id/x", MISSING),
        ("/data/0/id/0", MISSING),
        ("/nothing/0", MISSING),
    ],
)
def test_a_pointer_leads_to_one_value_or_to_nothing(pointer: str, found: Any) -> None:
    assert parse_pointer(pointer).find(BODY) == found


def test_a_star_leads_to_every_element_and_every_member() -> None:
    assert list(parse_pointer("/data/*/id").find_all(BODY)) == [
        ("/data/0/id", 1),
        ("/data/1/id", 2),
    ]
    assert list(parse_pointer("/rates/*").find_all(BODY)) == [
        ("/rates/EUR", 1.1),
        ("/rates/CHF", 0.9),
    ]
    assert list(parse_pointer("/nothing/*").find_all(BODY)) == []
    assert list(parse_pointer("/*").find_all(None)) == []
    assert not parse_pointer("/data/*").is_single
    assert parse_pointer("/data").is_single
    assert str(parse_pointer("/data/*/~2")) == "/data/*/~2"


@pytest.mark.parametrize(
    ("text", "expected"),
    [("data", "expected a JSON Pointer, such as /data"), ("/*/x/*", "at most one step \\*")],
)
def test_what_is_no_pointer_is_refused(text: str, expected: str) -> None:
    with pytest.raises(ValueError, match=expected):
        parse_pointer(text)


@given(st.lists(st.text(), max_size=4))
def test_a_pointer_is_written_as_it_is_read(steps: list[str]) -> None:
    assert parse_pointer(str(Pointer(tuple(steps)))).steps == tuple(steps)


@given(st.lists(st.text(max_size=5), min_size=1, max_size=4), st.integers())
def test_what_is_put_at_a_pointer_is_found_there(steps: list[str], value: int) -> None:
    body: Any = value
    for step in reversed(steps):
        body = {step: body}
    assert Pointer(tuple(steps)).find(body) == value


def test_every_found_place_leads_back_to_its_value() -> None:
    for pointer in ("/data/*", "/rates/*", "/data/*/a~1b"):
        for place, value in parse_pointer(pointer).find_all(BODY):
            assert parse_pointer(place).find(BODY) == value
