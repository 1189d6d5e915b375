"""Behind nginx, as the how-to configures it: a prefix, gzip and a shared cache, really run."""

import re
from collections.abc import AsyncIterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urljoin

import httpx
import pytest

from tests.docs.markdown import DOCS
from tests.e2e.conftest import Start, url_of
from tests.services.nginx import nginx

pytestmark = pytest.mark.nginx

PREFIX = "/catchment"
TASK = {"title": "mend it", "repository": "someone/something"}
ADMIN = {"CATCHMENT_ADMIN_USERNAME": "ann", "CATCHMENT_ADMIN_PASSWORD": "correct horse battery"}
#: Beside the example: a proxy that compresses by itself, and one that keeps all it may.
_MORE = """
    location /deflating/ {
        proxy_pass http://catchment/;
        proxy_http_version 1.1;
        proxy_set_header Host $http_host;
        proxy_set_header Accept-Encoding "";
        proxy_set_header X-Forwarded-Prefix /deflating;
        gzip on;
        gzip_min_length 100;
        gzip_proxied any;
        gzip_types application/json text/csv;
    }
    location /keeping/ {
        proxy_pass http://catchment/;
        proxy_http_version 1.1;
        proxy_set_header Host $http_host;
        proxy_set_header X-Forwarded-Prefix /keeping;
        proxy_cache catchment;
        proxy_cache_valid any 10m;
        add_header X-Cache-Status $upstream_cache_status always;
    }
"""


def example(api: str, folder: Path) -> str:
    """The example of the how-to, with the places of this test."""
    text = (DOCS / "how-to/run-in-production.md").read_text()
    [block] = re.findall(r"```nginx\n(.*?)```", text, re.DOTALL)
    for written, ours in {
        "listen 80;": "listen 127.0.0.1:@PORT@;",
        "server 127.0.0.1:8000;": f"server {api.removeprefix('http://')};",
        "/var/cache/nginx/catchment": f"{folder}/cache",
    }.items():
        assert written in block
        block = block.replace(written, ours)
    end = block.rindex("}")
    return str(block[:end] + _MORE + block[end:])


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value for name, value in attrs if name in ("src", "href") and value]


