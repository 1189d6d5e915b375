"""Guesses over the shapes in which upstreams answer: sure where that is right, else asked."""

import tomllib
from collections.abc import Mapping
from typing import Any

import pytest

from domain.declarations import declarations_of
from domain.guessed_fields import FieldGuess, guess_fields, guess_keys
from domain.guessed_pages import FirstAnswer, guess_pages, told_total
from domain.guessed_records import guess_records
from domain.pointers import Pointer
from domain.written_blocks import written_block

URL = "https://api.example.com/items"


def items(count: int, start: int = 1) -> list[dict[str, Any]]:
    return [{"id": n, "name": f"name {n}"} for n in range(start, start + count)]


# ---------------------------------------------------------------- records


@pytest.mark.parametrize(
    ("body", "pointer", "sure"),
    [
        (items(3), "", True),
        ({"count": 3, "results": items(3)}, "/results", True),
        ({"data": {"things": items(3)}, "meta": {"tags": ["a", "b"]}}, "/data/things", True),
        ({"ok": True, "data": items(1), "about": "x" * 500}, "/data", True),
        ({"a": items(3), "b": items(2), "c": items(2)}, "/a", False),
        ({"repositories": ["a", "b"]}, "/repositories", True),
        ({"rows": [[n, "a name"] for n in range(9)], "facets": items(1)}, "/rows", False),
        ({f"k{n}": {"id": n, "v": n} for n in range(6)}, "", False),
        ({"rates": {f"k{n}": {"id": n, "v": n} for n in range(6)}}, "/rates/*", True),
        ({"one": 1, "two": {"three": 3}}, "", False),
        ({"a": {"b": {"c": {"d": items(2)}}}}, "/a/b/c/d", True),
    ],
)
def test_the_list_of_records_is_found(body: Any, pointer: str, sure: bool) -> None:
    guess = guess_records(body)[0]
    assert (str(guess.pointer), guess.sure) == (pointer, sure)


def test_rows_have_the_names_of_their_columns() -> None:
    body = {"columns": ["id", "name"], "rows": [[1, "a"], [2, "b"]], "took": [1]}
    guess = guess_records(body)[0]
    assert (guess.columns, guess.sure) == (Pointer(("columns",)), True)
    assert guess.elements == [{"id": 1, "name": "a"}, {"id": 2, "name": "b"}]


