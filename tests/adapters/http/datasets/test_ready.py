"""Ready pages: what was answered before is answered again without reading, until it is not so."""

import asyncio
from datetime import timedelta

import httpx
import pytest

from adapters.http.datasets.ready_pages import MAX_PAGE_BYTES, ReadyPage, ReadyPages
from application.datasets.catalogue import FreshnessStatus
from application.datasets.query import Query
from domain.builtin.posts import Post
from domain.checkpoints import Freshness
from domain.dataset import Role
from domain.politeness import Cadence
from tests.adapters.http.http_fixture import POSTS, HttpFixture, posts, problem


async def test_a_page_asked_for_again_is_not_read_again(fixture: HttpFixture) -> None:
    first = await fixture.client.get("/data?user_id=1")
    reads = fixture.broken.pages

    second = await fixture.client.get("/data?user_id=1")

    assert fixture.broken.pages == reads
    assert _without_what_varies(second) == _without_what_varies(first)
    assert second.json()["request_id"] != first.json()["request_id"]
    assert second.headers["etag"] == first.headers["etag"]


async def test_a_page_is_read_again_once_its_data_has_changed(fixture: HttpFixture) -> None:
    await fixture.client.get("/data?limit=500&fields=id")

    await fixture.bring(posts(150))
    after = await fixture.client.get("/data?limit=500&fields=id")

    assert after.json()["count"] == 150


async def test_a_fetch_that_changes_nothing_still_shows_when_it_was(fixture: HttpFixture) -> None:
    before = await fixture.client.get("/data")

    await fixture.bring(posts(100))
    after = await fixture.client.get("/data")

    assert after.json()["meta"]["fetched_at"] > before.json()["meta"]["fetched_at"]


async def test_writing_to_another_dataset_leaves_a_page_ready(fixture: HttpFixture) -> None:
    await fixture.client.get("/data/posts")
    reads = fixture.broken.pages

    await fixture.bring([], fixture.datasets[1])
    await fixture.client.get("/data/posts")

    assert fixture.broken.pages == reads


async def test_a_page_ends_when_its_staleness_flips() -> None:
    fixture = HttpFixture(cadence=Cadence(stale_after=timedelta(minutes=5)))
    await fixture.bring(posts(1))
    fresh = await fixture.client.get("/data")

    fixture.clock.advance(301)
    stale = await fixture.client.get("/data")

    assert fresh.json()["stale"] is False
    assert stale.json()["stale"] is True
    assert stale.headers["etag"] != fresh.headers["etag"]


@pytest.mark.parametrize("header", ["Authorization", "Cookie"])
async def test_an_answer_to_credentials_is_never_kept(fixture: HttpFixture, header: str) -> None:
    credentials = {"Cookie": "x", **await fixture.headers(Role.USER)}
    given = {header: credentials[header]}
    await fixture.client.get("/data", headers=given)
    reads = fixture.broken.pages

    await fixture.client.get("/data", headers=given)

    assert fixture.broken.pages == reads + 1


async def test_a_ready_page_keeps_to_the_methods_and_the_tags(fixture: HttpFixture) -> None:
    etag = (await fixture.client.get("/data")).headers["etag"]

    head = await fixture.client.head("/data")
    posted = await fixture.client.post("/data")
    known = await fixture.client.get("/data", headers={"If-None-Match": etag})
    other = await fixture.client.get("/data", headers={"If-None-Match": 'W/"other"'})

    assert (head.status_code, head.content) == (200, b"")
    problem(posted, 405, "method_not_allowed")
    assert known.status_code == 304
    assert other.status_code == 200


async def test_what_is_accepted_tells_answers_apart(fixture: HttpFixture) -> None:
    await fixture.client.get("/data")

    csv = await fixture.client.get("/data", headers={"Accept": "text/csv"})
    nothing = await fixture.client.get("/data", headers={"Accept": "image/png"})

    assert csv.headers["content-type"].startswith("text/csv")
    problem(nothing, 406, "not_acceptable")


async def test_a_record_that_changed_is_not_answered_from_before(fixture: HttpFixture) -> None:
    before = await fixture.client.get("/data/posts/1")

    await fixture.bring([Post(1, 1, "another title", "another body")])
    after = await fixture.client.get("/data/posts/1")

    assert after.json()["data"] != before.json()["data"]


async def test_readers_beside_a_writer_see_its_data_as_soon_as_it_has_answered(
    fixture: HttpFixture,
) -> None:
    async def read() -> int:
        answer = await fixture.client.get("/data?count=exact&limit=1")
        return int(answer.json()["page"]["total"])

    for count in range(101, 106):
        await fixture.bring(posts(count))

        assert await asyncio.gather(*(read() for _ in range(10))) == [count] * 10


# ---------------------------------------------------------------- the memory it takes


def page_of_size(size: int) -> ReadyPage:
    """A page with a body of so many bytes."""
    return ReadyPage(
        query=Query(POSTS, HttpFixture().store),
        body=b"x" * size,
        etag="",
        lines=(),
        freshness=Freshness(),
        standing=FreshnessStatus(None, None, True),
        version=0,
    )


def test_the_longest_unused_pages_are_forgotten_to_make_room() -> None:
    pages = ReadyPages(max_bytes=30_000)
    page = page_of_size(6_000)
    for number in range(3):
        pages.keep((f"/{number}", b"", b""), page)

    assert pages.get(("/0", b"", b"")) is page
    pages.keep(("/3", b"", b""), page)

    assert pages.get(("/0", b"", b"")) is page
    assert pages.get(("/1", b"", b"")) is None


def test_a_page_kept_twice_takes_its_room_once() -> None:
    pages = ReadyPages(max_bytes=20_000)
    for _ in range(10):
        pages.keep(("/", b"", b""), page_of_size(6_000))
    pages.keep(("/other", b"", b""), page_of_size(6_000))

    assert pages.get(("/", b"", b"")) is not None


def test_a_large_page_is_not_kept() -> None:
    pages = ReadyPages()
    pages.keep(("/", b"", b""), page_of_size(MAX_PAGE_BYTES + 1))

    assert pages.get(("/", b"", b"")) is None


def _without_what_varies(answer: httpx.Response) -> dict[str, object]:
    told: dict[str, object] = answer.json()
    return {n: v for n, v in told.items() if n not in ("request_id", "api_latency_ms")}
