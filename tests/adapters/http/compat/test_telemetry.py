"""The routes of the telemetry API: points by time, and fetching one."""

from datetime import UTC, datetime, timedelta

import httpx
import pytest

from domain.builtin.data_points import DATA_POINTS, DataPoint
from domain.dataset import Role
from domain.errors import SourceBlocked, SourceUnavailable
from domain.jobs import Mode
from tests.adapters.http.http_fixture import POSTS, HttpFixture, problem

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def point(minute: int, valid: bool = True, tags: tuple[str, ...] = ()) -> DataPoint:
    return DataPoint(
        id=f"{minute:016x}",
        time=NOON + timedelta(minutes=minute),
        value=minute / 2,
        valid=valid,
        tags=tags,
    )


@pytest.fixture
async def points() -> HttpFixture:
    """Return the application with three points, one of them invalid."""
    fixture = HttpFixture(POSTS, DATA_POINTS)
    await fixture.bring([point(3), point(1), point(2, False, ("suspect",))], DATA_POINTS)
    return fixture


async def asked(fixture: HttpFixture, path: str, role: Role, method: str = "GET") -> httpx.Response:
    return await fixture.client.request(method, path, headers=await fixture.headers(role))


def minutes(answer: httpx.Response) -> list[float]:
    assert answer.status_code == 200, answer.text
    return [each["value"] * 2 for each in answer.json()]


# ---------------------------------------------------------------- GET /api/data


async def test_points_come_as_a_bare_list_oldest_first(points: HttpFixture) -> None:
    answer = await asked(points, "/api/data", Role.ADMIN)

    assert answer.json() == [
        {"time": "2026-01-01T12:01:00Z", "value": 0.5, "valid": True, "tags": []},
        {"time": "2026-01-01T12:02:00Z", "value": 1.0, "valid": False, "tags": ["suspect"]},
        {"time": "2026-01-01T12:03:00Z", "value": 1.5, "valid": True, "tags": []},
    ]


async def test_users_see_valid_points_admins_all_and_strangers_none(points: HttpFixture) -> None:
    assert minutes(await asked(points, "/api/data", Role.USER)) == [1, 3]
    assert minutes(await asked(points, "/api/data", Role.ADMIN)) == [1, 2, 3]
    problem(await asked(points, "/api/data", Role.ANYONE), 401, "login_required")


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("start=2026-01-01T12:02:00Z", [2, 3]),
        ("end=2026-01-01T12:02:00Z", [1, 2]),
        ("start=2026-01-01T13:02:00%2B01:00&end=2026-01-01T12:02:00Z", [2]),
        ("start=2026-01-01%2012:02:00.123456789Z", [3]),
        ("start=2026-01-02T00:00:00Z", []),
        ("start=2026-01-02", []),
        ("start=2026-01-01&end=2026-01-02&limit=&skip=", [1, 2, 3]),
        ("skip=1", [2, 3]),
        ("limit=1", [1]),
        ("skip=1&limit=1", [2]),
        ("skip=10000", []),
    ],
)
async def test_points_are_asked_for_by_time_and_place(
    points: HttpFixture, query: str, expected: list[int]
) -> None:
    assert minutes(await asked(points, f"/api/data?{query}", Role.ADMIN)) == expected


@pytest.mark.parametrize(
    ("query", "status", "name"),
    [
        ("start=yesterday", 422, "start"),
        ("end=2026-01-01T12:00:00", 422, "end"),
        ("start=1767268800", 422, "start"),
        ("start=0001-01-01T00:00:00%2B01:00", 422, "start"),
        ("skip=-1", 422, "skip"),
        ("skip=1.0", 422, "skip"),
        ("limit=1e2", 422, "limit"),
        ("start=", 422, "start"),
        ("skip=10001", 422, "skip"),
        ("limit=0", 422, "limit"),
        ("limit=501", 422, "limit"),
        ("limit=1&limit=2", 400, "limit"),
        ("colour=red", 400, "colour"),
    ],
)
async def test_what_cannot_be_asked_is_named(
    points: HttpFixture, query: str, status: int, name: str
) -> None:
    answer = await asked(points, f"/api/data?{query}", Role.USER)

    assert answer.status_code == status
    [error] = answer.json()["errors"]
    assert error["parameter"] == name


