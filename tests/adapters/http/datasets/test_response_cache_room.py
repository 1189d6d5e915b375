"""The response cache by itself: its memory, and when it leaves a request to the routes."""

from adapters.http.datasets.query_string import ReadRequest, read_request
from adapters.http.datasets.response_cache import (
    MAX_ANSWER_BYTES,
    CachedAnswer,
    ResponseCache,
)
from adapters.memory.database import MemoryDatabase
from adapters.memory.datasets import MemoryChanges
from adapters.memory.system import SeededRandom, SteerableClock
from application.datasets.catalogue import FreshnessStatus
from application.datasets.query import Query
from domain.checkpoints import Freshness
from domain.dataset import Role
from tests.adapters.http.http_fixture import POSTS, HttpFixture
from tests.adapters.http.stores import Away


def cache(changes: MemoryChanges | None = None, **more: int) -> ResponseCache:
    """Return a cache by itself."""
    changes = changes or MemoryChanges(MemoryDatabase())
    return ResponseCache(changes, SteerableClock(), SeededRandom(), **more)


def request(number: int = 0) -> ReadRequest:
    """Return a request for one of several pages."""
    return read_request(
        {
            "method": "GET",
            "path": "/data",
            "raw_path": b"/data",
            "query_string": b"limit=%d" % number,
            "http_version": "1.1",
            "headers": [],
        }
    )


def answer_of_size(size: int) -> CachedAnswer:
    """Return an answer with a body of so many bytes."""
    return CachedAnswer(
        reader=Query(POSTS, HttpFixture().store).for_role(Role.ANYONE),
        etag="",
        lines=(),
        freshness=Freshness(),
        status=FreshnessStatus(None, None, True),
        version=0,
        body=b"x" * size,
    )


def sent(kept: ResponseCache, number: int) -> ReadRequest:
    """Return a request that was answered, and so is cached."""
    asked = request(number)
    kept.repeat(asked.scope)
    kept.put(asked, answer_of_size(10))
    kept.note(asked.scope, {"status": 200, "headers": []})
    return asked


def test_a_request_is_left_to_the_routes_when_the_store_is_away() -> None:
    changes = Away(MemoryDatabase())
    kept = cache(changes)
    known = sent(kept, 1)

    before = kept.repeat(known.scope)
    changes.away = True

    assert before is not None
    assert kept.repeat(known.scope) is None


async def test_the_longest_unused_answers_are_removed_to_make_room() -> None:
    kept, answer = cache(max_bytes=30_000), answer_of_size(6_000)
    for number in range(3):
        kept.put(request(number), answer)

    assert await kept.find(request(0)) is answer
    kept.put(request(3), answer)

    assert await kept.find(request(0)) is answer
    assert await kept.find(request(1)) is None


def test_both_levels_share_the_room() -> None:
    kept = cache(max_bytes=10_000)
    known = [sent(kept, number) for number in range(10)]

    assert [kept.repeat(each.scope) is not None for each in known] == [False] * 8 + [True] * 2


async def test_an_answer_kept_twice_takes_its_room_once() -> None:
    kept = cache(max_bytes=20_000)
    for _ in range(10):
        kept.put(request(1), answer_of_size(6_000))
    kept.put(request(2), answer_of_size(6_000))

    assert await kept.find(request(1)) is not None


async def test_a_cleared_cache_has_its_room_again() -> None:
    kept = cache(max_bytes=20_000)
    for number in range(2):
        kept.put(request(number), answer_of_size(6_000))
    kept.clear()
    for number in range(2, 4):
        kept.put(request(number), answer_of_size(6_000))

    found = [await kept.find(request(number)) is not None for number in range(4)]
    assert found == [False, False, True, True]


async def test_a_large_answer_is_not_kept() -> None:
    kept = cache()
    kept.put(request(1), answer_of_size(MAX_ANSWER_BYTES + 1))

    assert await kept.find(request(1)) is None