def test_rows_without_names_are_asked_about() -> None:
    assert not guess_records({"rows": [[1, 2], [3, 4]]})[0].sure
    assert guess_records([[1, 2]])[0].columns is None


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ([], "an empty list: ask again when there is a record"),
        ({"results": []}, "/results is an empty list"),
        ({}, "the answer holds no records"),
        ("text", "the answer holds no records"),
    ],
)
def test_nothing_is_made_of_nothing(body: Any, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        guess_records(body)


# ---------------------------------------------------------------- pages


def ways(body: Any, headers: Mapping[str, str] | None = None, **more: Any) -> list[Any]:
    answer = FirstAnswer(url=more.pop("url", URL), headers=headers or {}, body=body, **more)
    return [guess.block for guess in guess_pages(answer, guess_records(body)[0])]


@pytest.mark.parametrize(
    ("body", "headers", "more", "block"),
    [
        (items(3), {}, {"next_link": f"{URL}?page=2"}, "link"),
        (
            items(3),
            {"x-total-count": "9"},
            {"next_link": f"{URL}?page=2"},
            {"link": True, "total_header": "x-total-count"},
        ),
        (items(3), {"x-next": f"{URL}?p=2"}, {}, {"next_header": "x-next"}),
        ({"d": items(3), "next": f"{URL}?p=2"}, {}, {}, {"next": "/next"}),
        ({"d": items(3), "links": {"next": {"href": "/p2"}}}, {}, {}, {"next": "/links/next"}),
        (
            {"d": items(3), "links": [{"rel": "self"}, {"rel": "next", "href": "/p2"}]},
            {},
            {},
            {"next": "/links"},
        ),
        (
            {"d": items(3), "page": 1, "pages": 4, "total": 12},
            {},
            {},
            {"number": "page", "last": "/pages", "total": "/total"},
        ),
        (
            {"d": items(3), "next_page_token": "abc"},
            {},
            {},
            {"token": "/next_page_token", "send": "page_token"},
        ),
        (
            {"d": items(3), "nextPageToken": 7},
            {},
            {},
            {"token": "/nextPageToken", "send": "pageToken"},
        ),
        ({"d": items(3), "next": {"k": 1}}, {}, {}, {"token": "/next", "send": "next"}),
        ({"d": items(3), "last_seq": 3}, {}, {}, {"token": "/last_seq", "send": "since"}),
        ({"d": items(3), "offset": 0, "limit": 3}, {}, {}, {"offset": "offset"}),
        (
            {"d": items(3), "has_more": True},
            {},
            {},
            {"after": "/id", "send": "starting_after", "more": "/has_more"},
        ),
        (items(3), {}, {"url": f"{URL}?page=3"}, {"number": "page", "from": 3}),
        (items(3), {}, {"url": f"{URL}?page=1"}, {"number": "page"}),
        (items(3), {}, {"url": f"{URL}?skip=0"}, {"offset": "skip"}),
        (items(50), {}, {}, {"number": "page"}),
        ({"d": items(3), "total": 7}, {}, {}, {"number": "page", "total": "/total"}),
    ],
)
def test_the_way_to_the_next_page_is_among_the_first_guesses(
    body: Any, headers: Mapping[str, str], more: dict[str, Any], block: Any
) -> None:
    assert block in ways(body, headers, **more)[:2]


def test_an_answer_that_says_nothing_of_more_suggests_no_page() -> None:
    assert ways(items(7)) == []
    assert ways({"d": ["a", "b"], "has_more": True}) == []
    assert ways({"d": items(3), "next_cursor": [1]}) == []
    assert ways({"d": items(3), "has_more": False, "pages": 1, "next": None}) == []


def test_the_number_of_all_records_is_in_the_body_or_in_a_header() -> None:
    body = {"d": items(1), "meta": {"total_count": 5}}
    assert told_total(FirstAnswer(url=URL, body=body)) == ({"total": "/meta/total_count"}, 5)
    headers = {"x-total-count": "7"}
    assert told_total(FirstAnswer(url=URL, headers=headers, body=body)) == (
        {"total_header": "x-total-count"},
        7,
    )
    assert told_total(FirstAnswer(url=URL, body=items(1))) is None
    assert told_total(FirstAnswer(url=URL, body={"total": True})) is None


# ---------------------------------------------------------------- fields and keys


def types(elements: list[Any]) -> dict[str, str]:
    fields = guess_fields(elements).fields
    return {field.name: field.type + ("?" if field.nullable else "") for field in fields}


def test_types_are_those_that_all_values_have() -> None:
    elements = [
        {"id": 1, "n": 1, "f": 1.5, "b": True, "t": "2026-01-01T00:00:00Z", "s": "x", "l": ["a"]},
        {"id": 2, "n": 2.5, "f": 2, "b": False, "t": "2026-01-02T00:00:00Z", "s": "1", "l": []},
    ]
    assert types(elements) == {
        "id": "integer", "n": "number", "f": "number", "b": "boolean",
        "t": "datetime", "s": "string", "l": "list",
    }  # fmt: skip


def test_a_value_that_is_null_or_missing_anywhere_may_be_null() -> None:
    assert types([{"id": 1, "a": 1, "b": 2}, {"id": 2, "a": None}]) == {
        "id": "integer",
        "a": "integer?",
        "b": "integer?",
    }


def test_text_that_looks_like_numbers_stays_text_and_a_naive_time_too() -> None:
    elements = [{"id": 1, "price": "1.5", "at": "2026-01-01T00:00:00"}]
    assert types(elements) == {"id": "integer", "price": "string", "at": "string"}
    assert types([{"t": "2026-01-01T00:00:00Z"}, {"t": "soon"}]) == {"t": "string"}
    assert types([{"n": 2**70}]) == {"n": "number"}


def test_nested_objects_are_flattened_and_named_as_a_column() -> None:
    elements = [{"ID": 1, "ownerName": {"at": {"cityName": "Bern", "far": {"too": {"x": 1}}}}}]
    guess = guess_fields(elements)
    assert [(f.name, str(f.pointer)) for f in guess.fields] == [
        ("id", "/ID"),
        ("city_name", "/ownerName/at/cityName"),
    ]
    assert [str(each.pointer) for each in guess.left_out] == ["/ownerName/at/far"]


def test_a_name_that_is_taken_is_made_of_more_steps_and_at_last_numbered() -> None:
    elements = [{"id": 1, "a": {"id": 2}, "b": {"id": 3}, "a_id": 4, "é": 5, "1": 6, "A-ID": 7}]
    names = [field.name for field in guess_fields(elements).fields]
    assert names == ["id", "a_id", "b_id", "a_id_2", "f", "f_1", "a_id_3"]


def test_what_is_always_null_or_no_single_type_is_left_out_and_said() -> None:
    left_out = guess_fields([{"id": 1, "n": None, "o": [{"x": 1}], "m": 1}, {"id": 2, "m": "x"}])
    assert {str(each.pointer): each.reason.split()[0] for each in left_out.left_out} == {
        "/n": "is",
        "/o": "holds",
        "/m": "holds",
    }


def test_a_list_of_texts_is_one_field() -> None:
    [field] = guess_fields(["a", "b"]).fields
    assert (field.name, field.type, str(field.pointer)) == ("id", "string", "")
    assert guess_fields(["a", None]).fields[0].nullable


def keys(elements: list[Any]) -> list[tuple[str, bool]]:
    guesses = guess_keys(guess_fields(elements).fields, elements)
    return [(guess.name, guess.sure) for guess in guesses]


def test_the_key_is_unique_present_and_named_like_one() -> None:
    assert keys(items(20)) == [("id", True), ("name", False)]
    assert keys(items(19)) == [("id", False), ("name", False)]
    assert keys([{"id": 1, "x": 2.5}, {"id": 1, "x": 3.5}]) == []
    assert keys([{"u": "https://a/1"}, {"u": "https://a/2"}]) == []
    assert keys([{"u": ""}, {"u": "a"}]) == []
    several = [{"a_id": n, "b_id": n} for n in range(30)]
    assert keys(several) == [("a_id", False), ("b_id", False)]


# ---------------------------------------------------------------- blocks


def test_a_block_is_written_as_it_is_read() -> None:
    body = {"columns": ["id", "né"], "rows": [[1, 'a"\\\x7f\n'], [2, None]]}
    records = guess_records(body)[0]
    fields = guess_fields(records.elements)
    text = written_block(
        "things",
        url=f"{URL}?q=a%20b",
        format="json",
        records=records,
        pages={"next": "/@odata.nextLink", "total": "/n"},
        key=["id"],
        fields=fields.fields,
        auth={"bearer": {"env": "KEY"}},
    )
    declared = declarations_of(tomllib.loads(text)).datasets["things"]
    [source] = declared.sources
    assert source.records == records.pointer
    assert source.columns == records.columns
    assert [str(plan.origin.pointer) for plan in source.fields] == ["/id", "/né"]
    assert declared.dataset.key == ("id",)


def test_a_block_says_what_differs_from_the_usual() -> None:
    field = FieldGuess(
        name="id", pointer=Pointer(("id",)), type="string", nullable=False, example="a"
    )
    records = guess_records([{"id": "a"}])[0]
    text = written_block(
        "t", url=URL, format="csv", records=records, pages="link", key=["id", "x"], fields=[field]
    )
    assert text == (
        f'[datasets.t]\nurl = "{URL}"\nformat = "csv"\npages = "link"\nkey = ["id", "x"]\n'
        '[datasets.t.fields]\nid = "string"\n'
    )
    odd = written_block(
        "t", url=URL, format="json", records=records, pages=None, key=["id"], fields=[],
        left_out=guess_fields([{"id": 1, "n": None}]).left_out, auth={"a b": ["c", 1, True]},
    )  # fmt: skip
    assert 'auth = { "a b" = ["c", 1, true] }' in odd
    assert odd.endswith("# left out: /n is always null\n")
