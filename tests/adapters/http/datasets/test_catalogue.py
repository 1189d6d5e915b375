"""The index, the catalogue, and health."""

from datetime import timedelta

import httpx
import pytest

from domain.dataset import Role
from domain.errors import QueryTooSlow, QueueUnavailable, StoreUnavailable
from tests.adapters.http.http_fixture import (
    BASE,
    POSTS,
    HttpFixture,
    gauges_dataset,
    posts,
    problem,
)

# ---------------------------------------------------------------- the first page


async def test_the_root_says_what_this_is(client: httpx.AsyncClient) -> None:
    answer = await client.get("/")

    body = answer.json()
    assert list(body) == ["name", "version", "about", "datasets", "links", "try", "request_id"]
    assert body["datasets"][0] == {
        "name": "posts",
        "records": 100,
        "fetched_at": "2026-01-01T00:01:01Z",
        "stale": False,
        "url": "/data/posts",
    }
    assert body["request_id"] == answer.headers["x-request-id"]


async def test_every_link_of_the_root_leads_somewhere(client: httpx.AsyncClient) -> None:
    body = (await client.get("/")).json()

    for url in [*body["links"].values(), *(dataset["url"] for dataset in body["datasets"])]:
        assert (await client.get(url)).status_code == 200


async def test_the_three_requests_to_try_work(fixture: HttpFixture) -> None:
    suggestions = (await fixture.client.get("/")).json()["try"]

    assert len(suggestions) == 3
    for suggestion in suggestions:
        words = suggestion.replace("'", "").split()
        url = words.pop().removeprefix(BASE)
        method = "POST" if words[1:] == ["-X", "POST"] else "GET"
        assert words[0] == "curl"
        assert (await fixture.client.request(method, url)).status_code == 200


# ---------------------------------------------------------------- the catalogue


async def test_the_catalogue_describes_every_dataset(client: httpx.AsyncClient) -> None:
    answer = await client.get("/datasets")

    body = answer.json()
    posts_card, gauges_card = body["datasets"]
    fields = posts_card.pop("fields")
    assert posts_card == {
        "name": "posts",
        "about": "",
        "key": ["id"],
        "default_sort": "id",
        "indexes": [["id"], ["user_id"]],
        "sources": ["posts_source"],
        "records": 100,
        "quarantined": 0,
        "seq": 1,
        "fetched_at": "2026-01-01T00:01:01Z",
        "next_fetch_at": "2026-01-01T00:15:00Z",
        "stale": False,
        "read_by": "anyone",
        "fetch_by": "anyone",
        "data_url": "/data/posts",
        "fetch_url": "/fetch/posts",
    }
    assert [field["name"] for field in fields] == [
        "id",
        "user_id",
        "title",
        "body",
        "_changed_at",
    ]
    assert {field["name"]: field["type"] for field in gauges_card["fields"]} == {
        "station": "string",
        "number": "integer",
        "level": "number",
        "open": "boolean",
        "seen_at": "datetime",
        "state": "enum",
        "notes": "list",
        "body": "string",
        "request": "string",
        "limit": "integer",
        "sort": "string",
        "_changed_at": "datetime",
    }
    assert body["request_id"] == answer.headers["x-request-id"]


async def test_every_operator_and_sort_field_of_the_catalogue_works(
    client: httpx.AsyncClient,
) -> None:
    values = {
        "integer": "1",
        "number": "1.5",
        "boolean": "true",
        "datetime": "2026-01-01T00:00:00Z",
        "string": "a",
        "enum": "dry",
        "list": "a",
    }
    for dataset in (await client.get("/datasets")).json()["datasets"]:
        for field in dataset["fields"]:
            for operator in field["operators"]:
                value = "true" if operator == "isnull" else values[field["type"]]
                value = f"{value},{value}" if operator == "between" else value
                url = f"{dataset['data_url']}?{field['name']}__{operator}={value}"
                assert (await client.get(url)).status_code == 200, url
            sorted_by = await client.get(f"{dataset['data_url']}?sort=-{field['name']}")
            assert (sorted_by.status_code == 200) is field["sortable"]


async def test_before_any_fetch_the_catalogue_says_so(empty: HttpFixture) -> None:
    card = (await empty.client.get("/datasets")).json()["datasets"][0]

    assert (card["records"], card["seq"], card["fetched_at"]) == (0, 0, None)
    assert card["next_fetch_at"] == "2026-01-01T00:15:00Z"
    assert card["stale"] is True


async def test_rejected_records_are_counted(empty: HttpFixture) -> None:
    empty.sources["posts"][0].pages = [b'[{"id":"x"}]']
    await empty.client.post("/fetch")

    card = (await empty.client.get("/datasets")).json()["datasets"][0]

    assert (card["records"], card["quarantined"]) == (0, 1)


@pytest.mark.parametrize("path", ["/", "/datasets"])
async def test_a_dataset_for_others_is_not_shown(path: str) -> None:
    fixture = HttpFixture(POSTS, gauges_dataset(read_by=Role.USER))

    body = (await fixture.client.get(path)).json()

    assert [dataset["name"] for dataset in body["datasets"]] == ["posts"]


# ---------------------------------------------------------------- health


async def test_with_current_data_the_service_is_ok(fixture: HttpFixture) -> None:
    answer = await fixture.client.get("/health")

    body = answer.json()
    assert answer.status_code == 200
    assert list(body) == ["status", "database", "queue", "timestamp", "request_id", "sources"]
    assert (body["status"], body["database"], body["queue"]) == ("ok", "connected", "embedded")
    assert body["timestamp"] == fixture.clock.now().timestamp()
    assert body["request_id"] == answer.headers["x-request-id"]
    assert body["sources"][0] == {
        "source": "posts_source",
        "dataset": "posts",
        "fetched_at": "2026-01-01T00:01:01Z",
        "stale": False,
        "breaker": "closed",
        "blocked_until": None,
    }
    assert answer.headers["cache-control"] == "no-store"


