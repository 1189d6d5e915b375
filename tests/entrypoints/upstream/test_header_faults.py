"""Faults of validators, pushed headers, pages and redirects."""

from datetime import UTC, datetime

import httpx
import pytest

from entrypoints.upstream import SampleUpstream
from tests.entrypoints.upstream.raw_http import Connect


async def ask_twice(client: httpx.AsyncClient, url: str) -> list[httpx.Response]:
    """Ask, and ask again with the ETag received."""
    first = await client.get(url)
    second = await client.get(url, headers={"If-None-Match": first.headers.get("etag", "")})
    return [first, second]


@pytest.mark.parametrize(
    ("name", "same_tag", "same_body", "status"),
    [
        ("U33-same-etag-new-body", True, False, 200),
        ("U33-stuck-etag", True, False, 304),
        ("U33-new-etag-same-body", False, True, 200),
        ("U33-weak", True, True, 200),
        ("U33-strong", True, False, 304),
        ("U33-alternating", False, True, 200),
        ("U33-gzip-suffix", True, True, 200),
        ("U33-long", True, True, 200),
    ],
)
async def test_the_etag_misleads(
    client: httpx.AsyncClient,
    upstream: SampleUpstream,
    name: str,
    same_tag: bool,
    same_body: bool,
    status: int,
) -> None:
    first, second = await ask_twice(client, upstream.fault_url(name))

    assert (first.headers["etag"] == second.headers["etag"]) is same_tag
    assert (first.content == second.content) is same_body
    assert (first.status_code, second.status_code) == (200, status)


async def test_a_stuck_etag_hides_a_changed_body(
    client: httpx.AsyncClient, upstream: SampleUpstream
) -> None:
    url = upstream.fault_url("U33-stuck-etag")

    first, again = await client.get(url), await client.get(url)

    assert first.headers["etag"] == again.headers["etag"]
    assert first.content != again.content


async def test_304_comes_unasked(client: httpx.AsyncClient, upstream: SampleUpstream) -> None:
    answer = await client.get(upstream.fault_url("U33-unasked-304"))

    assert answer.status_code == 304


async def test_304_comes_with_a_body(connect: Connect, upstream: SampleUpstream) -> None:
    url = upstream.fault_url("U33-304-with-body")
    reader, _ = await connect(url, 'If-None-Match: "stuck"')

    head = await reader.readuntil(b"\r\n\r\n")

    assert head.startswith(b"HTTP/1.1 304 ")
    assert await reader.readexactly(2) == b"[{"


async def test_the_etag_is_suffixed_only_when_packed(
    client: httpx.AsyncClient, upstream: SampleUpstream
) -> None:
    url = upstream.fault_url("U33-gzip-suffix")

    packed, plain = await client.get(url), await client.get(url, headers={"Accept-Encoding": ""})

    assert packed.headers["etag"] == plain.headers["etag"][:-1] + '-gzip"'


async def test_the_etag_is_8_kilobytes(client: httpx.AsyncClient, upstream: SampleUpstream) -> None:
    assert len((await client.get(upstream.fault_url("U33-long"))).headers["etag"]) == 8194


async def test_the_etag_smuggles_a_header(
    client: httpx.AsyncClient, upstream: SampleUpstream
) -> None:
    answer = await client.get(upstream.fault_url("U33-crlf"))

    assert (answer.headers["etag"], answer.headers["x-smuggled"]) == ('"broken', 'yes"')


async def test_last_modified_is_no_use(client: httpx.AsyncClient, upstream: SampleUpstream) -> None:
    upstream.now = lambda: datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
    future = await client.get(upstream.fault_url("U34-future"))
    garbage = await client.get(upstream.fault_url("U34-garbage"))

    assert future.headers["last-modified"] == "Mon, 02 Mar 2026 12:00:00 GMT"
    assert garbage.headers["last-modified"] == "Thu, 99 Foo 20xx 25:61:61"


async def test_cookies_and_policies_are_pushed(
    client: httpx.AsyncClient, upstream: SampleUpstream
) -> None:
    headers = (await client.get(upstream.fault_url("U38"))).headers

    assert len(headers.get_list("set-cookie")) == 2
    assert {"strict-transport-security", "www-authenticate", "authorization"} <= set(headers)


async def test_what_the_client_sent_comes_back_in_a_record(
    client: httpx.AsyncClient, upstream: SampleUpstream
) -> None:
    secrets = {"Authorization": "Bearer s3cret", "If-None-Match": '"mine"'}

    posts = (await client.get(upstream.fault_url("U43"), headers=secrets)).json()

    assert posts[2]["title"] == 'You sent Bearer s3cret and "mine"'
    assert len(posts) == 100


async def walk(client: httpx.AsyncClient, url: str, most_pages: int = 30) -> list[list[int]]:
    """Follow next links and return the ids of each page."""
    pages: list[list[int]] = []
    while url and len(pages) < most_pages:
        answer = await client.get(url)
        answer.raise_for_status()
        pages.append([post["id"] for post in answer.json()])
        url = answer.links.get("next", {}).get("url", "")
    return pages


def ids(*ranges: tuple[int, int]) -> list[int]:
    return [post_id for first, last in ranges for post_id in range(first, last + 1)]


