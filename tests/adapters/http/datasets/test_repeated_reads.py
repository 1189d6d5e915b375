"""Repeated reads: a cached answer differs from a fresh one in its speed only."""

import httpx
import pytest

from domain.errors import SourceRefused
from domain.politeness import Cadence
from tests.adapters.http.http_fixture import GAUGES, POSTS, SOME_GAUGES, HttpFixture, gauge, posts
from tests.adapters.http.stores import STORES, Open

PATHS = ["/data/gauges", "/data/gauges/north/1", "/data/gauges?limit=2&count=exact&fields=body"]


@pytest.fixture(params=STORES)
def opened(request: pytest.FixtureRequest) -> Open:
    """Return what opens the application over each kind of store."""
    return STORES[request.param]


async def shown(client: httpx.AsyncClient, path: str) -> dict[str, object]:
    """Return an answer without the members that differ each time."""
    answer = await client.get(path)
    assert answer.status_code == 200, answer.text
    return {**answer.json(), "request_id": None, "api_latency_ms": None}


@pytest.mark.parametrize("path", PATHS)
async def test_nothing_differs_but_the_name_of_the_request(opened: Open, path: str) -> None:
    async with opened(GAUGES) as fixture:
        await fixture.bring(SOME_GAUGES, GAUGES)

        first = await fixture.client.get(path, headers={"X-Request-ID": "first"})
        again = await fixture.client.get(path, headers={"X-Request-ID": "again"})

    assert first.json()["request_id"] == "first"
    assert again.json()["request_id"] == "again"
    assert {**first.headers, "x-request-id": "", "content-length": ""} == {
        **again.headers,
        "x-request-id": "",
        "content-length": "",
    }
    varies = {"request_id": None, "api_latency_ms": None}
    assert {**first.json(), **varies} == {**again.json(), **varies}


@pytest.mark.parametrize("path", PATHS)
async def test_a_change_is_seen_at_once(opened: Open, path: str) -> None:
    async with opened(GAUGES) as fixture:
        await fixture.bring(SOME_GAUGES, GAUGES)
        before = await shown(fixture.client, path)
        await fixture.bring([gauge(1, body="changed")], GAUGES)

        after = await shown(fixture.client, path)
        again = await shown(fixture.client, path)

    assert before != after == again
    assert "changed" in str(after["data"])


async def test_a_fetch_that_changed_nothing_still_moves_the_time_of_the_last_one(
    opened: Open,
) -> None:
    async with opened(GAUGES) as fixture:
        await fixture.bring(SOME_GAUGES, GAUGES)
        before = await shown(fixture.client, "/data/gauges")
        await fixture.bring(SOME_GAUGES, GAUGES)

        after = await shown(fixture.client, "/data/gauges")

    assert before["data"] == after["data"]
    assert before["meta"]["fetched_at"] != after["meta"]["fetched_at"]  # type: ignore[index]


async def test_another_dataset_s_change_alters_nothing(opened: Open) -> None:
    async with opened(GAUGES) as fixture:
        await fixture.bring(SOME_GAUGES, GAUGES)
        before = await shown(fixture.client, "/data/gauges")
        await fixture.bring(posts(3), POSTS)

        assert await shown(fixture.client, "/data/gauges") == before


async def test_staleness_flips_when_its_time_has_come(opened: Open) -> None:
    async with opened(GAUGES) as fixture:
        await fixture.bring(SOME_GAUGES, GAUGES)
        before = await fixture.client.get("/data/gauges")
        fixture.clock.advance(3600)

        after = await fixture.client.get("/data/gauges")

    assert (before.json()["stale"], after.json()["stale"]) == (False, True)
    assert before.headers["etag"] != after.headers["etag"]
    assert int(after.headers["age"]) == 3600


async def test_a_failed_fetch_is_seen_though_no_record_changed() -> None:
    fixture = HttpFixture(POSTS, cadence=Cadence())
    await fixture.bring(posts(1))
    before = await fixture.client.get("/data")
    fixture.clock.advance(61)
    fixture.sources["posts"][0].failure = SourceRefused("no")
    await fixture.client.post("/fetch")

    after = await fixture.client.get("/data")

    assert (before.json()["stale"], after.json()["stale"]) == (False, True)


async def test_an_answer_kept_for_one_is_given_only_to_those_who_ask_the_same(
    client: httpx.AsyncClient,
) -> None:
    for _ in range(2):
        as_json = await client.get("/data?limit=1")
        as_csv = await client.get("/data", headers={"Accept": "text/csv"})
        head = await client.head("/data?limit=1")
        other = await client.get("/data?limit=2")
        known = await client.get(
            "/data?limit=1", headers={"If-None-Match": as_json.headers["etag"]}
        )
        refused = await client.get("/data?limit=1", headers={"Accept": "image/png"})
        posted = await client.post("/data?limit=1")

        assert as_json.json()["count"] == 1
        assert as_csv.headers["content-type"].startswith("text/csv")
        assert (head.status_code, head.content) == (200, b"")
        assert other.json()["count"] == 2
        assert known.status_code == 304
        assert (refused.status_code, posted.status_code) == (406, 405)
