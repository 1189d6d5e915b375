"""Exports: all records as NDJSON or CSV, streamed, and never cut short unnoticed."""

import csv
import io
import json
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from application.datasets.query import CHUNK
from domain.errors import QueryTooSlow, StoreUnavailable
from tests.adapters.http.asgi import Conversation
from tests.adapters.http.http_fixture import (
    GAUGES,
    HttpFixture,
    gauge,
    parameter_of,
    posts,
    problem,
)

HEADER = "station,number,level,open,seen_at,state,notes,body,request,limit,sort,_changed_at"


def table(answer: httpx.Response) -> list[list[str]]:
    """Return the rows of a CSV answer, header first."""
    assert answer.status_code == 200, answer.text
    return list(csv.reader(io.StringIO(answer.text, newline="")))


async def one_row(fixture: HttpFixture, **values: Any) -> dict[str, str]:
    """Return a record as CSV shows it."""
    await fixture.bring([gauge(1, **values)], GAUGES)
    names, row = table(await fixture.client.get("/data/gauges?format=csv"))
    return dict(zip(names, row, strict=True))


# ---------------------------------------------------------------- NDJSON


async def test_ndjson_has_one_record_per_line(client: httpx.AsyncClient) -> None:
    answer = await client.get("/data?format=ndjson&user_id=1")

    lines = answer.content.split(b"\n")
    assert lines.pop() == b""
    assert [json.loads(line)["id"] for line in lines] == list(range(1, 11))
    assert list(json.loads(lines[0])) == ["id", "user_id", "title", "body", "_changed_at"]


async def test_ndjson_keeps_line_breaks_inside_a_record_apart(empty: HttpFixture) -> None:
    await empty.bring([gauge(1, body="one\ntwo\r\u2028three"), gauge(2)], GAUGES)

    answer = await empty.client.get("/data/gauges?format=ndjson")

    records = [json.loads(line) for line in answer.content.split(b"\n") if line]
    assert [record["body"] for record in records] == ["one\ntwo\r\u2028three", "a body"]


async def test_an_export_of_nothing_is_empty_but_for_the_header(
    client: httpx.AsyncClient,
) -> None:
    ndjson = await client.get("/data?format=ndjson&user_id=99")
    text = await client.get("/data?format=csv&user_id=99")

    assert (ndjson.status_code, ndjson.content) == (200, b"")
    assert text.text == "id,user_id,title,body,_changed_at\r\n"


# ---------------------------------------------------------------- CSV


async def test_csv_begins_with_the_names_of_its_columns(client: httpx.AsyncClient) -> None:
    answer = await client.get("/data/gauges?format=csv")

    assert answer.text.partition("\r\n")[0] == HEADER
    assert answer.headers["content-type"] == "text/csv; charset=utf-8; header=present"
    assert answer.headers["content-disposition"] == 'attachment; filename="gauges.csv"'


async def test_csv_shows_the_fields_asked_for_and_always_the_key(
    client: httpx.AsyncClient,
) -> None:
    answer = await client.get("/data?format=csv&fields=title&id=7")

    assert answer.text == "id,title\r\n7,title 7\r\n"


@pytest.mark.parametrize("text", ['a "quoted" word', "a, b", "two\nlines", "two\r\nlines", " é "])
async def test_any_text_survives_csv(empty: HttpFixture, text: str) -> None:
    assert (await one_row(empty, body=text))["body"] == text


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
async def test_text_that_a_spreadsheet_would_run_is_shown_as_text(
    empty: HttpFixture, start: str
) -> None:
    row = await one_row(empty, body=f"{start}HYPERLINK()")

    assert row["body"] == f"'{start}HYPERLINK()"


async def test_the_guard_against_formulas_can_be_left_out(empty: HttpFixture) -> None:
    await empty.bring([gauge(1, body="=1+1", state="-frozen", level=-1.0)], GAUGES)

    answer = await empty.client.get("/data/gauges?format=csv&fields=body,state,level&guard=false")

    assert answer.text.splitlines()[1] == "north,1,-1.0,-frozen,=1+1"


async def test_csv_may_begin_with_a_byte_order_mark(client: httpx.AsyncClient) -> None:
    plain = await client.get("/data?format=csv&limit=1")
    marked = await client.get("/data?format=csv&limit=1&bom=true")

    assert marked.content == b"\xef\xbb\xbf" + plain.content
    assert plain.content.startswith(b"id,")


@pytest.mark.parametrize(
    ("delimiter", "expected"),
    [
        ("semicolon", ";"),
        (";", ";"),
        ("tab", "\t"),
        ("%09", "\t"),
        ("pipe", "|"),
        ("comma", ","),
        (",", ","),
    ],
)
async def test_cells_may_be_divided_by_something_else(
    empty: HttpFixture, delimiter: str, expected: str
) -> None:
    await empty.bring([gauge(1, body='a;b|c\td,"e"')], GAUGES)

    answer = await empty.client.get(f"/data/gauges?format=csv&fields=body&delimiter={delimiter}")

    read = csv.reader(io.StringIO(answer.text, newline=""), delimiter=expected)
    assert list(read) == [["station", "number", "body"], ["north", "1", 'a;b|c\td,"e"']]


@pytest.mark.parametrize("option", ["bom=true", "delimiter=tab", "guard=false"])
@pytest.mark.parametrize("format", ["json", "ndjson"])
async def test_options_of_csv_are_refused_elsewhere(
    client: httpx.AsyncClient, option: str, format: str
) -> None:
    answer = await client.get(f"/data?format={format}&{option}")

    assert parameter_of(problem(answer, 400, "malformed_query")) == option.partition("=")[0]


