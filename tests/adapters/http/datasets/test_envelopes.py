"""The envelope of answers: the members around the records, and their order."""

from datetime import timedelta

import httpx

from domain.errors import SourceRefused
from domain.politeness import Cadence
from tests.adapters.http.http_fixture import GAUGES, HttpFixture, gauge, posts


async def test_a_page_has_the_documented_shape_in_the_documented_order(
    client: httpx.AsyncClient,
) -> None:
    answer = await client.get("/data?limit=1&user_id=2&fields=id")

    body = answer.json()
    assert list(body) == ["data", "count", "page", "meta", "stale", "request_id", "api_latency_ms"]
    assert body["data"] == [{"id": 11}]
    assert body["count"] == 1
    assert list(body["page"].items())[:2] == [("limit", 1), ("offset", 0)]
    assert list(body["page"])[2:] == ["next_cursor", "has_more", "total", "total_relation"]
    assert list(body["meta"].items()) == [
        ("dataset", "posts"),
        ("seq", 1),
        ("fetched_at", "2026-01-01T00:01:01Z"),
        ("next_fetch_at", "2026-01-01T00:15:00Z"),
        ("sources", ["posts_source"]),
    ]
    assert body["stale"] is False
    assert body["request_id"] == answer.headers["x-request-id"]
    assert 0 <= body["api_latency_ms"] < 5000


async def test_one_record_has_the_same_surroundings_without_a_page(
    client: httpx.AsyncClient,
) -> None:
    answer = await client.get("/data/posts/1")

    body = answer.json()
    assert list(body) == ["data", "meta", "stale", "request_id", "api_latency_ms"]
    assert list(body["meta"]) == ["dataset", "seq", "fetched_at", "next_fetch_at", "sources"]


async def test_data_alone_means_the_posts(client: httpx.AsyncClient) -> None:
    bare, named = await client.get("/data"), await client.get("/data/posts")

    assert bare.json()["data"] == named.json()["data"]
    assert bare.json()["meta"] == named.json()["meta"]
    assert bare.headers["etag"] == named.headers["etag"]


async def test_count_is_the_number_of_records_on_the_page(client: httpx.AsyncClient) -> None:
    answer = await client.get("/data?limit=30&offset=80")

    assert answer.json()["count"] == len(answer.json()["data"]) == 20


async def test_before_any_fetch_reads_are_empty_and_stale(empty: HttpFixture) -> None:
    answer = await empty.client.get("/data")

    body = answer.json()
    assert answer.status_code == 200
    assert (body["data"], body["count"], body["stale"]) == ([], 0, True)
    assert body["meta"]["fetched_at"] is None
    assert body["meta"]["next_fetch_at"] == "2026-01-01T00:15:00Z"
    assert (body["meta"]["seq"], body["meta"]["sources"]) == (0, [])
    assert "age" not in answer.headers


async def test_data_is_stale_after_two_missed_periods_and_reads_go_on(fixture: HttpFixture) -> None:
    fixture.clock.advance(timedelta(minutes=30))
    fixture.clock.advance(-61)
    current = await fixture.client.get("/data?limit=1")

    fixture.clock.advance(1)
    late = await fixture.client.get("/data?limit=1")

    assert (current.json()["stale"], late.json()["stale"]) == (False, True)
    assert late.json()["data"] == current.json()["data"]


async def test_without_a_schedule_only_a_failure_makes_data_stale() -> None:
    fixture = HttpFixture(cadence=Cadence())
    await fixture.bring(posts(1))
    fixture.clock.advance(timedelta(days=400))
    before = await fixture.client.get("/data")

    fixture.sources["posts"][0].failure = SourceRefused("no")
    await fixture.client.post("/fetch")
    after = await fixture.client.get("/data")

    assert (before.json()["stale"], after.json()["stale"]) == (False, True)
    assert before.json()["meta"]["next_fetch_at"] is None
    assert after.json()["data"] == before.json()["data"]


async def test_numbers_are_json_numbers_and_missing_values_null(empty: HttpFixture) -> None:
    await empty.bring([gauge(2**63 - 1, level=-0.1)], GAUGES)

    answer = await empty.client.get("/data/gauges")

    assert b'"number":9223372036854775807,"level":-0.1,"open":null' in answer.content
