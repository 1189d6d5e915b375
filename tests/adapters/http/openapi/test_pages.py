"""Documentation: a page to try the API, without any other server."""

import re
from urllib.parse import urljoin

import httpx
import pytest

ASSET = re.compile(r"""(?:src|href)=["']([^"']+)["']""")
ELSEWHERE = re.compile(r"""(?:https?:)?//[a-z0-9.-]+\.[a-z]{2,}""")


@pytest.mark.parametrize("path", ["/docs", "/docs/", "/docs/problems"])
async def test_the_pages_name_no_other_host(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(path)

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert not ELSEWHERE.search(answer.text)
    assert "http" not in answer.headers["content-security-policy"]


async def test_everything_the_page_needs_is_served_here(client: httpx.AsyncClient) -> None:
    page = await client.get("/docs")
    assets = ASSET.findall(page.text)

    assert len(assets) == 4
    for asset in assets:
        answer = await client.get(urljoin("/docs", asset))
        assert answer.status_code == 200
        assert len(answer.content) > 100
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"


async def test_scripts_and_styles_are_served_as_what_they_are(client: httpx.AsyncClient) -> None:
    assets = ASSET.findall((await client.get("/docs")).text)

    served = {
        asset.rpartition(".")[2]: (await client.get(f"/{asset}")).headers["content-type"]
        for asset in assets
    }

    assert served == {
        "png": "image/png",
        "css": "text/css; charset=utf-8",
        "js": "text/javascript; charset=utf-8",
    }


async def test_the_page_runs_no_script_of_its_own_and_reads_our_document(
    client: httpx.AsyncClient,
) -> None:
    page = await client.get("/docs")
    [start] = [asset for asset in ASSET.findall(page.text) if asset.endswith("start.js")]

    script = (await client.get(f"/{start}")).text

    assert not re.search(r"<script>|<script [^>]*>[^<]", page.text)
    assert "script-src 'self';" in page.headers["content-security-policy"]
    assert 'url: new URL("../../openapi.json", document.currentScript.src).href' in script
    assert "validatorUrl: null" in script


async def test_redoc_leads_to_the_same_page(client: httpx.AsyncClient) -> None:
    answer = await client.get("/redoc")

    assert (answer.status_code, answer.headers["location"]) == (308, "/docs")


@pytest.mark.parametrize(
    "path",
    [
        "/docs/swagger-ui-5.35.0",
        "/docs/swagger-ui-5.35.0/LICENSE/..",
        "/docs/swagger-ui-5.35.0/../documentation.py",
        "/docs/swagger-ui-5.35.0/%2e%2e/documentation.py",
        "/docs/swagger-ui-5.35.0/..%2fdocumentation.py",
        "/docs/etc/passwd",
        "/docs/elsewhere/swagger-ui.css",
        "/docs/openapi.json",
        "/redoc/x",
        "/openapi.json/x",
    ],
)
async def test_nothing_else_is_served_from_there(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(path)

    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("path", ["/docs", "/openapi.json", "/docs/problems"])
async def test_documentation_is_not_sent_twice(client: httpx.AsyncClient, path: str) -> None:
    first = await client.get(path)

    second = await client.get(path, headers={"If-None-Match": first.headers["etag"]})

    assert (second.status_code, second.content) == (304, b"")


@pytest.mark.parametrize("path", ["/docs", "/openapi.json", "/redoc"])
async def test_documentation_answers_head(client: httpx.AsyncClient, path: str) -> None:
    get, head = await client.get(path), await client.head(path)

    assert (head.status_code, head.content) == (get.status_code, b"")
    assert head.headers["content-length"] == get.headers["content-length"]
