"""`/fetch/status/{job_id}`: the status of a job, and cancelling it."""

from datetime import timedelta

import httpx
import pytest

from domain.dataset import Role
from domain.errors import SourceBlocked, SourceUnavailable
from domain.jobs import FetchJob
from tests.adapters.http.http_fixture import (
    GAUGES,
    POSTS,
    HttpFixture,
    gauges_dataset,
    posts,
    problem,
)


async def test_the_status_of_a_fetch_is_the_answer_to_the_fetch(fixture: HttpFixture) -> None:
    fixture.clock.advance(61)
    fixture.sources["posts"][0].pages = [posts(3)]
    fetched = (await fixture.client.post("/fetch")).json()

    status = await fixture.client.get(fetched["status_url"])

    assert status.status_code == 200
    assert status.json() == fetched
    assert status.headers["cache-control"] == "no-store"


async def test_the_status_of_a_failed_fetch_is_an_answer_and_not_an_error(
    fixture: HttpFixture,
) -> None:
    fixture.clock.advance(61)
    fixture.sources["posts"][0].failure = SourceUnavailable("no answer")
    report = (await fixture.client.post("/fetch")).json()["report"]

    status = await fixture.client.get(report["status_url"])

    assert status.status_code == 200
    assert status.json()["status"] == "failed"
    assert status.json()["sources"][0]["error"]["code"] == "source_unavailable"


async def test_a_job_that_has_not_ended_says_when_to_look_again(empty: HttpFixture) -> None:
    body = (await empty.client.post("/fetch?mode=task")).json()

    status = await empty.client.get(body["status_url"])

    assert status.json() == body
    assert status.headers["retry-after"] == "1"
    assert status.headers["cache-control"] == "no-store"


async def test_a_job_that_has_ended_does_not(fixture: HttpFixture) -> None:
    [job, *_] = (await fixture.client.get("/fetch/jobs")).json()["data"]

    assert "retry-after" not in (await fixture.client.get(job["status_url"])).headers


async def test_a_job_that_waits_for_its_source_says_until_when(empty: HttpFixture) -> None:
    retry_at = empty.clock.now() + timedelta(minutes=5)
    empty.sources["posts"][0].failure = SourceBlocked("too many requests", retry_at=retry_at)
    body = (await empty.client.post("/fetch?mode=task")).json()
    await empty.work()

    status = await empty.client.get(body["status_url"])

    assert (status.json()["status"], status.json()["run_at"]) == ("queued", "2026-01-01T00:05:00Z")
    assert status.headers["retry-after"] == "300"


async def test_the_job_of_a_removed_dataset_is_still_shown(empty: HttpFixture) -> None:
    job = FetchJob(id="0" * 32, dataset="gone", queued_at=empty.clock.now())
    await empty.job_backend.jobs.request(job)
    admin = await empty.headers(Role.ADMIN)

    status = await empty.client.get(f"/fetch/status/{job.id}", headers=admin)

    assert status.status_code == 200
    assert (status.json()["dataset"], status.json()["next_allowed_at"]) == ("gone", None)


async def test_the_job_of_a_hidden_dataset_is_not_shown() -> None:
    fixture = HttpFixture(POSTS, gauges_dataset(read_by=Role.USER))
    job_id = (await fixture.fetches["gauges"]()).job.id

    problem(await fixture.client.get(f"/fetch/status/{job_id}"), 401, "login_required")


@pytest.mark.parametrize(
    "job_id", ["nobody", "0" * 32, "0" * 31, "0" * 5000, "%00", "%ff", "-", "A" * 32, "..%2f", "٣"]
)
async def test_an_unknown_job_is_not_found(client: httpx.AsyncClient, job_id: str) -> None:
    answer = await client.get(f"/fetch/status/{job_id}")

    assert answer.status_code == 404
    assert answer.json()["code"] in ("unknown_job", "not_found")


async def test_what_is_no_identifier_is_not_given_to_the_store(empty: HttpFixture) -> None:
    for job_id in ("%00", "%ed%a0%80", "é", "x" * 5000):
        await empty.client.get(f"/fetch/status/{job_id}")

    assert set(empty.history.sought) == {"-"}


async def test_a_status_takes_no_parameters(client: httpx.AsyncClient) -> None:
    problem(await client.get(f"/fetch/status/{'0' * 32}?wait=1"), 400, "unknown_parameter")


# ---------------------------------------------------------------- cancelling


@pytest.fixture
async def ours() -> HttpFixture:
    """Return the application for a caller who may cancel jobs."""
    fixture = HttpFixture(POSTS, GAUGES)
    fixture.client.headers.update(await fixture.headers(Role.ADMIN))
    return fixture


async def test_a_waiting_job_is_cancelled(ours: HttpFixture) -> None:
    body = (await ours.client.post("/fetch?mode=task")).json()

    answer = await ours.client.delete(body["status_url"])

    status = await ours.client.get(body["status_url"])
    assert (answer.status_code, answer.json()) == (200, status.json())
    assert (status.json()["status"], status.json()["outcome"]) == ("cancelled", None)
    assert status.json()["finished_at"] == "2026-01-01T00:00:00Z"
    assert "retry-after" not in answer.headers


async def test_a_cancelled_job_is_not_run(ours: HttpFixture) -> None:
    body = (await ours.client.post("/fetch?mode=task")).json()
    await ours.client.delete(body["status_url"])

    await ours.work()

    assert len(ours.sources["posts"][0].asked) == 0


async def test_a_job_that_has_ended_cannot_be_cancelled(ours: HttpFixture) -> None:
    body = (await ours.client.post("/fetch")).json()

    answer = await ours.client.delete(body["status_url"])

    problem(answer, 409, "illegal_transition")
    assert "retry-after" not in answer.headers


@pytest.mark.parametrize("job_id", ["nobody", "0" * 32, "%00"])
async def test_an_unknown_job_cannot_be_cancelled(ours: HttpFixture, job_id: str) -> None:
    problem(await ours.client.delete(f"/fetch/status/{job_id}"), 404, "unknown_job")


@pytest.mark.parametrize("job_id", ["nobody", "0" * 32])
async def test_a_stranger_cannot_cancel_a_job(empty: HttpFixture, job_id: str) -> None:
    body = (await empty.client.post("/fetch?mode=task")).json()

    for path in (body["status_url"], f"/fetch/status/{job_id}"):
        answer = await empty.client.delete(path)

        problem(answer, 401, "login_required")
        assert answer.headers["www-authenticate"] == "Bearer"
    assert (await empty.client.get(body["status_url"])).json()["status"] == "queued"


# ---------------------------------------------------------------- HEAD


async def test_every_route_with_a_get_has_a_head(client: httpx.AsyncClient) -> None:
    for path in ("/", "/datasets", "/health", "/health/live", "/health/ready", "/fetch/jobs"):
        got, head = await client.get(path), await client.head(path)

        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["content-type"] == got.headers["content-type"]
