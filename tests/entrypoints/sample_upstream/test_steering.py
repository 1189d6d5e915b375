"""The sample upstream as controlled and observed by tests."""

import asyncio
import time
from collections.abc import Callable

import httpx
import pytest

from entrypoints.sample_upstream import SampleUpstream, serve
from tests.entrypoints.sample_upstream.raw_http import NO_CERTIFICATES


async def test_writes_down_each_request(
    client: httpx.AsyncClient, upstream: SampleUpstream
) -> None:
    before = time.monotonic()
    await client.get("/posts?userId=3", headers={"X-Who": "me"})
    await client.get("/nothing")

    first, second = upstream.requests

    assert (first.method, first.path, first.query) == ("GET", "/posts", {"userId": "3"})
    assert first.headers["x-who"] == "me"
    assert before <= first.at <= second.at <= time.monotonic()
    assert (first.status, second.status) == (200, 404)


async def test_counts_requests_for_one_path_and_for_all(
    client: httpx.AsyncClient, upstream: SampleUpstream
) -> None:
    await client.get("/posts")
    await client.get("/posts?userId=3")
    await client.get("/posts/1")

    assert (upstream.count(), upstream.count("/posts"), upstream.count("/users")) == (3, 2, 0)


async def test_forgets_what_it_received(
    client: httpx.AsyncClient, upstream: SampleUpstream
) -> None:
    await client.get("/posts")

    upstream.forget()

    assert upstream.requests == []
    assert upstream.count() == 0


async def test_shows_its_log_without_adding_to_it(
    client: httpx.AsyncClient, upstream: SampleUpstream
) -> None:
    await client.get("/posts/1")
    await client.get("/_requests")

    log = (await client.get("/_requests")).json()

    assert log["count"] == 1
    assert [entry["path"] for entry in log["last"]] == ["/posts/1"]


async def test_serves_the_posts_it_is_given(
    client: httpx.AsyncClient, upstream: SampleUpstream
) -> None:
    upstream.set_posts([{"id": 7, "title": "only"}])

    assert (await client.get("/posts")).json() == [{"id": 7, "title": "only"}]
    assert (await client.get("/posts/7")).json()["title"] == "only"
    assert (await client.get("/posts/1")).status_code == 404


async def test_a_revision_stamps_every_title_once(
    client: httpx.AsyncClient, upstream: SampleUpstream
) -> None:
    upstream.revise(1)
    upstream.revise(2)

    titles = [post["title"] for post in (await client.get("/posts")).json()]

    assert all(title.endswith(" (generation 2)") for title in titles)
    assert not any("generation 1)" in title for title in titles)


CHANGES: dict[str, Callable[[SampleUpstream], None]] = {
    "/posts": lambda upstream: upstream.revise(1),
    "/posts/7": lambda upstream: upstream.set_posts([{"id": 7}]),
    "/v1/tickers": lambda upstream: upstream.revise_prices(1),
    "/v1/tickers?again": lambda upstream: upstream.set_tickers([]),
    "/assets.csv": lambda upstream: upstream.set_assets("id\n"),
    "/repos/encode/httpx": lambda upstream: upstream.set_repository("encode/httpx"),
}


@pytest.mark.parametrize("path", CHANGES)
async def test_every_change_is_visible_to_a_reader_of_changes(
    client: httpx.AsyncClient, upstream: SampleUpstream, path: str
) -> None:
    since = {"If-Modified-Since": "Thu, 01 Jan 2026 00:00:00 GMT"}
    before = await client.get(path, headers=since)
    CHANGES[path](upstream)

    after = await client.get(path, headers=since)

    assert (before.status_code, after.status_code) == (304, 200)


async def test_waits_for_requests_to_arrive(
    client: httpx.AsyncClient, upstream: SampleUpstream
) -> None:
    waiting = asyncio.create_task(upstream.arrived(2))
    await client.get("/posts/1")
    assert not waiting.done()

    await client.get("/posts/2")

    await asyncio.wait_for(waiting, 1)


async def test_stopping_breaks_a_held_answer(
    client: httpx.AsyncClient, upstream: SampleUpstream
) -> None:
    upstream.hold()
    fetching = asyncio.create_task(client.get("/posts"))
    await upstream.arrived(1)

    await upstream.stop()

    with pytest.raises(httpx.TransportError):
        await fetching


async def test_a_client_that_leaves_does_no_harm(
    client: httpx.AsyncClient, upstream: SampleUpstream
) -> None:
    upstream.hold()
    reader, writer = await asyncio.open_connection(*upstream.address)
    writer.write(b"GET /posts HTTP/1.1\r\nHost: here\r\n\r\n")
    await reader.readline()
    writer.transport.abort()

    upstream.release()

    assert (await client.get("/posts")).status_code == 200


async def test_starts_again_after_a_stop(upstream: SampleUpstream) -> None:
    await upstream.stop()
    await upstream.stop()
    await upstream.start()

    reader, writer = await asyncio.open_connection(*upstream.address)
    writer.write(b"HEAD /posts HTTP/1.0\r\n\r\n")
    assert (await reader.read(-1)).startswith(b"HTTP/1.1 200 OK\r\n")
    writer.close()
    await writer.wait_closed()


async def test_serves_until_cancelled() -> None:
    addresses: asyncio.Queue[str] = asyncio.Queue()
    serving = asyncio.create_task(serve(port=0, posts=3, announce=addresses.put_nowait))
    async with httpx.AsyncClient(verify=NO_CERTIFICATES) as client:
        posts = (await client.get(await addresses.get() + "/posts")).json()
    serving.cancel()

    with pytest.raises(asyncio.CancelledError):
        await serving
    assert len(posts) == 3