async def test_the_generic_routes_are_no_way_around(points: HttpFixture) -> None:
    hidden = f"/data/data_points/{point(2).id}"
    for path in ("/data/data_points", "/data/data_points?valid=false", hidden):
        problem(await asked(points, path, Role.ANYONE), 401, "login_required")
    listed = (await asked(points, "/data/data_points?count=exact&sort=time", Role.USER)).json()

    assert [each["value"] for each in listed["data"]] == [0.5, 1.5]
    assert listed["page"]["total"] == 2
    assert (await asked(points, "/data/data_points?valid=false", Role.USER)).json()["data"] == []
    problem(await asked(points, hidden, Role.USER), 404, "unknown_record")
    assert (await asked(points, hidden, Role.ADMIN)).status_code == 200
    exported = await asked(points, "/data/data_points?format=csv&fields=value", Role.USER)
    assert len(exported.text.splitlines()) == 3


async def test_each_role_has_tags_of_its_own(points: HttpFixture) -> None:
    tags = {
        role: (await asked(points, "/data/data_points", role)).headers["etag"]
        for role in (Role.USER, Role.ADMIN)
    }
    known = {"If-None-Match": tags[Role.ADMIN], **await points.headers(Role.USER)}

    assert tags[Role.USER] != tags[Role.ADMIN]
    assert (await points.client.get("/data/data_points", headers=known)).status_code == 200


async def test_a_users_fetch_is_refused_here_and_there(points: HttpFixture) -> None:
    for path in ("/fetch/data_points", "/api/populate"):
        problem(await asked(points, path, Role.ANYONE, "POST"), 401, "login_required")
        problem(await asked(points, path, Role.USER, "POST"), 403, "forbidden")


# ---------------------------------------------------------------- /api/populate


async def populated(fixture: HttpFixture, method: str = "POST") -> httpx.Response:
    return await asked(fixture, "/api/populate", Role.ADMIN, method)


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_one_point_is_fetched_now_and_returned(points: HttpFixture, method: str) -> None:
    source = points.sources["data_points"][0]
    source.pages = [[point(9, False, ("system",))]]
    before = len(source.asked)

    answer = await populated(points, method)

    assert answer.status_code == 200
    assert answer.json() == {
        "time": "2026-01-01T12:09:00Z",
        "value": 4.5,
        "valid": False,
        "tags": ["system"],
    }
    assert len(source.asked) == before + 1


async def test_a_point_that_comes_again_is_returned_again(points: HttpFixture) -> None:
    points.sources["data_points"][0].pages = [[point(1)]]

    answers = [(await populated(points)).json() for _ in range(2)]

    assert answers[0] == answers[1]
    assert answers[0]["value"] == 0.5


async def test_an_upstream_that_may_not_be_asked_now_is_429(points: HttpFixture) -> None:
    retry_at = points.clock.now() + timedelta(seconds=90)
    points.sources["data_points"][0].failure = SourceBlocked("not so fast", retry_at=retry_at)

    answer = await populated(points)

    assert problem(answer, 429, "too_many_requests")["detail"] == "not so fast"
    assert answer.headers["retry-after"] == "90"


async def test_joining_a_fetch_that_waits_for_its_upstream_gets_a_retry_after(
    points: HttpFixture,
) -> None:
    retry_at = points.clock.now() + timedelta(seconds=90)
    points.sources["data_points"][0].failure = SourceBlocked("not so fast", retry_at=retry_at)
    await points.fetches["data_points"].start(Role.ADMIN, force=True, mode=Mode.SCHEDULE)

    answer = await populated(points)

    body = problem(answer, 503, "source_blocked")
    assert (body["report"]["status"], answer.headers["retry-after"]) == ("queued", "90")


async def test_an_unreachable_upstream_is_a_problem(points: HttpFixture) -> None:
    points.sources["data_points"][0].failure = SourceUnavailable("it is away")

    body = problem(await populated(points), 503, "source_unavailable")

    assert body["report"]["dataset"] == "data_points"
    assert minutes(await asked(points, "/api/data", Role.USER)) == [1, 3]


@pytest.mark.parametrize("page", [b"[]", b'[{"time": "never"}]'])
async def test_an_upstream_answer_without_a_point_is_a_problem(
    points: HttpFixture, page: bytes
) -> None:
    points.sources["data_points"][0].pages = [page]

    problem(await populated(points), 502, "unexpected_content")


async def test_an_upstream_answer_that_is_no_list_is_a_problem(points: HttpFixture) -> None:
    points.sources["data_points"][0].pages = [b"<html>"]

    problem(await populated(points), 502, "unexpected_content")


async def test_an_empty_upstream_answer_is_a_problem(points: HttpFixture) -> None:
    points.sources["data_points"][0].pages = []

    body = problem(await populated(points), 502, "unexpected_content")

    assert body["report"]["outcome"] == "unchanged"


async def test_where_there_are_no_points_there_is_nothing() -> None:
    fixture = HttpFixture(POSTS)

    problem(await asked(fixture, "/api/data", Role.USER), 404, "unknown_dataset")
    problem(await populated(fixture), 404, "unknown_dataset")