@pytest.mark.parametrize("option", ["bom=1", "delimiter=x", "delimiter=%0A", "guard=no"])
async def test_an_option_of_csv_has_one_of_its_values(
    client: httpx.AsyncClient, option: str
) -> None:
    answer = await client.get(f"/data?format=csv&{option}")

    assert parameter_of(problem(answer, 422, "invalid_value")) == option.partition("=")[0]


async def test_numbers_are_never_taken_for_formulas(empty: HttpFixture) -> None:
    row = await one_row(empty, level=-1.5, limit=-3)

    assert (row["level"], row["limit"]) == ("-1.5", "-3")


async def test_missing_values_are_empty_cells(empty: HttpFixture) -> None:
    row = await one_row(empty)

    assert (row["level"], row["open"], row["seen_at"], row["state"]) == ("", "", "", "")


async def test_lists_booleans_and_times_are_written_as_in_json(empty: HttpFixture) -> None:
    row = await one_row(
        empty,
        notes=["a", 'b"c', "=d"],
        open=True,
        seen_at=datetime(2026, 1, 2, 3, 4, 5, 600_000, tzinfo=UTC),
    )

    assert json.loads(row["notes"]) == ["a", 'b"c', "=d"]
    assert row["open"] == "true"
    assert row["seen_at"] == "2026-01-02T03:04:05.600000Z"
    assert row["_changed_at"] == "2026-01-01T00:01:01.000000Z"


# ---------------------------------------------------------------- all records


@pytest.mark.parametrize("format", ["ndjson", "csv"])
async def test_an_export_is_the_whole_answer_however_many_chunks(
    empty: HttpFixture, format: str
) -> None:
    await empty.bring(posts(2 * CHUNK + 500))

    answer = await empty.client.get(f"/data?format={format}&fields=id&sort=-id&id__gt=10")

    lines = answer.text.replace('{"id":', "").replace("}", "").split()
    numbers = [int(line) for line in lines if line != "id"]
    assert numbers == list(range(2 * CHUNK + 500, 10, -1))
    assert empty.broken.pages == 3


@pytest.mark.parametrize("control", ["offset=5", "cursor=x", "count=exact", "count=bounded"])
@pytest.mark.parametrize("format", ["ndjson", "csv"])
async def test_an_export_has_no_pages(client: httpx.AsyncClient, control: str, format: str) -> None:
    answer = await client.get(f"/data?format={format}&{control}")

    body = problem(answer, 400, "malformed_query")
    assert parameter_of(body) == control.partition("=")[0]


async def test_an_export_asked_for_by_accept_has_no_pages_either(
    client: httpx.AsyncClient,
) -> None:
    answer = await client.get("/data?offset=5", headers={"Accept": "text/csv"})

    assert parameter_of(problem(answer, 400, "malformed_query")) == "offset"


@pytest.mark.parametrize("format", ["ndjson", "csv"])
@pytest.mark.parametrize("most", [0, 1, 500, CHUNK, CHUNK + 1, 2 * CHUNK + 500, 999_999_999])
async def test_an_export_has_as_many_records_as_are_asked_for(
    empty: HttpFixture, format: str, most: int
) -> None:
    await empty.bring(posts(2 * CHUNK + 500))

    answer = await empty.client.get(f"/data?format={format}&fields=id&sort=-id&limit={most}")

    lines = answer.text.replace('{"id":', "").replace("}", "").split()
    numbers = [int(line) for line in lines if line != "id"]
    assert numbers == list(range(2 * CHUNK + 500, 0, -1))[:most]


async def test_a_page_has_its_own_limit(client: httpx.AsyncClient) -> None:
    answer = await client.get("/data?limit=501")

    assert parameter_of(problem(answer, 422, "invalid_value")) == "limit"


async def test_a_failure_before_the_first_record_is_a_problem(fixture: HttpFixture) -> None:
    fixture.broken.failure = QueryTooSlow("too slow")

    answer = await fixture.client.get("/data?format=csv")

    problem(answer, 503, "query_too_slow")


@pytest.mark.parametrize("format", ["ndjson", "csv"])
async def test_a_failure_midway_breaks_off_and_adds_nothing(
    empty: HttpFixture, format: str
) -> None:
    await empty.bring(posts(2 * CHUNK))
    empty.broken.failure = StoreUnavailable("gone")
    empty.broken.fails_after = 1
    conversation = Conversation(empty.app)

    with pytest.raises(StoreUnavailable):
        await conversation.get(f"/data?format={format}&fields=id")

    lines = conversation.body.split()
    assert conversation.status == 200
    assert not conversation.finished
    assert lines[-1] in (b"1000", b'{"id":1000}')
    assert b"gone" not in conversation.body


async def test_a_failure_midway_breaks_the_connection(empty: HttpFixture, serving: Any) -> None:
    await empty.bring(posts(2 * CHUNK))
    empty.broken.failure = StoreUnavailable("gone")
    empty.broken.fails_after = 1

    async with serving(empty) as address, httpx.AsyncClient(base_url=address) as client:
        with pytest.raises(httpx.RemoteProtocolError):
            await client.get("/data?format=ndjson")


async def test_a_client_that_leaves_early_stops_the_walk(empty: HttpFixture) -> None:
    await empty.bring(posts(5 * CHUNK))
    conversation = Conversation(empty.app)
    conversation.leaves_after = 2

    await conversation.get("/data?format=ndjson")

    assert empty.broken.pages <= 4
    assert not conversation.finished
