"""Content negotiation: which of the three formats a client gets, if any."""

import httpx
import pytest

from tests.adapters.http.http_fixture import problem

JSON = "application/json"
NDJSON = "application/x-ndjson"
CSV = "text/csv; charset=utf-8; header=present"


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("", JSON),
        ("*/*", JSON),
        ("application/json", JSON),
        ("application/*", JSON),
        ("Application/JSON", JSON),
        ("application/json; charset=utf-8", JSON),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", JSON),
        ("text/csv", CSV),
        ("text/*", CSV),
        ("text/csv;header=present", CSV),
        ("text/csv, application/json", JSON),
        ("text/csv, application/json;q=0.9", CSV),
        ("text/csv, application/json;q=0.9, */*;q=0.1", CSV),
        ("application/x-ndjson", NDJSON),
        ("application/x-ndjson;q=0.5, text/csv;q=0.4", NDJSON),
        ("application/json;q=0, */*", NDJSON),
        ("application/json;q=0, application/x-ndjson;q=0, */*;q=0.001", CSV),
        ("image/png, application/json;q=0.001", JSON),
        ("text/csv;q=1.5, application/json;q=0.1", JSON),
        ("text/csv;q=two, application/json;q=0.1", JSON),
        ("*", JSON),
        ("text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2", JSON),
        ("text/csv;q=.3, application/json;q=.25", CSV),
        ("text/csv; Q = 0.8765, application/json;q=0.5", CSV),
        ("text/csv;q=0., application/json;q=.1", JSON),
        ("text/csv;q=., application/json;q=.1", JSON),
        ("application/jsonl", NDJSON),
        ("application/ndjson", NDJSON),
        ("application/x-jsonlines, application/json;q=0.5", NDJSON),
    ],
)
async def test_the_format_the_client_likes_best_is_sent(
    client: httpx.AsyncClient, accept: str, expected: str
) -> None:
    answer = await client.get("/data", headers={"Accept": accept})

    assert answer.status_code == 200
    assert answer.headers["content-type"] == expected


@pytest.mark.parametrize(
    "accept", ["image/png", "text/html", "*/*;q=0", "application/json;q=0", "nonsense", ";;;,,,"]
)
async def test_a_client_that_accepts_none_of_them_gets_their_names(
    client: httpx.AsyncClient, accept: str
) -> None:
    answer = await client.get("/data", headers={"Accept": accept})

    assert "text/csv" in problem(answer, 406, "not_acceptable")["detail"]


@pytest.mark.parametrize(
    ("format", "expected"), [("json", JSON), ("ndjson", NDJSON), ("jsonl", NDJSON), ("csv", CSV)]
)
async def test_format_wins_over_accept(
    client: httpx.AsyncClient, format: str, expected: str
) -> None:
    answer = await client.get(f"/data?format={format}", headers={"Accept": "image/png"})

    assert answer.headers["content-type"] == expected


async def test_accept_on_several_lines_is_one_list(client: httpx.AsyncClient) -> None:
    answer = await client.get("/data", headers=[("Accept", "image/png"), ("Accept", "text/csv")])

    assert answer.headers["content-type"] == CSV
