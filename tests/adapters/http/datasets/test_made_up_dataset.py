"""A dataset declared at run time has every feature on every store, without HTTP code of its own."""

import csv
import io
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import httpx
import pytest

from domain.dataset import Role
from domain.filters import Operator
from tests.adapters.http.http_fixture import SOME_GAUGES, gauge, gauges_dataset, only, problem, walk
from tests.adapters.http.stores import STORES, Open


@pytest.fixture(params=STORES)
def opened(request: pytest.FixtureRequest) -> Open:
    """Return what opens the application over each kind of store."""
    return STORES[request.param]


@pytest.fixture
async def gauges(opened: Open) -> AsyncIterator[httpx.AsyncClient]:
    """Yield a client of an application whose gauges anyone may read and fetch."""
    dataset = gauges_dataset(indexes=(("limit",), ("state", "level")))
    async with opened(dataset) as fixture:
        await fixture.bring(SOME_GAUGES, dataset)
        yield fixture.client


def keys(answer: httpx.Response) -> list[tuple[str, int]]:
    """Return the keys of the records in a successful answer."""
    assert answer.status_code == 200, answer.text
    return [(record["station"], record["number"]) for record in answer.json()["data"]]


# ---------------------------------------------------------------- open to all


async def test_it_is_fetched_and_listed(gauges: httpx.AsyncClient) -> None:
    fetched = await gauges.post("/fetch/gauges")
    listed = await gauges.get("/data/gauges?count=exact")

    assert fetched.json()["outcome"] == "fresh"
    assert keys(listed) == [("north", 1), ("north", 2), ("north", 3), ("south", 1)]
    assert listed.json()["page"]["total"] == 4


async def test_one_record_has_a_path_of_two_segments(gauges: httpx.AsyncClient) -> None:
    answer = await gauges.get("/data/gauges/north/3")

    assert answer.json()["data"] == {
        "station": "north",
        "number": 3,
        "level": None,
        "open": None,
        "seen_at": "2026-01-01T12:00:00Z",
        "state": None,
        "notes": [],
        "body": "gamma, delta",
        "request": "a request",
        "limit": 3,
        "sort": "a sort",
        "_changed_at": "2026-01-01T00:01:01Z",
    }


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("limit__eq=2", [("north", 2)]),
        ("sort__startswith=a&limit__lt=2", [("north", 1), ("south", 1)]),
        ("body=alpha&request=a request", [("north", 1)]),
        ("notes=b,c", [("north", 1)]),
        ("open=false", [("north", 2)]),
        ("state__isnull=true", [("north", 3)]),
        ("level__lt=2&sort=-level", [("north", 1), ("south", 1)]),
        ("seen_at__lte=2026-01-01T13:00:00%2B01:00", [("north", 3)]),
        ("sort=-limit,station&limit=2", [("north", 3), ("north", 2)]),
    ],
)
async def test_every_field_is_filtered_and_sorted_by_whatever_it_is_called(
    gauges: httpx.AsyncClient, query: str, expected: list[tuple[str, int]]
) -> None:
    assert keys(await gauges.get(f"/data/gauges?{query}")) == expected


async def test_it_is_paged_by_cursor_over_both_key_fields(gauges: httpx.AsyncClient) -> None:
    pages = [page async for page in walk(gauges, "/data/gauges?limit=1&sort=-state")]

    assert [page["data"][0]["state"] for page in pages] == ["wet", "dry", "-frozen", None]


async def test_it_is_exported(gauges: httpx.AsyncClient) -> None:
    answer = await gauges.get("/data/gauges?format=csv&fields=level,notes,state&station=south")

    assert list(csv.reader(io.StringIO(answer.text))) == [
        ["station", "number", "level", "state", "notes"],
        ["south", "1", "-3.0", "'-frozen", "[]"],
    ]


async def test_it_is_in_the_catalogue_and_in_the_document(gauges: httpx.AsyncClient) -> None:
    catalogue = (await gauges.get("/datasets")).json()
    document = (await gauges.get("/openapi.json")).json()

    [card] = [card for card in catalogue["datasets"] if card["name"] == "gauges"]
    assert (card["key"], card["records"]) == (["station", "number"], 4)
    assert "/data/gauges/{station}/{number}" in document["paths"]
    names = {p["name"] for p in document["paths"]["/data/gauges"]["get"]["parameters"]}
    assert {"limit", "limit__eq", "limit__gte", "sort", "sort__eq", "body", "request"} <= names


async def test_a_change_of_it_ends_its_tags(opened: Open) -> None:
    dataset = gauges_dataset()
    async with opened(dataset) as fixture:
        await fixture.bring([gauge(1)], dataset)
        before = (await fixture.client.get("/data/gauges")).headers["etag"]
        known = {"If-None-Match": before}
        same = await fixture.client.get("/data/gauges", headers=known)
        await fixture.bring([gauge(1, seen_at=datetime(2026, 2, 1, tzinfo=UTC))], dataset)

        changed = await fixture.client.get("/data/gauges", headers=known)

    assert (same.status_code, changed.status_code) == (304, 200)


