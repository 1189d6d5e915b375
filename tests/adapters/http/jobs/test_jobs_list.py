"""`GET /fetch/jobs`: the jobs, newest first."""

from datetime import timedelta

import httpx
import pytest

from domain.dataset import Role
from domain.errors import SourceUnavailable, StoreUnavailable
from domain.jobs import FetchJob
from tests.adapters.http.http_fixture import (
    POSTS,
    HttpFixture,
    gauges_dataset,
    parameter_of,
    problem,
    walk,
)


async def fetch_often(fixture: HttpFixture, times: int, path: str = "/fetch") -> list[str]:
    """Fetch so many times and return the identifiers of the jobs, latest first."""
    made = []
    for _ in range(times):
        fixture.clock.advance(60)
        answer = await fixture.client.post(path)
        made.append(answer.json().get("job_id") or answer.json()["report"]["job_id"])
    return made[::-1]


def listed(answer: httpx.Response) -> list[str]:
    """Return the identifiers of the jobs in a successful answer."""
    assert answer.status_code == 200, answer.text
    return [job["job_id"] for job in answer.json()["data"]]


async def test_the_latest_job_comes_first_and_is_shown_as_on_its_page(
    empty: HttpFixture,
) -> None:
    made = await fetch_often(empty, 3)

    answer = await empty.client.get("/fetch/jobs")

    body = answer.json()
    assert list(body) == ["data", "count", "page", "request_id"]
    assert listed(answer) == made
    assert body["count"] == 3
    assert body["page"] == {"limit": 100, "next_cursor": None, "has_more": False}
    assert body["request_id"] == answer.headers["x-request-id"]
    assert body["data"][0] == (await empty.client.get(f"/fetch/status/{made[0]}")).json()
    assert answer.headers["cache-control"] == "no-store"
    assert "link" not in answer.headers


async def test_before_any_fetch_the_list_is_empty(empty: HttpFixture) -> None:
    answer = await empty.client.get("/fetch/jobs")

    assert (answer.status_code, answer.json()["data"], answer.json()["count"]) == (200, [], 0)


async def test_the_list_is_read_page_by_page(empty: HttpFixture) -> None:
    made = await fetch_often(empty, 5)

    pages = [page async for page in walk(empty.client, "/fetch/jobs?limit=2&dataset=posts")]

    assert [[job["job_id"] for job in page["data"]] for page in pages] == [
        made[0:2],
        made[2:4],
        made[4:],
    ]
    assert [page["page"]["has_more"] for page in pages] == [True, True, False]


async def test_a_page_that_holds_the_last_job_leads_nowhere(empty: HttpFixture) -> None:
    await fetch_often(empty, 2)

    answer = await empty.client.get("/fetch/jobs?limit=2")

    assert answer.json()["page"]["next_cursor"] is None


async def test_jobs_that_come_meanwhile_are_not_met_twice(empty: HttpFixture) -> None:
    made = await fetch_often(empty, 4)
    first = await empty.client.get("/fetch/jobs?limit=2")
    await fetch_often(empty, 2)

    second = await empty.client.get(first.links["next"]["url"])

    assert listed(second) == made[2:]


async def test_only_the_fetches_of_one_dataset_are_asked_for(empty: HttpFixture) -> None:
    await fetch_often(empty, 2)
    made = await fetch_often(empty, 2, "/fetch/gauges")

    assert listed(await empty.client.get("/fetch/jobs?dataset=gauges")) == made
    assert len(listed(await empty.client.get("/fetch/jobs"))) == 4


async def test_only_the_fetches_in_one_status_are_asked_for(empty: HttpFixture) -> None:
    await fetch_often(empty, 2)
    empty.sources["posts"][0].failure = SourceUnavailable("no answer")
    failed = await fetch_often(empty, 1)
    empty.clock.advance(60)
    queued = (await empty.client.post("/fetch?mode=task")).json()["job_id"]

    assert listed(await empty.client.get("/fetch/jobs?status=failed")) == failed
    assert listed(await empty.client.get("/fetch/jobs?status=queued")) == [queued]
    assert listed(await empty.client.get("/fetch/jobs?status=cancelled")) == []
    assert len(listed(await empty.client.get("/fetch/jobs?status=succeeded"))) == 2


# ---------------------------------------------------------------- access


async def test_fetches_of_what_a_viewer_may_not_read_are_not_shown() -> None:
    fixture = HttpFixture(POSTS, gauges_dataset(read_by=Role.USER))
    await fixture.client.post("/fetch/gauges")
    made = await fetch_often(fixture, 1)

    everything = await fixture.client.get("/fetch/jobs")
    asked_for = await fixture.client.get("/fetch/jobs?dataset=gauges")

    assert listed(everything) == made
    problem(asked_for, 401, "login_required")


