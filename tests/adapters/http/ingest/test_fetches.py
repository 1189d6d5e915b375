"""`POST /fetch`: the report of a fetch, for every caller of it."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import pytest

from domain.dataset import Role
from domain.errors import (
    SourceBlocked,
    SourceError,
    SourceRefused,
    SourceTimedOut,
    SourceUnavailable,
    UnexpectedContent,
)
from tests.adapters.http.http_fixture import (
    POSTS,
    HttpFixture,
    gauges_dataset,
    ids,
    parameter_of,
    posts,
    problem,
)
from tests.sharing import SHARED, shared

COUNTS = {
    "received": 0,
    "inserted": 0,
    "updated": 0,
    "unchanged": 0,
    "duplicates": 0,
    "deleted": 0,
    "quarantined": 0,
    "held": 0,
}


async def fetched(fixture: HttpFixture, path: str = "/fetch") -> dict[str, Any]:
    """Return the report of a successful fetch."""
    answer = await fixture.client.post(path)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def both_sources() -> HttpFixture:
    """Return the application with two sources of posts."""
    return HttpFixture(SHARED, sources={"posts": ["one", "two"]})


# ---------------------------------------------------------------- ends well


async def test_a_fetch_answers_with_its_report(empty: HttpFixture) -> None:
    empty.sources["posts"][0].pages = [posts(100)]

    body = await fetched(empty)

    assert list(body) == [
        "job_id",
        "dataset",
        "mode",
        "status",
        "outcome",
        "counts",
        "sources",
        "queued_at",
        "run_at",
        "started_at",
        "finished_at",
        "attempts",
        "next_allowed_at",
        "status_url",
    ]
    assert body["dataset"] == "posts"
    assert (body["mode"], body["status"], body["outcome"]) == ("sync", "succeeded", "changed")
    assert body["counts"] == {**COUNTS, "received": 100, "inserted": 100}
    assert body["status_url"] == f"/fetch/status/{body['job_id']}"
    assert body["queued_at"] == body["started_at"] == body["finished_at"] == "2026-01-01T00:00:00Z"
    assert body["next_allowed_at"] == "2026-01-01T00:01:00Z"
    assert (body["run_at"], body["attempts"]) == (None, 1)
    [source] = body["sources"]
    assert list(source) == [
        "source",
        "status",
        "requests",
        "not_modified",
        "bytes",
        "retries",
        "wait_ms",
        "fresh_until",
        "error",
        "counts",
    ]
    assert (source["source"], source["status"]) == ("posts_source", "succeeded")
    assert (source["requests"], source["error"]) == (1, None)
    assert source["bytes"] > 1000
    assert source["counts"] == body["counts"]
    assert ids(await empty.client.get("/data?limit=2")) == [1, 2]


async def test_fetching_the_same_again_changes_nothing(fixture: HttpFixture) -> None:
    fixture.clock.advance(61)

    body = await fetched(fixture, "/fetch/posts")

    assert (body["status"], body["outcome"]) == ("succeeded", "unchanged")
    assert body["counts"] == {**COUNTS, "received": 100, "unchanged": 100}


async def test_a_source_that_says_nothing_changed_is_believed(fixture: HttpFixture) -> None:
    fixture.sources["posts"][0].etag = '"one"'
    await fixture.bring(posts(100))
    fixture.clock.advance(61)

    body = await fetched(fixture)

    assert body["outcome"] == "unchanged"
    assert (body["sources"][0]["requests"], body["sources"][0]["not_modified"]) == (1, 1)


async def test_inside_the_interval_the_last_report_is_repeated(empty: HttpFixture) -> None:
    empty.sources["posts"][0].pages = [posts(3)]
    first = await fetched(empty)
    empty.clock.advance(59)

    second = await fetched(empty)

    kept = ("job_id", "counts", "queued_at", "started_at", "finished_at", "status", "status_url")
    assert {name: second[name] for name in kept} == {name: first[name] for name in kept}
    assert second["outcome"] == "fresh"
    assert (second["sources"][0]["requests"], second["sources"][0]["bytes"]) == (0, 0)
    assert second["detail"] == (
        "nothing was asked: the last fetch ran at 2026-01-01T00:00:00Z"
        " and the next may run at 2026-01-01T00:01:00Z"
    )
    assert len(empty.sources["posts"][0].asked) == 1


async def test_after_the_interval_the_source_is_asked_again(empty: HttpFixture) -> None:
    await fetched(empty)
    empty.clock.advance(60)

    await fetched(empty)

    assert len(empty.sources["posts"][0].asked) == 2


async def test_records_that_cannot_be_read_make_it_partial(empty: HttpFixture) -> None:
    body = b'[{"id":1,"user_id":1,"title":"t","body":"b"},{"id":"two"}]'
    empty.sources["posts"][0].pages = [body]

    report = await fetched(empty)

    assert (report["status"], report["outcome"]) == ("partial", "partial")
    assert report["counts"] == {**COUNTS, "received": 2, "inserted": 1, "quarantined": 1}


async def test_one_failing_source_of_two_makes_it_partial() -> None:
    fixture = both_sources()
    fixture.sources["posts"][0].pages = [shared("one", 2)]
    fixture.sources["posts"][1].failure = SourceRefused("the upstream said no: 403")

    body = await fetched(fixture)

    assert (body["status"], body["outcome"]) == ("partial", "partial")
    assert body["counts"]["inserted"] == 2
    assert [source["status"] for source in body["sources"]] == ["succeeded", "failed"]
    assert body["sources"][1]["error"] == {
        "code": "source_refused",
        "detail": "the upstream said no: 403",
        "retry_at": None,
    }


async def test_a_dataset_is_fetched_by_its_name(empty: HttpFixture) -> None:
    body = await fetched(empty, "/fetch/gauges")

    assert body["dataset"] == "gauges"
    assert len(empty.sources["posts"][0].asked) == 0


# ---------------------------------------------------------------- all sources failed


@pytest.mark.parametrize(
    ("failure", "status", "code", "retry_after"),
    [
        (UnexpectedContent("not a list"), 502, "unexpected_content", None),
        (UnexpectedContent("cut short", code="incomplete"), 502, "incomplete", None),
        (SourceRefused("the upstream said no: 404"), 502, "source_refused", None),
        (SourceUnavailable("no answer"), 503, "source_unavailable", "5"),
        (SourceBlocked("too many requests"), 503, "source_blocked", "5"),
        (SourceTimedOut("not within 60 seconds"), 504, "source_timed_out", None),
    ],
)
async def test_when_every_source_fails_the_report_comes_as_a_problem(
    fixture: HttpFixture, failure: SourceError, status: int, code: str, retry_after: str | None
) -> None:
    fixture.clock.advance(61)
    fixture.sources["posts"][0].failure = failure

    answer = await fixture.client.post("/fetch")

    body = problem(answer, status, code)
    assert body["detail"] == failure.detail
    assert body["report"]["status"] == body["report"]["outcome"] == "failed"
    assert body["report"]["sources"][0]["error"]["code"] == code
    assert answer.headers.get("retry-after") == retry_after


async def test_when_the_upstream_says_when_to_come_back_so_do_we(fixture: HttpFixture) -> None:
    fixture.clock.advance(61)
    retry_at = fixture.clock.now() + timedelta(seconds=89.2)
    fixture.sources["posts"][0].failure = SourceBlocked("too many requests", retry_at=retry_at)

    answer = await fixture.client.post("/fetch")

    problem(answer, 503, "source_blocked")
    assert answer.headers["retry-after"] == "90"


@pytest.mark.parametrize(
    ("other", "status", "code"),
    [
        (SourceTimedOut("late"), 504, "source_timed_out"),
        (SourceUnavailable("no answer"), 503, "source_unavailable"),
        (SourceRefused("no"), 502, "unexpected_content"),
    ],
)
async def test_of_several_failures_the_most_hopeful_one_is_the_answer(
    other: SourceError, status: int, code: str
) -> None:
    fixture = both_sources()
    fixture.sources["posts"][0].failure = UnexpectedContent("not a list")
    fixture.sources["posts"][1].failure = other

    answer = await fixture.client.post("/fetch")

    assert len(problem(answer, status, code)["report"]["sources"]) == 2


async def test_a_failed_fetch_leaves_the_data_alone(fixture: HttpFixture) -> None:
    before = await fixture.client.get("/data")
    fixture.clock.advance(61)
    fixture.sources["posts"][0].failure = UnexpectedContent("not a list")

    await fixture.client.post("/fetch")
    after = await fixture.client.get("/data")

    assert after.json()["data"] == before.json()["data"]
    assert after.headers["etag"] == before.headers["etag"]


async def test_a_failure_does_not_count_as_the_last_fetch(empty: HttpFixture) -> None:
    empty.sources["posts"][0].failure = SourceUnavailable("no answer")
    await empty.client.post("/fetch")
    empty.sources["posts"][0].failure = None

    body = await fetched(empty)

    assert body["outcome"] != "fresh"


async def test_a_merge_that_is_held_is_a_problem(fixture: HttpFixture) -> None:
    fixture.clock.advance(61)
    fixture.sources["posts"][0].pages = [b"[" + b",".join([b'{"id":"x"}'] * 30) + b"]"]

    answer = await fixture.client.post("/fetch")

    assert problem(answer, 502, "held")["report"]["counts"]["quarantined"] == 30


# ---------------------------------------------------------------- together


async def test_callers_who_come_together_share_one_fetch(empty: HttpFixture) -> None:
    empty.sources["posts"][0].pages = [posts(2)]
    empty.sources["posts"][0].takes_s = 1
    callers = [asyncio.create_task(fetched(empty)) for _ in range(5)]
    await empty.clock.elapse(2)

    answers = await asyncio.gather(*callers)

    assert len({answer["job_id"] for answer in answers}) == 1
    assert {answer["outcome"] for answer in answers} == {"changed"}
    assert len(empty.sources["posts"][0].asked) == 1


async def test_a_caller_who_leaves_does_not_stop_the_fetch_of_the_others(
    empty: HttpFixture,
) -> None:
    empty.sources["posts"][0].pages = [posts(2)]
    empty.sources["posts"][0].takes_s = 1
    leaving, staying = (asyncio.create_task(fetched(empty)) for _ in range(2))
    await empty.clock.settle()

    leaving.cancel()
    await empty.clock.elapse(2)

    assert (await staying)["outcome"] == "changed"


# ---------------------------------------------------------------- refused


async def test_a_dataset_whose_sources_are_off_answers_reads_and_refuses_fetches() -> None:
    fixture = HttpFixture(POSTS, sources={"posts": []})

    fetch, read = await fixture.client.post("/fetch"), await fixture.client.get("/data")

    problem(fetch, 409, "no_sources")
    assert read.status_code == 200


async def test_only_admins_may_force_a_fetch(client: httpx.AsyncClient) -> None:
    answer = await client.post("/fetch?force=true")

    problem(answer, 401, "login_required")
    assert answer.headers["www-authenticate"] == "Bearer"


async def test_what_only_others_may_fetch_is_closed_whatever_is_sent() -> None:
    gauges = gauges_dataset(fetch_by=Role.ADMIN)
    fixture = HttpFixture(POSTS, gauges)

    for path, body in (("", None), ("?mode=task", None), ("", b"{"), ("", b"x" * 2_000_000)):
        answer = await fixture.client.post(f"/fetch/gauges{path}", content=body)

        problem(answer, 401, "login_required")
    assert len(fixture.sources["gauges"][0].asked) == 0


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/fetch/comments", 404, "unknown_dataset"),
        ("/fetch?mode=later", 422, "invalid_value"),
        ("/fetch?mode=", 422, "invalid_value"),
        ("/fetch?force=yes", 422, "invalid_value"),
        ("/fetch?mode=sync&mode=sync", 400, "malformed_query"),
        ("/fetch?modus=sync", 400, "unknown_parameter"),
        ("/fetch/posts?dataset=gauges", 400, "unknown_parameter"),
    ],
)
async def test_a_fetch_takes_mode_and_force_and_nothing_else(
    client: httpx.AsyncClient, path: str, status: int, code: str
) -> None:
    problem(await client.post(path), status, code)


async def test_a_wrong_mode_is_named(client: httpx.AsyncClient) -> None:
    answer = await client.post("/fetch?mode=later")

    assert parameter_of(problem(answer, 422, "invalid_value")) == "mode"


# ---------------------------------------------------------------- bodies


@pytest.mark.parametrize("body", [b"", b"{}", b"  { } "])
@pytest.mark.usefixtures("fixture")
async def test_an_empty_body_or_object_is_accepted(client: httpx.AsyncClient, body: bytes) -> None:
    answer = await client.post(
        "/fetch", content=body, headers={"Content-Type": "application/json; charset=utf-8"}
    )

    assert answer.status_code == 200


@pytest.mark.parametrize("body", [b"[]", b"1", b"null", b'"posts"'])
async def test_a_body_that_is_no_object_is_refused(client: httpx.AsyncClient, body: bytes) -> None:
    answer = await client.post("/fetch", content=body, headers={"Content-Type": "application/json"})

    problem(answer, 422, "invalid_value")


async def test_a_field_in_the_body_is_pointed_at(client: httpx.AsyncClient) -> None:
    answer = await client.post("/fetch", json={"a/b~c": 1})

    [error] = problem(answer, 422, "invalid_value")["errors"]
    assert error["pointer"] == "/a~1b~0c"
    assert "parameter" not in error
