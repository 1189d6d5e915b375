"""A path prefix at the proxy: every link has it, whether or not the proxy strips it."""

import re
from urllib.parse import urljoin

import httpx
import pytest

from adapters.http.protocol.links import is_prefix
from domain.dataset import Role
from tests.adapters.http.http_fixture import BASE, HttpFixture, posts, problem

TRUSTED = "10.0.0.1"
STRANGER = "10.0.0.2"
TASK = {"title": "mend it", "repository": "someone/something"}
#: How the prefix is configured, and whether the proxy strips it.
WAYS = ["set", "set, not stripped", "named", "named, not stripped"]


def asking(fixture: HttpFixture, client: str = TRUSTED) -> httpx.AsyncClient:
    """Return a client with an address."""
    transport = httpx.ASGITransport(fixture.app, client=(client, 1))
    return httpx.AsyncClient(transport=transport, base_url=BASE)


class Below:
    """A client of a proxy that serves the application below a prefix."""

    def __init__(self, way: str) -> None:
        known, _, kept = way.partition(", ")
        settings = {"root_path": "/catchment"} if known == "set" else {}
        self.fixture = HttpFixture(trusted_proxies=(TRUSTED,), **settings)
        self._headers = {"X-Forwarded-Prefix": "/catchment"} if known == "named" else {}
        self._client = asking(self.fixture)
        self._is_kept = bool(kept)

    async def ask(self, method: str, path: str, **more: object) -> httpx.Response:
        """Send a request with a path as clients outside write it."""
        assert path.startswith("/catchment")
        if not self._is_kept:
            path = path.removeprefix("/catchment")
        headers = {**self._headers, **dict(more.pop("headers", {}))}  # type: ignore[call-overload]
        return await self._client.request(method, path, headers=headers, **more)  # type: ignore[arg-type]


@pytest.fixture(params=WAYS)
async def below(request: pytest.FixtureRequest) -> Below:
    """Return the application below a prefix, with some posts."""
    found = Below(request.param)
    await found.fixture.bring(posts(30))
    return found


async def test_pages_lead_on_below_the_prefix(below: Below) -> None:
    for _ in range(2):  # the second is from the cache
        first = await below.ask("GET", "/catchment/data?limit=20")
        assert first.links["next"]["url"].startswith("/catchment/data?")

        second = await below.ask("GET", first.links["next"]["url"])

        assert second.json()["count"] == 10


async def test_what_is_made_is_found_below_the_prefix(below: Below) -> None:
    made = await below.ask("POST", "/catchment/tasks", json=TASK)
    fetched = await below.ask("POST", "/catchment/fetch?mode=task&force=false")
    redirected = await below.ask("GET", "/catchment/redoc")

    assert (await below.ask("GET", made.headers["location"])).json() == made.json()
    status = fetched.json()["status_url"]
    assert (await below.ask("GET", status)).json()["status_url"] == status
    assert redirected.headers["location"] == "/catchment/docs"


async def test_the_overviews_lead_below_the_prefix(below: Below) -> None:
    index = (await below.ask("GET", "/catchment")).json()
    [posts_entry, *_] = (await below.ask("GET", "/catchment/datasets")).json()["datasets"]

    assert all(path.startswith("/catchment/") for path in index["links"].values())
    assert all(f"{BASE}/catchment/" in line for line in index["try"])
    for path in (*index["links"].values(), index["datasets"][0]["url"], posts_entry["data_url"]):
        assert (await below.ask("GET", path)).status_code == 200
    assert posts_entry["fetch_url"] == "/catchment/fetch/posts"


@pytest.mark.parametrize("path", ["/nothing", "/data/nothing", "/data?colour=red", "/docs/x"])
async def test_problems_are_explained_below_the_prefix(below: Below, path: str) -> None:
    body = (await below.ask("GET", f"/catchment{path}")).json()

    assert body["type"] == f"/catchment/docs/problems#{body['code']}"


