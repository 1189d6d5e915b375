"""The response cache: answers are repeated for as long as they are current."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import pytest

from adapters.http.protocol.asgi import REQUEST_ID
from domain.builtin.posts import Post
from domain.dataset import Role
from domain.politeness import Cadence
from tests.adapters.http.asgi import Conversation
from tests.adapters.http.http_fixture import HttpFixture, posts, problem

#: The first answer is read and cached; from then on the request is known.
OFTEN = 3


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


async def test_answers_are_cached_by_what_is_accepted(fixture: HttpFixture) -> None:
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


# ---------------------------------------------------------------- identical requests


async def asked(
    fixture: HttpFixture, url: str, headers: dict[str, str] | None = None
) -> Conversation:
    """Send a request at the level of ASGI and return the answer."""
    conversation = Conversation(fixture.app)
    await conversation.get(url, headers)
    return conversation


async def is_known(fixture: HttpFixture, url: str, headers: dict[str, str] | None = None) -> bool:
    """Return whether a request is answered as a repetition, before any route."""
    named: list[bool] = []

    async def watched(scope: Any, receive: Any, send: Any) -> None:
        await fixture.app(scope, receive, send)
        named.append(REQUEST_ID in scope)

    await Conversation(watched).get(url, headers)
    return named == [False]


async def test_nothing_differs_but_what_has_to(fixture: HttpFixture) -> None:
    answers = [await asked(fixture, "/data?user_id=1") for _ in range(OFTEN)]

    without = [{**t.headers, "x-request-id": "", "content-length": ""} for t in answers]
    assert all(headers == without[0] for headers in without)
    assert len({t.headers["x-request-id"] for t in answers}) == OFTEN
    assert all(t.headers["x-request-id"].encode() in t.body for t in answers)
    assert all(int(t.headers["content-length"]) == len(t.body) for t in answers)
    assert len({t.body.partition(b',"request_id"')[0] for t in answers}) == 1


async def test_a_known_request_is_answered_before_anything_looks_at_it(
    fixture: HttpFixture,
) -> None:
    await asked(fixture, "/data?user_id=1")

    assert await is_known(fixture, "/data?user_id=1")
    assert not await is_known(fixture, "/data?user_id=2")


async def test_another_dataset_s_change_has_a_known_request_looked_at_once(
    fixture: HttpFixture,
) -> None:
    await asked(fixture, "/data/posts")
    await fixture.bring([], fixture.datasets[1])

    assert [await is_known(fixture, "/data/posts") for _ in range(2)] == [False, True]


async def test_what_was_cleared_is_read_again(fixture: HttpFixture) -> None:
    await asked(fixture, "/data")
    reads = fixture.broken.pages
    fixture.app.responses.clear()

    assert not await is_known(fixture, "/data")
    assert fixture.broken.pages == reads + 1


async def test_a_request_that_differs_in_one_header_is_looked_at_anew() -> None:
    fixture = HttpFixture(allowed_hosts=("catchment.test",), cors_origins=("https://app.test",))
    await fixture.bring(posts(1))
    await asked(fixture, "/data")

    elsewhere = await asked(fixture, "/data", {"host": "evil.test"})
    page = await asked(fixture, "/data", {"origin": "https://app.test"})
    named = await asked(fixture, "/data", {"x-request-id": "mine"})
    head = Conversation(fixture.app)
    await head.get("/data", method="HEAD")

    assert elsewhere.status == 400
    assert page.headers["access-control-allow-origin"] == "https://app.test"
    assert named.headers["x-request-id"] == "mine"
    assert (head.status, head.body) == (200, b"")


@pytest.mark.parametrize("header", ["x-request-id", "cookie"])
async def test_what_is_the_caller_s_own_is_never_known(fixture: HttpFixture, header: str) -> None:
    given = {header: "mine"}
    await asked(fixture, "/data", given)

    assert not await is_known(fixture, "/data", given)


async def test_a_token_that_no_longer_counts_is_refused_however_often_it_came(
    fixture: HttpFixture,
) -> None:
    headers = {"authorization": (await fixture.headers(Role.USER))["Authorization"]}
    await asked(fixture, "/data", headers)
    await fixture.disable(Role.USER.value)

    assert (await asked(fixture, "/data", headers)).status == 401


async def test_a_known_request_across_origins_keeps_its_headers() -> None:
    fixture = HttpFixture(cors_origins=("https://app.test",))
    await fixture.bring(posts(1))
    await asked(fixture, "/data", {"origin": "https://app.test"})

    again = await asked(fixture, "/data", {"origin": "https://app.test"})

    assert again.headers["access-control-allow-origin"] == "https://app.test"


async def test_a_known_tag_gets_a_304_for_as_long_as_it_matches(fixture: HttpFixture) -> None:
    etag = (await asked(fixture, "/data")).headers["etag"]
    await asked(fixture, "/data", {"if-none-match": etag})

    again = await asked(fixture, "/data", {"if-none-match": etag})
    await fixture.bring(posts(101))
    after = await asked(fixture, "/data", {"if-none-match": etag})

    assert (again.status, again.body, after.status) == (304, b"", 200)
    assert "content-length" not in again.headers


@pytest.mark.parametrize("path", ["/data?user_id=1", "/data/posts/1"])
async def test_a_request_with_the_tag_of_the_answer_is_known_after_one_304(
    fixture: HttpFixture, path: str
) -> None:
    # The same answer, but cached for another request.
    etag = (await asked(fixture, path, {"accept": "application/json"})).headers["etag"]
    first = await asked(fixture, path, {"if-none-match": etag})

    assert await is_known(fixture, path, {"if-none-match": etag})
    again = await asked(fixture, path, {"if-none-match": etag})

    assert (first.status, again.status, again.body) == (304, 304, b"")
    assert {**again.headers, "x-request-id": ""} == {**first.headers, "x-request-id": ""}


async def test_a_change_is_seen_at_once_by_those_who_are_known(fixture: HttpFixture) -> None:
    await asked(fixture, "/data?count=exact&limit=1")

    for count in range(101, 106):
        await fixture.bring(posts(count))

        assert b'"total":%d' % count in (await asked(fixture, "/data?count=exact&limit=1")).body
        await asked(fixture, "/data?count=exact&limit=1")


async def test_age_and_staleness_go_on() -> None:
    fixture = HttpFixture(cadence=Cadence(every=None, stale_after=None))
    await fixture.bring(posts(1))
    await asked(fixture, "/data")

    fixture.clock.advance(7)
    later = await asked(fixture, "/data")

    assert later.headers["age"] == "7"


def _without_what_varies(answer: httpx.Response) -> dict[str, object]:
    body: dict[str, object] = answer.json()
    return {n: v for n, v in body.items() if n not in ("request_id", "api_latency_ms")}
