"""The quarantine over HTTP: rejected records are listed and replayed."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from application.ingest.quarantine import ReplayQuarantine
from domain.dataset import Role
from domain.jobs import FetchJob
from tests.adapters.http.http_fixture import GAUGES, HttpFixture, gauge, parameter_of, problem

BAD = {"id": "bad"}
GOOD = {"id": 1, "user_id": 1, "title": "t", "body": "b"}


@pytest.fixture
async def fixture() -> AsyncIterator[HttpFixture]:
    """Yield the application for an admin."""
    fixture = HttpFixture()
    fixture.client.headers.update(await fixture.headers(Role.ADMIN))
    async with fixture.client:
        yield fixture


class Forgiving(msgspec.Struct, frozen=True):
    """A post of which only the identifier is required."""

    id: int | str
    user_id: int = 0
    title: str = ""
    body: str = ""


def body(*items: Any) -> bytes:
    """Return a body with these items."""
    return msgspec.json.encode(items)


async def rejected(fixture: HttpFixture, count: int = 1) -> None:
    """Fetch a good post and so many bad ones."""
    await fixture.bring(body(GOOD, *({"id": number + 2} for number in range(count))))  # type: ignore[arg-type]


def fix(fixture: HttpFixture) -> None:
    """Make the source of the posts accept every record from now on."""
    [source] = fixture.sources["posts"]
    source._record = Forgiving
    source.version = "2"


async def listed(fixture: HttpFixture, query: str = "") -> dict[str, Any]:
    """Return the list of rejected records."""
    answer = await fixture.client.get(f"/quarantine{query}")
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    report: dict[str, Any] = answer.json()
    return report


# ---------------------------------------------------------------- the list


async def test_a_rejected_record_has_its_pointer_its_reason_and_its_payload(
    fixture: HttpFixture,
) -> None:
    await rejected(fixture)

    report = await listed(fixture)

    [one] = report["data"]
    assert list(report) == ["data", "count", "page", "request_id"]
    assert (report["count"], report["page"]) == (
        1,
        {"limit": 100, "next_cursor": None, "has_more": False},
    )
    assert one == {
        "id": 1,
        "dataset": "posts",
        "source": "posts_source",
        "receipt": 1,
        "pointer": "/1",
        "reason": "Object missing required field `user_id`",
        "excerpt": '{"id":2}',
        "rejected_at": f"{fixture.clock.now():%Y-%m-%dT%H:%M:%SZ}",
    }


async def test_the_list_can_be_narrowed(fixture: HttpFixture) -> None:
    await rejected(fixture)
    await fixture.bring(body({"number": 1}), GAUGES)  # type: ignore[arg-type]

    async def datasets(query: str) -> list[str]:
        return [one["dataset"] for one in (await listed(fixture, query))["data"]]

    assert await datasets("") == ["gauges", "posts"]
    assert await datasets("?dataset=posts") == ["posts"]
    assert await datasets("?source=gauges_source") == ["gauges"]
    assert await datasets("?dataset=posts&source=gauges_source") == []


async def test_the_list_can_be_walked_by_its_links(fixture: HttpFixture) -> None:
    await rejected(fixture, count=5)
    url, seen = "/quarantine?limit=2&dataset=posts", []

    while url:
        answer = await fixture.client.get(url)
        seen += [one["id"] for one in answer.json()["data"]]
        url = answer.links.get("next", {}).get("url", "")

    assert seen == [5, 4, 3, 2, 1]


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("?colour=red", 400, "unknown_parameter"),
        ("?limit=0", 422, "invalid_value"),
        ("?limit=2&limit=3", 400, "malformed_query"),
        ("?cursor=nonsense", 400, "invalid_cursor"),
        ("?dataset=nothing", 404, "unknown_dataset"),
    ],
)
async def test_what_cannot_be_listed_is_refused(
    fixture: HttpFixture, query: str, status: int, code: str
) -> None:
    problem(await fixture.client.get(f"/quarantine{query}"), status, code)


async def test_a_cursor_belongs_to_its_filter(fixture: HttpFixture) -> None:
    await rejected(fixture, count=2)
    cursor = (await listed(fixture, "?limit=1"))["page"]["next_cursor"]

    failure = problem(
        await fixture.client.get(f"/quarantine?limit=1&dataset=posts&cursor={cursor}"),
        400,
        "invalid_cursor",
    )

    assert parameter_of(failure) == "cursor"


# ---------------------------------------------------------------- replays


@pytest.mark.parametrize("path", ["/quarantine/2/replay", "/quarantine/replay?dataset=posts"])
async def test_a_replay_answers_with_its_report_and_sends_no_request(
    fixture: HttpFixture, path: str
) -> None:
    await rejected(fixture, count=2)
    fix(fixture)
    asked = len(fixture.sources["posts"][0].asked)

    answer = await fixture.client.post(path)

    report = answer.json()
    assert answer.status_code == 200, answer.text
    assert (report["mode"], report["outcome"]) == ("replay", "changed")
    assert (report["counts"]["received"], report["counts"]["inserted"]) == (3, 2)
    assert report["sources"][0]["requests"] == 0
    assert (await fixture.client.get(report["status_url"])).json() == report
    assert len(fixture.sources["posts"][0].asked) == asked
    assert (await listed(fixture))["count"] == 0


async def test_everything_is_replayed_as_one_job_for_each_dataset(fixture: HttpFixture) -> None:
    await rejected(fixture)
    await fixture.bring(body({"number": 1}), GAUGES)  # type: ignore[arg-type]
    fix(fixture)

    answer = await fixture.client.post("/quarantine/replay", json={})

    report = answer.json()
    assert answer.status_code == 200, answer.text
    assert [(one["dataset"], one["outcome"]) for one in report["data"]] == [
        ("posts", "changed"),
        ("gauges", "partial"),
    ]
    assert report["count"] == 2
    assert report["request_id"] == answer.headers["x-request-id"]


async def test_a_replay_of_what_is_held_is_a_problem_with_the_report(fixture: HttpFixture) -> None:
    await fixture.bring(body(*[BAD] * 30))  # type: ignore[arg-type]

    failure = problem(await fixture.client.post("/quarantine/replay?dataset=posts"), 502, "held")

    assert failure["report"]["counts"]["quarantined"] == 30


async def test_a_cancelled_replay_is_a_conflict(fixture: HttpFixture) -> None:
    await rejected(fixture)

    class CancelledReplays(ReplayQuarantine):
        """Replays that are cancelled."""

        async def dataset(self, viewer: Role, name: str) -> Any:
            """Start a replay and cancel it."""
            fetched = await super().dataset(viewer, name)
            waits = FetchJob(id=fetched.job.id, dataset=name, queued_at=fetched.job.queued_at)
            job = waits.cancelled(fixture.clock.now())
            return msgspec.structs.replace(fetched, job=job, outcome=None)

    other = HttpFixture(replay=CancelledReplays)
    other.client.headers.update(await other.headers(Role.ADMIN))
    async with other.client:
        problem(await other.client.post("/quarantine/replay?dataset=posts"), 409, "fetch_cancelled")


async def test_a_replay_is_refused_while_a_fetch_waits_for_its_source(fixture: HttpFixture) -> None:
    await rejected(fixture)
    now = fixture.clock.now()
    later = FetchJob(id="f" * 32, dataset="posts", queued_at=now, run_at=now + timedelta(hours=1))
    await fixture.job_backend.jobs.request(later)

    failure = problem(await fixture.client.post("/quarantine/1/replay"), 409, "dataset_busy")

    assert later.id in failure["detail"]


@pytest.mark.parametrize("number", ["2", "0", "x", "-1", "9" * 18, "9" * 19, "9" * 400])
async def test_what_does_not_wait_cannot_be_replayed(fixture: HttpFixture, number: str) -> None:
    await rejected(fixture)

    problem(await fixture.client.post(f"/quarantine/{number}/replay"), 404, "unknown_record")


@pytest.mark.parametrize(
    ("path", "sent", "status", "code"),
    [
        ("/quarantine/replay?dataset=nothing", {}, 404, "unknown_dataset"),
        ("/quarantine/replay?source=one", {}, 400, "unknown_parameter"),
        ("/quarantine/replay", {"json": {"a": 1}}, 422, "invalid_value"),
        ("/quarantine/1/replay?dataset=posts", {}, 400, "unknown_parameter"),
        ("/quarantine/1/replay", {"content": b"text"}, 415, "unsupported_media_type"),
    ],
)
async def test_what_cannot_be_replayed_is_refused(
    fixture: HttpFixture, path: str, sent: dict[str, Any], status: int, code: str
) -> None:
    await rejected(fixture)

    problem(await fixture.client.post(path, **sent), status, code)

    assert (await listed(fixture))["count"] == 1


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/quarantine"),
        ("POST", "/quarantine/1/replay"),
        ("POST", "/quarantine/replay"),
        ("POST", "/quarantine/replay?dataset=posts"),
    ],
)
async def test_the_quarantine_is_closed_to_those_who_have_not_logged_in(
    method: str, path: str
) -> None:
    fixture = HttpFixture()
    await fixture.bring([gauge()], GAUGES)
    async with fixture.client:
        answer = await fixture.client.request(method, path)

    problem(answer, 401, "login_required")