async def test_fetches_of_a_dataset_that_was_taken_out_are_not_listed(empty: HttpFixture) -> None:
    await empty.job_backend.jobs.request(
        FetchJob(id="0" * 32, dataset="gone", queued_at=empty.clock.now())
    )

    assert listed(await empty.client.get("/fetch/jobs")) == []
    problem(await empty.client.get("/fetch/jobs?dataset=gone"), 404, "unknown_dataset")


# ---------------------------------------------------------------- refused


@pytest.mark.parametrize(
    ("query", "status", "code", "parameter"),
    [
        ("page=2", 400, "unknown_parameter", "page"),
        ("offset=2", 400, "unknown_parameter", "offset"),
        ("limit=1&limit=1", 400, "malformed_query", "limit"),
        ("limit=0", 422, "invalid_value", "limit"),
        ("limit=501", 422, "invalid_value", "limit"),
        ("limit=ten", 422, "invalid_value", "limit"),
        ("status=done", 422, "invalid_value", "status"),
        ("status=", 422, "invalid_value", "status"),
        ("cursor=x", 400, "invalid_cursor", "cursor"),
    ],
)
async def test_what_cannot_be_asked_is_named(
    client: httpx.AsyncClient, query: str, status: int, code: str, parameter: str
) -> None:
    answer = await client.get(f"/fetch/jobs?{query}")

    assert parameter_of(problem(answer, status, code)) == parameter


@pytest.mark.parametrize("name", ["comments", "", "jobs", "POSTS", "posts%20"])
async def test_an_unknown_dataset_is_not_found(client: httpx.AsyncClient, name: str) -> None:
    problem(await client.get(f"/fetch/jobs?dataset={name}"), 404, "unknown_dataset")


@pytest.mark.parametrize(
    "other", ["", "dataset=gauges", "status=succeeded", "dataset=posts&status=succeeded"]
)
async def test_a_cursor_of_another_filter_is_refused(empty: HttpFixture, other: str) -> None:
    await fetch_often(empty, 2)
    first = await empty.client.get("/fetch/jobs?limit=1&dataset=posts")
    cursor = first.json()["page"]["next_cursor"]

    answer = await empty.client.get(f"/fetch/jobs?{other}&cursor={cursor}")

    assert parameter_of(problem(answer, 400, "invalid_cursor")) == "cursor"


async def test_cursors_of_records_and_of_jobs_are_two_things(fixture: HttpFixture) -> None:
    of_records = (await fixture.client.get("/data?limit=1")).json()["page"]["next_cursor"]
    of_jobs = (await fixture.client.get("/fetch/jobs?limit=1")).json()["page"]["next_cursor"]

    problem(await fixture.client.get(f"/fetch/jobs?cursor={of_records}"), 400, "invalid_cursor")
    problem(await fixture.client.get(f"/data?cursor={of_jobs}"), 400, "invalid_cursor")


async def test_a_limit_may_change_from_page_to_page(empty: HttpFixture) -> None:
    made = await fetch_often(empty, 4)
    cursor = (await empty.client.get("/fetch/jobs?limit=1")).json()["page"]["next_cursor"]

    assert listed(await empty.client.get(f"/fetch/jobs?limit=500&cursor={cursor}")) == made[1:]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
@pytest.mark.parametrize(
    "path", ["/fetch/jobs", "/fetch/jobs/", "/fetch//jobs", "/fetch/jobs?mode=task"]
)
async def test_the_list_is_only_read_and_never_fetched(
    shared: HttpFixture, method: str, path: str
) -> None:
    answer = await shared.client.request(method, path)

    problem(answer, 405, "method_not_allowed")
    assert "GET" in answer.headers["allow"]
    assert shared.queue.announced == []


@pytest.mark.parametrize("path", ["/fetch/jobs", f"/fetch/status/{'0' * 32}"])
async def test_without_a_database_the_list_is_a_503(empty: HttpFixture, path: str) -> None:
    empty.history.failure = StoreUnavailable("the database is busy")

    answer = await empty.client.get(path)

    problem(answer, 503, "store_unavailable")
    assert answer.headers["retry-after"] == "5"


async def test_each_job_has_the_next_time_of_its_own_dataset(empty: HttpFixture) -> None:
    await fetch_often(empty, 1, "/fetch/gauges")
    empty.clock.advance(timedelta(minutes=5))
    await fetch_often(empty, 1)

    posts_job, gauges_job = (await empty.client.get("/fetch/jobs")).json()["data"]

    assert posts_job["next_allowed_at"] == "2026-01-01T00:08:00Z"
    assert gauges_job["next_allowed_at"] == "2026-01-01T00:02:00Z"


async def test_an_unknown_parameter_is_refused_with_the_nearest_one_and_all_there_are(
    client: httpx.AsyncClient,
) -> None:
    near = problem(await client.get("/fetch/jobs?statsu=failed"), 400, "unknown_parameter")
    far = problem(await client.get("/fetch/jobs?colour=red"), 400, "unknown_parameter")

    assert "did you mean status?" in near["detail"]
    assert "did you mean" not in far["detail"]
    for each in (near, far):
        assert "dataset, status, limit, cursor" in each["detail"]