# ---------------------------------------------------------------- closed


PATHS = (
    "/data/gauges",
    "/data/gauges?format=csv",
    "/data/gauges?colour=red",
    "/data/gauges/north/1",
    "/data/gauges/no/such/key",
)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_what_only_users_may_read_is_closed_to_strangers(
    opened: Open, path: str, method: str
) -> None:
    dataset = gauges_dataset(read_by=Role.USER)
    async with opened(dataset) as fixture:
        await fixture.bring(SOME_GAUGES, dataset)

        answer = await fixture.client.request(method, path, headers={"If-None-Match": "*"})

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert "etag" not in answer.headers
    if method == "GET":
        problem(answer, 401, "login_required")


async def test_what_only_users_may_fetch_is_closed_to_strangers(opened: Open) -> None:
    dataset = gauges_dataset(fetch_by=Role.USER)
    async with opened(dataset) as fixture:
        await fixture.bring(SOME_GAUGES, dataset)
        asked = len(fixture.sources["gauges"][0].asked)

        fetched = await fixture.client.post("/fetch/gauges")
        read = await fixture.client.get("/data/gauges")

        assert len(fixture.sources["gauges"][0].asked) == asked
    problem(fetched, 401, "login_required")
    assert fetched.headers["www-authenticate"] == "Bearer"
    assert len(keys(read)) == 4


async def test_a_closed_dataset_is_in_no_overview(opened: Open) -> None:
    dataset = gauges_dataset(read_by=Role.ADMIN)
    async with opened(dataset) as fixture:
        await fixture.bring(SOME_GAUGES, dataset)

        overviews = [await fixture.client.get(path) for path in ("/", "/datasets")]

    for answer in overviews:
        assert "gauges" not in [card["name"] for card in answer.json()["datasets"]]


# ---------------------------------------------------------------- partly hidden


@pytest.fixture
async def partly(opened: Open) -> AsyncIterator[httpx.AsyncClient]:
    """Yield a client of an application that shows strangers only the dry gauges."""
    dry = only(("state", Operator.EQ, "dry"))
    dataset = gauges_dataset(visible={Role.ANYONE: dry})
    async with opened(dataset) as fixture:
        await fixture.bring([*SOME_GAUGES, gauge(8, state="dry"), gauge(9, state="dry")], dataset)
        yield fixture.client


async def test_hidden_records_are_not_listed_nor_counted(partly: httpx.AsyncClient) -> None:
    answer = await partly.get("/data/gauges?count=exact")
    bounded = await partly.get("/data/gauges?count=bounded&limit=1")

    assert keys(answer) == [("north", 1), ("north", 8), ("north", 9)]
    assert answer.json()["page"]["total"] == bounded.json()["page"]["total"] == 3


async def test_hidden_records_are_counted_in_no_overview(partly: httpx.AsyncClient) -> None:
    for path in ("/", "/datasets"):
        cards = (await partly.get(path)).json()["datasets"]
        assert [card["records"] for card in cards if card["name"] == "gauges"] == [3]


@pytest.mark.parametrize(
    "query", ["state=wet", "state__ne=dry", "number=2", "state__isnull=true", "level__lt=0"]
)
async def test_no_filter_reaches_a_hidden_record(partly: httpx.AsyncClient, query: str) -> None:
    answer = await partly.get(f"/data/gauges?count=exact&{query}")

    assert keys(answer) == []
    assert answer.json()["page"]["total"] == 0


async def test_a_hidden_record_looks_exactly_like_none(
    partly: httpx.AsyncClient,
) -> None:
    hidden, missing = [
        problem(await partly.get(path), 404, "unknown_record")
        for path in ("/data/gauges/north/2", "/data/gauges/north/77")
    ]

    assert {**hidden, "request_id": ""} == {**missing, "request_id": ""}
    assert (await partly.get("/data/gauges/north/8")).status_code == 200


@pytest.mark.parametrize("format", ["csv", "ndjson"])
async def test_hidden_records_are_not_exported(partly: httpx.AsyncClient, format: str) -> None:
    answer = await partly.get(f"/data/gauges?format={format}&fields=number")

    assert answer.status_code == 200
    assert [word for word in "123456789" if word in answer.text] == ["1", "8", "9"]


async def test_a_walk_over_what_is_visible_works(partly: httpx.AsyncClient) -> None:
    pages = [page async for page in walk(partly, "/data/gauges?limit=1")]

    assert [page["data"][0]["number"] for page in pages] == [1, 8, 9]
