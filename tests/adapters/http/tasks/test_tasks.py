"""`POST /fetch?mode=task`: fetches that a worker runs."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import pytest

from adapters.memory.jobs import MemoryQueue
from adapters.memory.operations import MemoryEvents
from application.jobs.worker import RunJob, Worker
from domain.dataset import Role
from domain.errors import SourceBlocked, SourceUnavailable
from tests.adapters.http.http_fixture import POSTS, HttpFixture, ids, posts, problem


async def started(fixture: HttpFixture, path: str = "/fetch?mode=task") -> dict[str, Any]:
    """Return the report of an accepted task."""
    answer = await fixture.client.post(path)
    assert answer.status_code == 202, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def waiting(fixture: HttpFixture, seconds: float) -> dict[str, Any]:
    """Return a task that waits for its source for so long."""
    retry_at = fixture.clock.now() + timedelta(seconds=seconds)
    fixture.sources["posts"][0].failure = SourceBlocked("too many requests", retry_at=retry_at)
    body = await started(fixture)
    await fixture.work()
    return body


# ---------------------------------------------------------------- accepted


async def test_a_task_is_accepted_and_says_where_to_ask(empty: HttpFixture) -> None:
    answer = await empty.client.post("/fetch?mode=task")

    body = answer.json()
    assert answer.status_code == 202
    assert (body["mode"], body["status"], body["outcome"]) == ("task", "queued", None)
    assert (body["started_at"], body["finished_at"], body["run_at"]) == (None, None, None)
    assert (body["sources"], body["attempts"]) == ([], 0)
    assert answer.headers["location"] == body["status_url"] == f"/fetch/status/{body['job_id']}"
    assert answer.headers["retry-after"] == "1"
    assert answer.headers["content-type"] == "application/json"
    assert "preference-applied" not in answer.headers


async def test_a_task_sends_no_request_before_a_worker_runs_it(empty: HttpFixture) -> None:
    empty.sources["posts"][0].pages = [posts(3)]
    body = await started(empty)
    before = len(empty.sources["posts"][0].asked)

    await empty.work()

    status = (await empty.client.get(body["status_url"])).json()
    assert before == 0
    assert (status["status"], status["outcome"], status["attempts"]) == ("succeeded", "changed", 1)
    assert status["counts"]["inserted"] == 3
    assert ids(await empty.client.get("/data")) == [1, 2, 3]


async def test_a_worker_of_the_same_process_runs_it() -> None:
    fixture = HttpFixture(POSTS, queue=MemoryQueue(MemoryEvents()))
    fixture.sources["posts"][0].pages = [posts(2)]
    run_job = RunJob(fixture.registry, fixture.job_backend)
    working = asyncio.create_task(Worker(run_job, fixture.job_backend, fixture.clock)())

    body = await started(fixture)
    await fixture.clock.elapse(1)
    status = await fixture.client.get(body["status_url"])

    working.cancel()
    await asyncio.wait([working])
    assert status.json()["status"] == "succeeded"


@pytest.mark.parametrize("path", ["/fetch?mode=task", "/fetch/posts?mode=task&force=false"])
async def test_a_task_of_what_is_fresh_is_answered_at_once(fixture: HttpFixture, path: str) -> None:
    await fixture.bring(posts(100))

    answer = await fixture.client.post(path)

    assert (answer.status_code, answer.json()["outcome"]) == (200, "fresh")
    assert "location" not in answer.headers
    assert fixture.queue.announced == []


async def test_a_dataset_is_taken_by_its_name(empty: HttpFixture) -> None:
    body = await started(empty, "/fetch/gauges?mode=task")

    assert body["dataset"] == "gauges"


async def test_a_task_that_waits_already_is_joined(empty: HttpFixture) -> None:
    first, second = await started(empty), await started(empty)

    assert first["job_id"] == second["job_id"]


async def test_a_fetch_that_runs_is_joined_by_a_task(empty: HttpFixture) -> None:
    empty.sources["posts"][0].pages = [posts(1)]
    empty.sources["posts"][0].takes_s = 1
    fetching = asyncio.create_task(empty.client.post("/fetch"))
    await empty.clock.settle()

    body = await started(empty)
    await empty.clock.elapse(2)

    assert body["status"] == "running"
    assert body["job_id"] == (await fetching).json()["job_id"]


async def test_a_task_that_waits_is_run_by_the_caller_who_would_wait_for_it(
    empty: HttpFixture,
) -> None:
    empty.sources["posts"][0].pages = [posts(1)]
    body = await started(empty)

    answer = await empty.client.post("/fetch")

    assert answer.status_code == 200
    assert (answer.json()["job_id"], answer.json()["mode"]) == (body["job_id"], "task")


async def test_a_failed_task_is_shown_by_its_status_and_not_as_a_problem(
    empty: HttpFixture,
) -> None:
    empty.sources["posts"][0].failure = SourceUnavailable("no answer")
    body = await started(empty)

    await empty.work()

    status = await empty.client.get(body["status_url"])
    assert (status.status_code, status.json()["outcome"]) == (200, "failed")


async def test_a_task_of_a_dataset_whose_sources_are_off_is_refused() -> None:
    fixture = HttpFixture(POSTS, sources={"posts": []})

    problem(await fixture.client.post("/fetch?mode=task"), 409, "no_sources")


async def test_only_admins_may_force_a_task(client: httpx.AsyncClient) -> None:
    problem(await client.post("/fetch?mode=task&force=true"), 401, "login_required")


# ---------------------------------------------------------------- waiting for the source


async def test_a_task_that_waits_for_its_source_says_until_when(empty: HttpFixture) -> None:
    body = await waiting(empty, seconds=90)

    again = await empty.client.post("/fetch?mode=task")

    assert again.status_code == 202
    assert again.json()["job_id"] == body["job_id"]
    assert again.json()["run_at"] == "2026-01-01T00:01:30Z"
    assert again.headers["retry-after"] == "90"


async def test_a_caller_who_would_wait_for_it_gets_a_retry_after(empty: HttpFixture) -> None:
    body = await waiting(empty, seconds=89.2)

    answer = await empty.client.post("/fetch")

    problem_told = problem(answer, 503, "source_blocked")
    assert answer.headers["retry-after"] == "90"
    assert "2026-01-01T00:01:29Z" in problem_told["detail"]
    assert problem_told["report"]["job_id"] == body["job_id"]
    assert problem_told["report"]["status"] == "queued"


async def test_when_the_time_has_come_it_is_run(empty: HttpFixture) -> None:
    body = await waiting(empty, seconds=90)
    empty.clock.advance(90)
    empty.sources["posts"][0].failure = None
    empty.sources["posts"][0].pages = [posts(1)]

    answer = await empty.client.post("/fetch")

    assert answer.status_code == 200
    assert answer.json()["job_id"] == body["job_id"]
    assert answer.json()["run_at"] is None


# ---------------------------------------------------------------- cancelled


async def test_a_caller_who_waits_for_a_cancelled_fetch_gets_a_problem() -> None:
    fixture = HttpFixture(POSTS)
    fixture.client.headers.update(await fixture.headers(Role.ADMIN))
    fixture.sources["posts"][0].pages = [posts(1)]
    fixture.sources["posts"][0].takes_s = 30
    fetching = asyncio.create_task(fixture.client.post("/fetch"))
    await fixture.clock.settle()
    [running] = (await fixture.client.get("/fetch/jobs?status=running")).json()["data"]

    await fixture.client.delete(running["status_url"])
    await fixture.clock.elapse(3)

    body = problem(await fetching, 409, "fetch_cancelled")
    assert body["report"]["job_id"] == running["job_id"]
    assert body["report"]["status"] == "cancelled"
    assert (await fixture.client.get("/data")).json()["count"] == 0