async def test_stale_data_degrades_the_service_and_nothing_else(fixture: HttpFixture) -> None:
    fixture.clock.advance(timedelta(hours=1))
    await fixture.bring(posts(1))

    answer = await fixture.client.get("/health")

    body = answer.json()
    assert (answer.status_code, body["status"]) == (200, "degraded")
    assert [source["stale"] for source in body["sources"]] == [False, True]


async def test_without_a_database_the_service_is_down(fixture: HttpFixture) -> None:
    fixture.probe.failure = StoreUnavailable("the database file cannot be opened")

    answer = await fixture.client.get("/health")

    body = answer.json()
    assert answer.status_code == 503
    assert (body["status"], body["sources"]) == ("down", [])
    assert body["database"] == "store_unavailable"


async def test_without_a_broker_the_service_is_degraded_and_says_why(fixture: HttpFixture) -> None:
    fixture.queue_probe.failure = QueueUnavailable("the broker cannot be reached")

    answer = await fixture.client.get("/health")

    body = answer.json()
    assert (answer.status_code, body["status"]) == (200, "degraded")
    assert body["queue"] == "queue_unavailable"
    assert (await fixture.client.get("/health/ready")).status_code == 200


async def test_admins_alone_are_given_the_sentence(fixture: HttpFixture) -> None:
    fixture.queue_probe.failure = QueueUnavailable("broker.internal cannot be reached")

    reasons = []
    for role in Role:
        answer = await fixture.client.get("/health", headers=await fixture.headers(role))
        reasons.append(answer.json()["queue"])

    sentence = "broker.internal cannot be reached"
    assert reasons == [sentence if r is Role.ADMIN else "queue_unavailable" for r in Role]


async def test_without_database_and_broker_both_are_named(fixture: HttpFixture) -> None:
    fixture.probe.failure = StoreUnavailable("no database")
    fixture.queue_probe.failure = QueueUnavailable("no broker")

    answer = await fixture.client.get("/health")

    body = answer.json()
    assert (answer.status_code, body["status"]) == (503, "down")
    assert (body["database"], body["queue"]) == ("store_unavailable", "queue_unavailable")


async def test_a_source_that_is_left_alone_says_until_when(fixture: HttpFixture) -> None:
    await fixture.budget.block("posts_source", fixture.clock.now() + timedelta(minutes=2))

    posts_source, gauges_source = (await fixture.client.get("/health")).json()["sources"]

    assert posts_source["blocked_until"] == "2026-01-01T00:04:02Z"
    assert gauges_source["blocked_until"] is None


async def test_a_source_that_keeps_failing_has_an_open_breaker(fixture: HttpFixture) -> None:
    for _ in range(20):
        await fixture.budget.record_outcome("posts_source", ok=False)

    posts_source, gauges_source = (await fixture.client.get("/health")).json()["sources"]

    assert (posts_source["breaker"], gauges_source["breaker"]) == ("open", "closed")


async def test_an_open_breaker_degrades_the_service_until_a_fetch_succeeds(
    fixture: HttpFixture,
) -> None:
    statuses = [(await fixture.client.get("/health")).json()["status"]]
    for _ in range(20):
        await fixture.budget.record_outcome("posts_source", ok=False)
    statuses.append((await fixture.client.get("/health")).json()["status"])
    fixture.clock.advance(60)
    await fixture.budget.spend("posts_source")
    await fixture.budget.record_outcome("posts_source", ok=True)
    statuses.append((await fixture.client.get("/health")).json()["status"])

    assert statuses == ["ok", "degraded", "ok"]


async def test_slow_counting_does_not_take_the_service_down(fixture: HttpFixture) -> None:
    fixture.broken.failure = QueryTooSlow("counting takes too long")

    answer = await fixture.client.get("/health")

    assert answer.json()["status"] == "ok"


async def test_the_process_lives_also_without_a_database(fixture: HttpFixture) -> None:
    fixture.probe.failure = StoreUnavailable("gone")

    answer = await fixture.client.get("/health/live")

    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


async def test_ready_means_that_the_database_answers(fixture: HttpFixture) -> None:
    ready = await fixture.client.get("/health/ready")
    fixture.probe.failure = StoreUnavailable("gone")
    not_ready = await fixture.client.get("/health/ready")

    assert (ready.status_code, ready.json()) == (200, {"status": "ok"})
    problem(not_ready, 503, "store_unavailable")
    assert not_ready.headers["retry-after"] == "5"


async def test_a_process_about_to_stop_is_not_ready_and_goes_on_answering(
    fixture: HttpFixture,
) -> None:
    fixture.app.drain()

    ready = await fixture.client.get("/health/ready")
    live, read = await fixture.client.get("/health/live"), await fixture.client.get("/data?limit=1")

    problem(ready, 503, "draining")
    assert ready.headers["retry-after"] == "5"
    assert (live.status_code, live.json()) == (200, {"status": "ok"})
    assert read.status_code == 200


@pytest.mark.parametrize(
    "path", ["/", "/datasets", "/stats", "/health", "/health/live", "/health/ready"]
)
async def test_overviews_take_no_parameters(client: httpx.AsyncClient, path: str) -> None:
    problem(await client.get(f"{path}?limit=1"), 400, "unknown_parameter")
