"""The sample upstream without faults: posts."""

import asyncio

import httpx
import pytest

from entrypoints.sample_upstream import SampleUpstream
from tests.entrypoints.sample_upstream.raw_http import Connect, body_of, declared_length


async def test_serves_a_hundred_posts_ten_for_each_user(client: httpx.AsyncClient) -> None:
    posts = (await client.get("/posts")).json()

    assert [post["id"] for post in posts] == list(range(1, 101))
    assert [post["userId"] for post in posts] == [user for user in range(1, 11) for _ in range(10)]
    assert set(posts[0]) == {"userId", "id", "title", "body"}


async def test_the_same_seed_gives_the_same_posts() -> None:
    first, same, other = SampleUpstream(), SampleUpstream(), SampleUpstream(seed=2)

    assert first.collection().records == same.collection().records
    assert first.collection().records != other.collection().records


async def test_serves_as_many_posts_as_asked_for(client: httpx.AsyncClient) -> None:
    posts = (await client.get("/posts?_count=2500")).json()

    assert len(posts) == 2500
    assert posts[-1]["userId"] == 250


async def test_refuses_to_make_more_than_a_million_posts(client: httpx.AsyncClient) -> None:
    answer = await client.get("/posts?_count=1000001")

    assert answer.status_code == 400


async def test_serves_one_post(client: httpx.AsyncClient) -> None:
    answer = await client.get("/posts/42")

    assert answer.json()["id"] == 42


@pytest.mark.parametrize("path", ["/posts/101", "/posts/abc", "/comments", "/posts/1/comments"])
async def test_answers_404_with_an_empty_object(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(path)

    assert (answer.status_code, answer.json()) == (404, {})


async def test_filters_by_user(client: httpx.AsyncClient) -> None:
    posts = (await client.get("/posts?userId=3")).json()

    assert [post["id"] for post in posts] == list(range(21, 31))


async def test_following_next_links_gives_every_post_once(client: httpx.AsyncClient) -> None:
    seen: list[int] = []
    url = "/posts?_page=1&_limit=30"
    while url:
        answer = await client.get(url)
        seen += [post["id"] for post in answer.json()]
        url = answer.links.get("next", {}).get("url", "")

    assert seen == list(range(1, 101))


async def test_a_page_links_to_its_neighbours_and_has_the_total(
    client: httpx.AsyncClient,
) -> None:
    answer = await client.get("/posts?_page=2&_limit=30&userId=")
    whole = await client.get("/posts?_page=2&_limit=30")

    assert answer.headers["x-total-count"] == "0"
    assert whole.headers["x-total-count"] == "100"
    pages = {name: httpx.URL(link["url"]).params["_page"] for name, link in whole.links.items()}
    assert pages == {"first": "1", "prev": "1", "next": "3", "last": "4"}


async def test_answers_304_when_nothing_changed_since(
    client: httpx.AsyncClient, upstream: SampleUpstream
) -> None:
    modified = (await client.get("/posts")).headers["last-modified"]
    unchanged = await client.get("/posts", headers={"If-Modified-Since": modified})
    upstream.revise(1)

    changed = await client.get("/posts", headers={"If-Modified-Since": modified})

    assert (unchanged.status_code, changed.status_code) == (304, 200)


async def test_ignores_a_date_it_cannot_read(client: httpx.AsyncClient) -> None:
    answer = await client.get("/posts", headers={"If-Modified-Since": "yesterday"})

    assert answer.status_code == 200


async def test_a_changed_set_has_another_etag(
    client: httpx.AsyncClient, upstream: SampleUpstream
) -> None:
    etag = (await client.get("/posts")).headers["etag"]
    upstream.revise(1)

    answer = await client.get("/posts", headers={"If-None-Match": etag})

    assert answer.status_code == 200


async def test_head_has_the_length_and_no_body(connect: Connect, upstream: SampleUpstream) -> None:
    reader, _ = await connect(upstream.url("/posts"), "Connection: close", "HEAD")

    answer = await reader.read(-1)

    assert declared_length(answer) == len(upstream.collection().whole.body)
    assert body_of(answer) == b""


async def test_keeps_the_connection_for_the_next_request(
    upstream: SampleUpstream,
) -> None:
    reader, writer = await asyncio.open_connection(*upstream.address)
    for _ in range(2):
        writer.write(b"GET /posts/1 HTTP/1.1\r\nHost: here\r\n\r\n")
        assert (await reader.readline()) == b"HTTP/1.1 200 OK\r\n"
        assert (await reader.readuntil(b"\r\n\r\n")).endswith(b"keep-alive\r\n\r\n")
        await reader.readuntil(b"}")
    writer.write(b"GET /posts/1 HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n")

    assert (await reader.read(-1)).endswith(b"}")
    writer.close()
    await writer.wait_closed()


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"HELO mail\r\n\r\n",
        b"GET / HTTP/1.1\r\nX: " + b"x" * 70_000 + b"\r\n\r\n",
        b"POST /posts HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"POST /posts HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n",
        b"GET http://[ HTTP/1.1\r\n\r\n",
    ],
)
async def test_answers_400_to_what_it_does_not_read(
    upstream: SampleUpstream, request_bytes: bytes
) -> None:
    reader, writer = await asyncio.open_connection(*upstream.address)
    writer.write(request_bytes)

    assert (await reader.readline()) == b"HTTP/1.1 400 Bad Request\r\n"
    writer.close()
    await writer.wait_closed()
