"""Requests that come again word for word: answered before anything looks at them, as before."""

import logging
from typing import Any

import pytest
import structlog

from adapters.http.datasets.repeats import READY, Repeats
from adapters.http.datasets.validators import Validators
from adapters.memory.database import MemoryDatabase
from adapters.memory.datasets import MemoryChanges
from adapters.memory.system import SeededRandom, SteerableClock
from domain.dataset import Role
from domain.errors import StoreUnavailable
from domain.politeness import Cadence
from tests.adapters.http.asgi import Conversation
from tests.adapters.http.datasets.test_ready import page_of_size
from tests.adapters.http.http_fixture import HttpFixture, posts

#: The first answer is read, the second one is ready, and from then on the request is known.
OFTEN = 4


async def asked(
    fixture: HttpFixture, url: str, headers: dict[str, str] | None = None
) -> Conversation:
    """One request, and what came back, exactly as it goes to the server."""
    conversation = Conversation(fixture.app)
    await conversation.get(url, headers)
    return conversation


async def known(fixture: HttpFixture, url: str, headers: dict[str, str] | None = None) -> None:
    """Ask so often that the request is known."""
    for _ in range(OFTEN):
        await asked(fixture, url, headers)


async def test_nothing_differs_but_what_has_to(fixture: HttpFixture) -> None:
    told = [await asked(fixture, "/data?user_id=1") for _ in range(OFTEN)]

    without = [{**t.headers, "x-request-id": "", "content-length": ""} for t in told]
    assert all(headers == without[0] for headers in without)
    assert len({t.headers["x-request-id"] for t in told}) == OFTEN
    assert all(t.headers["x-request-id"].encode() in t.body for t in told)
    assert all(int(t.headers["content-length"]) == len(t.body) for t in told)
    assert len({t.body.partition(b',"request_id"')[0] for t in told}) == 1


async def test_a_known_request_is_answered_without_routing_it(fixture: HttpFixture) -> None:
    await known(fixture, "/data?user_id=1")
    fixture.app._prefixes.clear()

    again = await asked(fixture, "/data?user_id=1")
    other = await asked(fixture, "/data?user_id=2")

    assert (again.status, other.status) == (200, 404)


async def test_a_request_that_differs_in_one_header_is_looked_at_anew() -> None:
    fixture = HttpFixture(allowed_hosts=("catchment.test",), cors_origins=("https://app.test",))
    await fixture.bring(posts(1))
    await known(fixture, "/data")

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
    await known(fixture, "/data", given)
    fixture.app._prefixes.clear()

    assert (await asked(fixture, "/data", given)).status == 404


async def test_a_token_that_no_longer_counts_is_refused_however_often_it_came(
    fixture: HttpFixture,
) -> None:
    headers = {"authorization": (await fixture.headers(Role.USER))["Authorization"]}
    await known(fixture, "/data", headers)
    await fixture.disable(Role.USER.value)

    assert (await asked(fixture, "/data", headers)).status == 401


async def test_a_cross_origin_answer_is_told_as_before() -> None:
    fixture = HttpFixture(cors_origins=("https://app.test",))
    await fixture.bring(posts(1))
    await known(fixture, "/data", {"origin": "https://app.test"})

    again = await asked(fixture, "/data", {"origin": "https://app.test"})

    assert again.headers["access-control-allow-origin"] == "https://app.test"


async def test_a_known_tag_gets_a_304_for_as_long_as_it_matches(fixture: HttpFixture) -> None:
    etag = (await asked(fixture, "/data")).headers["etag"]
    await known(fixture, "/data", {"if-none-match": etag})

    again = await asked(fixture, "/data", {"if-none-match": etag})
    await fixture.bring(posts(101))
    after = await asked(fixture, "/data", {"if-none-match": etag})

    assert (again.status, again.body, after.status) == (304, b"", 200)
    assert "content-length" not in again.headers


@pytest.mark.parametrize("path", ["/data?user_id=1", "/data/posts/1"])
async def test_whoever_has_the_answer_already_is_known_after_one_304(
    fixture: HttpFixture, path: str
) -> None:
    # The same answer, but kept for another request.
    etag = (await asked(fixture, path, {"accept": "application/json"})).headers["etag"]
    first = await asked(fixture, path, {"if-none-match": etag})
    fixture.app._prefixes.clear()

    again = await asked(fixture, path, {"if-none-match": etag})

    assert (first.status, again.status, again.body) == (304, 304, b"")
    assert {**again.headers, "x-request-id": ""} == {**first.headers, "x-request-id": ""}


async def test_a_change_is_seen_at_once_by_those_who_are_known(fixture: HttpFixture) -> None:
    await known(fixture, "/data?count=exact&limit=1")

    for count in range(101, 106):
        await fixture.bring(posts(count))

        assert b'"total":%d' % count in (await asked(fixture, "/data?count=exact&limit=1")).body
        await known(fixture, "/data?count=exact&limit=1")


async def test_age_and_staleness_go_on() -> None:
    fixture = HttpFixture(cadence=Cadence(every=None, stale_after=None))
    await fixture.bring(posts(1))
    await known(fixture, "/data")

    fixture.clock.advance(7)
    later = await asked(fixture, "/data")

    assert later.headers["age"] == "7"


async def test_where_every_read_is_logged_no_request_is_known(
    logged: list[Any],
) -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG))
    fixture = HttpFixture()
    await fixture.bring(posts(1))
    await known(fixture, "/data")
    fixture.app._prefixes.clear()

    assert (await asked(fixture, "/data")).status == 404


# ---------------------------------------------------------------- by itself


class Away(MemoryChanges):
    """Changes that cannot be asked for when they are away."""

    away = False

    def version(self) -> int:
        """The version, unless it is away."""
        if self.away:
            raise StoreUnavailable("away")
        return super().version()


def _scope(number: int = 0) -> dict[str, Any]:
    return {
        "method": "GET",
        "path": "/data",
        "raw_path": b"/data",
        "query_string": b"limit=%d" % number,
        "http_version": "1.1",
        "headers": [],
        READY: page_of_size(10),
    }


def _repeats(changes: MemoryChanges, **more: int) -> Repeats:
    return Repeats(changes, Validators("a database", 0), SteerableClock(), SeededRandom(), **more)


def test_what_cannot_be_said_for_sure_is_left_to_others() -> None:
    changes = Away(MemoryDatabase())
    repeats = _repeats(changes)
    repeats.note(_scope(), {"status": 200, "headers": []})

    before = repeats.answer(_scope())
    changes.away = True

    assert before is not None
    assert repeats.answer(_scope()) is None


def test_the_longest_unused_are_forgotten_to_make_room() -> None:
    repeats = _repeats(MemoryChanges(MemoryDatabase()), max_bytes=10_000)
    for number in range(10):
        repeats.note(_scope(number), {"status": 200, "headers": []})

    assert repeats.answer(_scope(0)) is None
    assert repeats.answer(_scope(9)) is not None