@pytest.fixture
async def proxied(start: Start, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """A client of nginx before a real service that has some posts and an admin."""
    more = {
        **ADMIN,
        "CATCHMENT_TRUSTED_PROXIES": "127.0.0.1",
        "CATCHMENT_CACHE_MAX_AGE": "30s",
        "CATCHMENT_GITHUB_URL": "",
    }
    api = await url_of(await start("serve", CATCHMENT_FETCH_ON_START="false", **more))
    async with nginx(example(api, tmp_path), tmp_path / "nginx") as url:
        async with httpx.AsyncClient(base_url=url) as client:
            assert (await client.post(f"{PREFIX}/fetch")).status_code == 200
            yield client


async def token_of(client: httpx.AsyncClient) -> dict[str, str]:
    """The headers of the admin."""
    login = {"username": "ann", "password": "correct horse battery"}
    granted = await client.post(f"{PREFIX}/auth/login", json=login)
    return {"Authorization": f"Bearer {granted.json()['access_token']}"}


async def test_every_link_leads_back_through_the_proxy(proxied: httpx.AsyncClient) -> None:
    for _ in range(3):
        page = await proxied.get(f"{PREFIX}/data?limit=60")
        following = await proxied.get(page.links["next"]["url"])
        assert (page.json()["count"], following.json()["count"]) == (60, 40)
    made = await proxied.post(f"{PREFIX}/tasks", json=TASK)
    found = await proxied.get(made.headers["location"])
    task = await proxied.post(f"{PREFIX}/fetch?mode=task")
    job = await proxied.get(task.json()["status_url"])
    missing = (await proxied.get(f"{PREFIX}/data/nothing")).json()
    explained = await proxied.get(missing["type"])
    index = (await proxied.get(f"{PREFIX}/")).json()

    assert found.json() == made.json()
    assert job.json()["job_id"] == task.json()["job_id"]
    assert (explained.status_code, missing["code"] in explained.text) == (200, True)
    assert str(proxied.base_url.join(f"{PREFIX}/data")) in index["try"][1]
    for path in index["links"].values():
        assert (await proxied.get(path)).status_code == 200


@pytest.mark.parametrize("page", [f"{PREFIX}/docs", f"{PREFIX}/docs/", "/deflating/docs"])
async def test_the_documentation_works_through_the_proxy(
    proxied: httpx.AsyncClient, page: str
) -> None:
    prefix = "/" + page.split("/")[1]
    shown = await proxied.get(page)
    links = _Links()
    links.feed(shown.text)
    parts = [await proxied.get(urljoin(page, link)) for link in links.found]
    [script] = [part for part in parts if str(part.url).endswith("start.js")]
    [written] = re.findall(r'new URL\("([^"]+)", document', script.text)
    document = await proxied.get(urljoin(str(script.url), written))

    assert len(parts) == 4
    assert [part.status_code for part in parts] == [200] * 4
    assert document.json()["servers"] == [{"url": prefix}]


@pytest.mark.parametrize("path", ["/data", "/data?format=csv", "/openapi.json"])
async def test_what_a_client_has_is_recognised_through_gzip(
    proxied: httpx.AsyncClient, path: str
) -> None:
    for prefix, caller in ((PREFIX, {}), (PREFIX, await token_of(proxied)), ("/deflating", {})):
        for _ in range(3):
            first = await proxied.get(prefix + path, headers=caller)
            known = {**caller, "If-None-Match": first.headers["etag"]}
            again = await proxied.get(prefix + path, headers=known)
            assert first.headers["content-encoding"] == "gzip"
            assert first.num_bytes_downloaded < len(first.content) / 2
            assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize("encoding", ["gzip", "identity"])
async def test_a_change_is_made_by_a_tag_that_went_through_gzip(
    proxied: httpx.AsyncClient, encoding: str
) -> None:
    body = {**TASK, "description": "x" * 3000}
    made = (await proxied.post("/deflating/tasks", json=body)).headers["location"]
    read = await proxied.get(made, headers={"Accept-Encoding": encoding})

    headers = {"If-Match": read.headers["etag"]}
    changed = await proxied.request("PATCH", made, json={"status": "done"}, headers=headers)
    late = await proxied.request("PATCH", made, json={"status": "open"}, headers=headers)

    assert (changed.status_code, late.status_code) == (200, 412)


async def test_no_answer_of_one_caller_is_given_to_another(proxied: httpx.AsyncClient) -> None:
    admin = await token_of(proxied)
    paths = ["/", "/datasets", "/data", "/data?format=csv", "/auth/me", "/quarantine", "/tasks"]
    paths += ["/health/live", "/health/ready", "/health", "/stats", "/fetch/jobs", "/data/posts/1"]
    callers = [{}, admin, {"Authorization": "Bearer junk"}]
    for path in paths:
        seen: set[str] = set()
        for caller in [*callers, *callers]:
            for accept in ("application/json", "text/csv"):
                told = await proxied.get(f"/keeping{path}", headers={**caller, "Accept": accept})
                is_junk = caller == callers[2]
                if is_junk and not path.startswith("/health"):
                    assert told.status_code == 401, path
                elif path in ("/auth/me", "/quarantine"):
                    assert told.status_code == (200 if caller else 401)
                if told.status_code == 200 and path == "/data":
                    assert told.headers["content-type"].startswith(accept)
                name = told.headers["x-request-id"]
                is_shared = told.headers.get("x-cache-status") == "HIT"
                assert is_shared or name not in seen
                # Only what anyone may read, and who sends no token, is shared.
                assert not is_shared or (path.startswith("/data") and not caller)
                seen.add(name)


async def test_a_cache_keeps_a_page_no_longer_than_it_may(proxied: httpx.AsyncClient) -> None:
    first = await proxied.get("/keeping/data")
    again = await proxied.get("/keeping/data")

    assert [told.headers["x-cache-status"] for told in (first, again)] == ["MISS", "HIT"]
    assert again.content == first.content
    [kept] = re.findall(r"max-age=(\d+)", first.headers["cache-control"])
    assert int(kept) <= 30
    assert "age" not in first.headers


async def test_an_api_token_is_a_password_through_the_proxy(proxied: httpx.AsyncClient) -> None:
    headers = await token_of(proxied)
    made = await proxied.post(f"{PREFIX}/auth/tokens", json={"name": "sheet"}, headers=headers)

    me = await proxied.get(f"{PREFIX}/auth/me", auth=("any", made.json()["token"]))

    assert me.json()["username"] == "ann"
