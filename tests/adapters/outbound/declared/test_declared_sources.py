"""Bodies of every shape become the records that a block declares."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from domain.errors import UnexpectedContent
from domain.payloads import Batch, Payload
from tests.adapters.outbound.declared.blocks import source_from

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def read(block: str, body: Any, content_type: str = "application/json") -> Batch[Any]:
    """Return what a block of fields, and what else it says, reads in a body."""
    raw = body if isinstance(body, bytes) else msgspec.json.encode(body)
    payload = Payload(url="http://h/", body=raw, content_type=content_type, received_at=NOON)
    return source_from(block).normalise(payload)


def values(block: str, body: Any, content_type: str = "application/json") -> list[Any]:
    """Return the records as tuples, once none of them was rejected."""
    batch = read(block, body, content_type)
    assert batch.rejections == []
    return [msgspec.structs.astuple(record) for record in batch.records]


def reasons(block: str, body: Any) -> list[tuple[str, str]]:
    """Return where and why records are rejected, once all of them were."""
    batch = read(block, body)
    assert batch.records == []
    return [(each.pointer, each.reason) for each in batch.rejections]


FLAT = 'fields = { id = "integer", name = "string?" }'


@pytest.mark.parametrize(
    ("block", "body"),
    [
        (FLAT, [{"id": 1, "name": "a", "x": 3}, {"id": 2}]),
        (
            'records = "/data/items"\n' + FLAT,
            {"data": {"items": [{"id": 1, "name": "a"}, {"id": 2}]}},
        ),
        ('records = "/0"\n' + FLAT, [[{"id": 1, "name": "a"}, {"id": 2, "name": None}]]),
        ('records = "/m/*"\n' + FLAT, {"m": {"x": {"id": 1, "name": "a"}, "y": {"id": 2}}}),
        ('records = "/*/doc"\n' + FLAT, [{"doc": {"id": 1, "name": "a"}}, {"doc": {"id": 2}}]),
        (
            'records = "/rows"\ncolumns = "/columns"\n' + FLAT,
            {"columns": ["name", "id"], "rows": [["a", 1], [None, 2]]},
        ),
        ('format = "ndjson"\n' + FLAT, b'{"id":1,"name":"a"}\n\n{"id":2}\n'),
        ('format = "csv"\n' + FLAT, b"ID,Name\n1,a\n2,\n"),
        (
            'format = "csv"\n'
            'fields = { id = "integer", name = { type = "string?", from = "/Full Name" } }',
            b"Full name;id\na;1\n;2\n",
        ),
    ],
)
def test_records_are_found_wherever_the_block_says(block: str, body: Any) -> None:
    assert values(block, body) == [(1, "a"), (2, None)]


def test_an_object_in_place_of_the_list_is_one_record() -> None:
    assert values('records = "/me"\n' + FLAT, {"me": {"id": 1, "name": "a"}}) == [(1, "a")]


def test_a_list_of_texts_gives_records_of_one_value() -> None:
    block = 'records = "/names"\nfields = { id = { type = "string", from = "" } }'
    assert values(block, {"names": ["a", "b"]}) == [("a",), ("b",)]


def test_nested_values_are_found_and_may_be_missing_all_the_way() -> None:
    block = """
        fields.id = "integer"
        fields.owner = { type = "string?", from = "/owner/name" }
        fields.city = { type = "string?", from = "/owner/at/city" }
        fields.first = { type = "string?", from = "/tags/0/name" }"""
    body = [
        {"id": 1, "owner": {"name": "ann", "at": {"city": "Bern"}}, "tags": [{"name": "t"}]},
        {"id": 2, "owner": None, "tags": []},
        {"id": 3, "owner": {"at": None}},
    ]
    assert values(block, body) == [
        (1, "ann", "Bern", "t"),
        (2, None, None, None),
        (3, None, None, None),
    ]


def test_a_value_and_one_inside_it_can_both_be_kept() -> None:
    block = """
        fields.id = "integer"
        fields.owner = { type = "string", as = "json" }
        fields.name = { type = "string", from = "/owner/name" }"""
    body = [{"id": 1, "owner": {"name": "ann", "n": 1}}]
    assert values(block, body) == [(1, '{"name":"ann","n":1}', "ann")]


def test_what_is_around_a_record_can_be_kept_with_it() -> None:
    block = """
        records = "/rates/*"
        fields.id = { type = "string", from = "#" }
        fields.rate = { type = "number", from = "" }
        fields.base = { type = "string", from = "$/base" }
        fields.source = { type = "string", from = "@source" }
        fields.kind = { type = "string", const = "fx" }"""
    body = {"base": "USD", "rates": {"EUR": 0.9, "CHF": 1}}
    assert values(block, body) == [
        ("EUR", 0.9, "USD", "things", "fx"),
        ("CHF", 1.0, "USD", "things", "fx"),
    ]


def test_the_position_in_a_list_can_be_kept() -> None:
    block = """records = "/list"
        fields = { id = { type = "integer", from = "#", as = "text" }, v = "string" }"""
    assert values(block, {"list": [{"v": "a"}, {"v": "b"}]}) == [(0, "a"), (1, "b")]


@pytest.mark.parametrize(
    ("plan", "value", "kept"),
    [
        ('{ type = "datetime", as = "seconds" }', 1767268800, NOON),
        ('{ type = "datetime", as = "seconds" }', "1767268800.0", NOON),
        ('{ type = "datetime", as = "milliseconds" }', 1767268800000, NOON),
        ('{ type = "datetime", as = "date" }', "2026-01-01", datetime(2026, 1, 1, tzinfo=UTC)),
        ('{ type = "datetime", as = "http" }', "Thu, 01 Jan 2026 12:00:00 GMT", NOON),
        ('{ type = "datetime", as = "%d.%m.%Y %H:%M" }', "01.01.2026 12:00", NOON),
        ('{ type = "datetime", zone = "Europe/Berlin" }', "2026-01-01T13:00:00", NOON),
        ('{ type = "datetime", zone = "Europe/Berlin" }', "2026-01-01T12:00:00Z", NOON),
        (
            '{ type = "datetime", zone = "Europe/Berlin", as = "%Y %m %d %H" }',
            "2026 01 01 13",
            NOON,
        ),
        ('{ type = "datetime" }', "2026-01-01T12:00:00Z", NOON),
        ('{ type = "number", as = "text" }', "586.19", 586.19),
        ('{ type = "number", as = "text" }', 586, 586.0),
        ('{ type = "integer", as = "text" }', "7", 7),
        ('{ type = "boolean", as = "number" }', 1, True),
        ('{ type = "boolean", as = "number" }', 0, False),
        ('{ type = "string", as = "json" }', {"a": [1]}, '{"a":[1]}'),
        ('{ type = "string?", null = ["", "N/A"] }', "N/A", None),
        ('{ type = "string?", null = ["", "N/A"] }', "x", "x"),
        ('{ type = "number?", null = ["-"] }', 5, 5.0),
        ('{ type = "datetime?", as = "seconds" }', None, None),
        ('{ type = "string", choices = ["a", "b"] }', "b", "b"),
        ('{ type = "list" }', ["a", "b"], ["a", "b"]),
        ('{ type = "list?" }', None, None),
    ],
)
def test_values_are_read_as_they_are_written(plan: str, value: Any, kept: Any) -> None:
    block = f'fields = {{ id = "integer", v = {plan} }}'
    assert values(block, [{"id": 1, "v": value}]) == [(1, kept)]


@pytest.mark.parametrize(
    ("plan", "value", "reason"),
    [
        ('{ type = "datetime", as = "seconds" }', "soon", "v: expected a finite number"),
        ('{ type = "datetime", as = "seconds" }', 1e18, "v: the time lies outside the years"),
        ('{ type = "datetime", as = "http" }', "soon", "v: expected a date such as Sun, 06 Nov"),
        ('{ type = "datetime", as = "date" }', "1.1.2026", "v: expected a time as %Y-%m-%d"),
        ('{ type = "datetime", as = "date" }', 5, "v: expected text"),
        ('{ type = "datetime", zone = "UTC" }', "noon", "v: expected a time"),
        ('{ type = "boolean", as = "number" }', 2, "v: expected 0 or 1"),
        ('{ type = "number", as = "text" }', "many", "v: expected a finite number"),
        ('{ type = "integer", as = "text" }', 1.5, "v: expected a whole number"),
        ('{ type = "string", null = ["-"] }', "-", "v is missing"),
        ('{ type = "string", as = "json" }', None, "v is missing"),
        ('{ type = "string", null = ["-"] }', 5, "v: Expected `str`, got `int`"),
        ('{ type = "string", choices = ["a"] }', "b", "Invalid enum value 'b'"),
    ],
)
def test_a_value_that_is_not_so_is_rejected_with_its_reason(
    plan: str, value: Any, reason: str
) -> None:
    block = f'fields = {{ id = "integer", v = {plan} }}'
    [(_, found)] = reasons(block, [{"id": 1, "v": value}])
    assert found.startswith(reason)


@pytest.mark.parametrize(
    ("block", "body", "place"),
    [
        (FLAT, [{"id": "x"}], "/0/id"),
        ('records = "/d"\n' + FLAT, {"d": [{"name": "a"}]}, "/d/0"),
        ('records = "/m/*"\n' + FLAT, {"m": {"a": 3}}, "/m/a"),
        ('format = "ndjson"\n' + FLAT, b"nonsense\n", "/line 1"),
        ('records = "/r"\ncolumns = "/c"\n' + FLAT, {"c": ["id"], "r": [3]}, "/r/0"),
        ('fields = { id = { type = "integer", from = "/a/0" } }', [{"a": []}], "/0"),
        ('fields = { id = { type = "integer", from = "/a/0" } }', [{"a": ["x"]}], "/0"),
        ('fields = { id = { type = "string", from = "" } }', [3], "/0"),
        ('fields = { id = { type = "string", from = "" } }', [None], "/0"),
    ],
)
def test_a_record_that_cannot_be_read_is_rejected_at_its_place(
    block: str, body: Any, place: str
) -> None:
    [(found, _)] = reasons(block, body)
    assert found == place


@pytest.mark.parametrize(
    ("block", "body", "reason"),
    [
        ('records = "/data"\n' + FLAT, {"error": "no"}, "the body has nothing at /data"),
        ('records = "/data/x"\n' + FLAT, {"data": 3}, "the body has nothing at /data"),
        ('records = "/data"\n' + FLAT, b'{"data": [', "the body is not valid JSON"),
        ('records = "/data"\n' + FLAT, {"data": 3}, "and a JSON list was expected"),
        ('records = "/r"\ncolumns = "/c"\n' + FLAT, {"c": 3, "r": []}, "is not a list of names"),
    ],
)
def test_a_body_that_is_not_what_the_block_says_fails(block: str, body: Any, reason: str) -> None:
    with pytest.raises(UnexpectedContent, match=reason):
        read(block, body)


def test_an_even_deeper_nesting_is_a_failure_and_no_crash() -> None:
    body = b'{"data":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    with pytest.raises(UnexpectedContent):
        read('records = "/data"\n' + FLAT, body)


def test_equal_blocks_read_by_the_same_version() -> None:
    assert source_from(FLAT).normaliser_version == source_from(FLAT).normaliser_version
    assert source_from(FLAT).normaliser_version.startswith("declared-")


def test_the_name_of_a_source_is_that_of_its_dataset() -> None:
    assert source_from(FLAT).name == "things"