async def test_the_document_names_the_prefix(below: Below) -> None:
    document = (await below.ask("GET", "/catchment/openapi.json")).json()

    assert document["servers"] == [{"url": "/catchment"}]
    assert "/data" in document["paths"]


@pytest.mark.parametrize("page", ["/catchment/docs", "/catchment/docs/"])
async def test_the_documentation_finds_its_parts_below_the_prefix(below: Below, page: str) -> None:
    parts = re.findall(r'(?:src|href)="([^"]+)"', (await below.ask("GET", page)).text)

    assert len(parts) == 4
    for part in parts:
        assert (await below.ask("GET", urljoin(page, part))).status_code == 200


async def test_the_document_without_a_prefix_begins_at_the_root(client: httpx.AsyncClient) -> None:
    assert (await client.get("/openapi.json")).json()["servers"] == [{"url": "/"}]


async def test_a_prefix_is_stripped_once_and_only_as_a_whole() -> None:
    fixture = HttpFixture(root_path="/data")
    await fixture.bring(posts(3))

    assert (await fixture.client.get("/data/data/posts")).json()["count"] == 3
    assert (await fixture.client.get("/data/health")).json()["database"] == "connected"
    assert (await fixture.client.get("/datas")).status_code == 404


@pytest.mark.parametrize(
    "written", ["//evil.test", "/a/../b", '/a"b', "/a<b", "a", "/a?b", "/a%2fb", "/" + "a" * 500]
)
async def test_a_prefix_that_is_none_is_passed_over(written: str) -> None:
    fixture = HttpFixture(trusted_proxies=(TRUSTED,))

    answer = await asking(fixture).get("/nothing", headers={"X-Forwarded-Prefix": written})

    assert problem(answer, 404, "not_found")["type"] == "/docs/problems#not_found"
    assert not is_prefix(written)


async def test_several_proxies_have_written_one_prefix_together() -> None:
    fixture = HttpFixture(trusted_proxies=(TRUSTED,), root_path="/other")
    headers = {"X-Forwarded-Prefix": "/outer/, /inner"}

    answer = await asking(fixture).get("/nothing", headers=headers)

    assert answer.json()["type"] == "/outer/inner/docs/problems#not_found"


@pytest.mark.parametrize("first", [TRUSTED, STRANGER])
async def test_a_strangers_prefix_is_passed_over_also_in_what_is_kept_ready(first: str) -> None:
    fixture = HttpFixture(trusted_proxies=(TRUSTED,))
    await fixture.bring(posts(30))
    headers = {"X-Forwarded-Prefix": "/evil"}

    for client in (first, TRUSTED, STRANGER, first):
        for _ in range(2):
            page = await asking(fixture, client).get("/data?limit=1", headers=headers)
            link = page.links["next"]["url"]
            assert link.startswith("/evil/data?" if client == TRUSTED else "/data?")


async def test_ready_pages_below_a_prefix_are_given_again() -> None:
    for way in WAYS:
        below = Below(way)
        await below.fixture.bring(posts(3))
        for _ in range(2):
            await below.ask("GET", "/catchment/data")
        pages = below.fixture.broken.pages
        await below.ask("GET", "/catchment/data")
        assert below.fixture.broken.pages == pages


async def test_an_answer_that_is_repeated_leads_where_its_first_asker_came_from() -> None:
    fixture = HttpFixture(trusted_proxies=(TRUSTED,))
    key = {"Idempotency-Key": "k"}
    near = await asking(fixture).post("/fetch", headers=key)
    again = await asking(fixture).post("/fetch", headers=key)

    other = await asking(fixture).post("/fetch", headers={**key, "X-Forwarded-Prefix": "/far"})

    assert again.json() == near.json()
    assert (other.status_code, other.json()["code"]) == (422, "key_reused")


async def test_roles_hold_below_a_prefix(below: Below) -> None:
    headers = await below.fixture.headers(Role.USER)

    me = await below.ask("GET", "/catchment/auth/me", headers=headers)

    assert me.json()["role"] == "user"
