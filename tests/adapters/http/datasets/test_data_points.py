"""Data points over each kind of store: hidden from strangers, and invalid ones from users."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from application.datasets.query import Query
from domain.builtin.data_points import DATA_POINTS, DataPoint, point_of
from domain.dataset import Role
from domain.errors import Forbidden, LoginRequired, UnknownRecord
from domain.filters import Filter
from domain.paging import Counting, PageRequest, Sort
from tests.adapters.http.http_fixture import HttpFixture, problem
from tests.adapters.http.stores import STORES, Open

BYTES = [157, 42, 76, 190]
VALID, DOUBTED, OLD = 0, 1, 2


@pytest.fixture(params=STORES)
async def fixture(request: pytest.FixtureRequest) -> AsyncIterator[HttpFixture]:
    """Yield the application over each kind of store, with a few points of every kind."""
    opened: Open = STORES[request.param]
    async with opened(DATA_POINTS) as fixture:
        await fixture.bring(points(fixture), DATA_POINTS)
        yield fixture


def points(fixture: HttpFixture) -> list[DataPoint]:
    """Return a valid point, an invalid one, one that is too old, and two more valid ones."""
    now = fixture.clock.now()
    at = int(now.timestamp())
    answers = [(0, ["noon"]), (1, ["suspect"]), (7200, []), (2, []), (3, [])]
    return [point_of(at - ago, BYTES, tags, now) for ago, tags in answers]


@pytest.fixture
def query(fixture: HttpFixture) -> Query[DataPoint]:
    """Return the use case that reads them."""
    found: Query[DataPoint] = fixture.catalogue.query("data_points")
    return found


@pytest.fixture
def known(fixture: HttpFixture) -> list[DataPoint]:
    """Return the stored points."""
    fixture.clock.advance(timedelta(seconds=-61))
    found = points(fixture)
    fixture.clock.advance(61)
    return found


def asked(sort: str = DATA_POINTS.default_sort, **conditions: str) -> PageRequest:
    """Return a request for all points."""
    return PageRequest(
        filter=Filter.parse(DATA_POINTS.fields, conditions.items()),
        sort=Sort.parse(DATA_POINTS, sort),
        limit=100,
        counting=Counting.EXACT,
    )


# ---------------------------------------------------------------- strangers


@pytest.mark.parametrize(
    "path", ["", "?format=csv", "?valid=true", "/0123456789abcdef", "?format=ndjson"]
)
async def test_strangers_may_not_read_points(fixture: HttpFixture, path: str) -> None:
    answer = await fixture.client.get(f"/data/data_points{path}")

    problem(answer, 401, "login_required")
    assert answer.headers["www-authenticate"] == "Bearer"


async def test_strangers_may_not_fetch_points(fixture: HttpFixture) -> None:
    times = len(fixture.sources["data_points"][0].asked)

    problem(await fixture.client.post("/fetch/data_points"), 401, "login_required")
    assert len(fixture.sources["data_points"][0].asked) == times


async def test_points_are_in_no_overview_for_strangers(fixture: HttpFixture) -> None:
    for path in ("/", "/datasets"):
        cards = (await fixture.client.get(path)).json()["datasets"]
        assert "data_points" not in [card["name"] for card in cards]


async def test_users_may_not_fetch_points(fixture: HttpFixture) -> None:
    with pytest.raises(Forbidden):
        await fixture.fetches["data_points"](Role.USER)


# ---------------------------------------------------------------- users and admins


@pytest.mark.parametrize(("role", "seen"), [(Role.USER, 3), (Role.ADMIN, 5)])
async def test_points_are_listed_and_counted_as_far_as_they_may_be_seen(
    query: Query[DataPoint], role: Role, seen: int
) -> None:
    page = await query(asked(), role)

    assert (len(page.rows), page.total, await query.for_role(role).count()) == (seen, seen, seen)
    times = [row.time for row in page.rows]
    assert times == sorted(times, reverse=True)


async def test_an_answer_has_another_tag_for_a_role_that_sees_more(fixture: HttpFixture) -> None:
    tags = {
        (
            await fixture.client.get("/data/data_points", headers=await fixture.headers(role))
        ).headers["etag"]
        for role in (Role.USER, Role.ADMIN)
    }

    assert len(tags) == 2


async def test_an_invalid_point_looks_exactly_like_none(
    query: Query[DataPoint], known: list[DataPoint]
) -> None:
    refusals = set()
    for key in (known[DOUBTED].id, known[OLD].id, "0123456789abcdef"):
        with pytest.raises(UnknownRecord) as refused:
            await query.get((key,), Role.USER)
        refusals.add(refused.value.detail)

    assert len(refusals) == 1
    assert (await query.get((known[VALID].id,), Role.USER)).tags == ("noon",)
    assert not (await query.get((known[DOUBTED].id,), Role.ADMIN)).valid
    with pytest.raises(LoginRequired):
        await query.get((known[VALID].id,), Role.ANYONE)


@pytest.mark.parametrize(
    "conditions",
    [{"valid": "false"}, {"tags": "suspect"}, {"tags__has": "too old"}, {"valid__ne": "true"}],
)
async def test_no_filter_leads_a_user_to_an_invalid_point(
    query: Query[DataPoint], conditions: dict[str, str]
) -> None:
    page = await query(asked(**conditions), Role.USER)

    assert (page.rows, page.total) == ([], 0)
    assert (await query(asked(**conditions), Role.ADMIN)).rows


@pytest.mark.parametrize(("role", "seen"), [(Role.USER, 3), (Role.ADMIN, 5)])
async def test_points_are_exported_as_far_as_they_may_be_seen(
    query: Query[DataPoint], role: Role, seen: int
) -> None:
    chunks = [chunk async for chunk in query.for_role(role).walk(asked("time"))]

    assert sum(map(len, chunks)) == seen
    assert all(row.valid or role is Role.ADMIN for chunk in chunks for row in chunk)


async def test_a_walk_of_a_user_in_pages_meets_valid_points_alone(
    query: Query[DataPoint],
) -> None:
    request = PageRequest(sort=Sort.parse(DATA_POINTS, "time"), limit=1)
    page = await query(request, Role.USER)
    met = page.rows
    while page.next_cursor is not None:
        page = await query(
            PageRequest(sort=request.sort, limit=1, cursor=page.next_cursor), Role.USER
        )
        met += page.rows

    assert [row.valid for row in met] == [True] * 3