@pytest.mark.parametrize(
    ("name", "first_pages"),
    [
        ("U32-self", [ids((1, 10)), ids((1, 10)), ids((1, 10))]),
        ("U32-loop", [ids((1, 10)), ids((11, 20)), ids((1, 10))]),
        ("U32-empty-page", [ids((1, 10)), [], ids((11, 20))]),
        ("U32-overlap", [ids((1, 10)), ids((10, 19)), ids((19, 28))]),
        ("U32-shift", [ids((1, 10)), ids((12, 21)), ids((23, 32))]),
        ("U32-total-high", [ids((1, 10)), ids((11, 20)), ids((21, 30))]),
        ("U32-endless", [ids((1, 10)), ids((11, 20)), ids((21, 30))]),
        ("U27-across-pages", [ids((1, 10)), [1, *ids((11, 20))], [1, *ids((21, 30))]]),
    ],
)
async def test_pages_follow_one_another_wrongly(
    client: httpx.AsyncClient, upstream: SampleUpstream, name: str, first_pages: list[list[int]]
) -> None:
    assert await walk(client, upstream.fault_url(name), 3) == first_pages


@pytest.mark.parametrize(
    ("name", "number_of_pages"),
    [
        ("U32-self", 30),
        ("U32-loop", 30),
        ("U32-empty-forever", 30),
        ("U32-endless", 30),
        ("U32-empty-page", 11),
        ("U32-overlap", 11),
        ("U32-shift", 10),
        ("U32-total-low", 10),
        ("U27-across-pages", 10),
    ],
)
async def test_a_walk_ends_or_does_not(
    client: httpx.AsyncClient, upstream: SampleUpstream, name: str, number_of_pages: int
) -> None:
    assert len(await walk(client, upstream.fault_url(name))) == number_of_pages


async def test_an_empty_page_leads_to_all_the_rest(
    client: httpx.AsyncClient, upstream: SampleUpstream
) -> None:
    pages = await walk(client, upstream.fault_url("U32-empty-page"))

    assert [post_id for page in pages for post_id in page] == ids((1, 100))


@pytest.mark.parametrize(("name", "total"), [("U32-total-high", "1000"), ("U32-total-low", "50")])
async def test_the_total_lies(
    client: httpx.AsyncClient, upstream: SampleUpstream, name: str, total: str
) -> None:
    answer = await client.get(upstream.fault_url(name))

    assert answer.headers["x-total-count"] == total


@pytest.mark.parametrize(("name", "status"), [("U32-expired-410", 410), ("U32-expired-422", 422)])
async def test_a_cursor_expires_on_the_first_walk(
    client: httpx.AsyncClient, upstream: SampleUpstream, name: str, status: int
) -> None:
    with pytest.raises(httpx.HTTPStatusError, match=str(status)):
        await walk(client, upstream.fault_url(name))

    assert len(await walk(client, upstream.fault_url(name))) == 10


async def test_the_million_pages_come_to_an_end(
    client: httpx.AsyncClient, upstream: SampleUpstream
) -> None:
    answer = await client.get(upstream.fault_url("U32-endless") + "?_page=1000000&_limit=2")

    assert [post["id"] for post in answer.json()] == [1_999_999, 2_000_000]
    assert "next" not in answer.links


@pytest.mark.parametrize(
    ("name", "target"),
    [
        ("U35-loopback", "http://127.0.0.1:{port}/forbidden"),
        ("U35-metadata", "http://169.254.169.254/latest/meta-data/"),
        ("U35-ipv6-loopback", "http://[::1]:{port}/forbidden"),
        ("U35-unspecified", "http://0.0.0.0:{port}/forbidden"),
        ("U35-decimal", "http://2130706433:{port}/forbidden"),
        ("U35-octal", "http://0177.0.0.1:{port}/forbidden"),
        ("U35-ipv4-mapped", "http://[::ffff:127.0.0.1]:{port}/forbidden"),
        ("U35-userinfo", "http://api.example.com@127.0.0.1:{port}/forbidden"),
        ("U35-file", "file:///etc/passwd"),
        ("U35-gopher", "gopher://127.0.0.1:{port}/forbidden"),
        ("U35-cross-host", "http://localhost:{port}/forbidden"),
        ("U35-private", "http://10.0.0.1/posts"),
        ("U35-same-host", "/posts"),
        ("U35-empty-location", ""),
    ],
)
async def test_redirects_lead_astray(
    connect: Connect, upstream: SampleUpstream, name: str, target: str
) -> None:
    reader, _ = await connect(upstream.fault_url(name))

    head = (await reader.readuntil(b"\r\n\r\n")).decode()

    assert head.startswith("HTTP/1.1 302 Found\r\n")
    assert f"\r\nLocation: {target.format(port=upstream.address[1])}\r\n" in head


async def test_a_client_that_follows_a_forbidden_redirect_is_seen(
    client: httpx.AsyncClient, upstream: SampleUpstream
) -> None:
    await client.get(upstream.fault_url("U35-loopback"), follow_redirects=True)

    assert upstream.count("/forbidden") == 1


@pytest.mark.parametrize(
    ("name", "hops"),
    [("U35-same-host", 1), ("U35-permanent", 1), ("U35-to-itself-once", 1), ("U35-chain", 10)],
)
async def test_redirects_lead_to_the_posts(
    client: httpx.AsyncClient, upstream: SampleUpstream, name: str, hops: int
) -> None:
    answer = await client.get(upstream.fault_url(name), follow_redirects=True)

    assert len(answer.history) == hops
    assert len(answer.json()) == 100


async def test_redirects_go_round_for_ever(
    client: httpx.AsyncClient, upstream: SampleUpstream
) -> None:
    with pytest.raises(httpx.TooManyRedirects):
        await client.get(upstream.fault_url("U35-loop"), follow_redirects=True)


async def test_a_post_is_redirected_as_a_post(
    client: httpx.AsyncClient, upstream: SampleUpstream
) -> None:
    answer = await client.post(upstream.fault_url("U35-308"), json={}, follow_redirects=True)

    assert [request.method for request in upstream.requests] == ["POST", "POST"]
    assert answer.status_code == 405
