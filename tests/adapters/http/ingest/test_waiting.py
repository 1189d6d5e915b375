"""Waiting for a fetch: each client has places of its own, and only while it is connected."""

import asyncio
from collections.abc import Mapping, MutableMapping
from typing import Any

import pytest

from adapters.http.protocol.waiting import MAX_WAITING
from domain.builtin.data_points import DATA_POINTS
from domain.dataset import Role
from tests.adapters.http.http_fixture import HttpFixture, posts, problem

KEY = {"Idempotency-Key": "k"}


class Caller:
    """A client that waits for a response, and may leave before it comes."""

    def __init__(
        self,
        fixture: HttpFixture,
        path: str = "/fetch",
        headers: Mapping[str, str] | None = None,
        address: str = "10.0.0.1",
        method: str = "POST",
    ) -> None:
        self.status: int | None = None
        self._left = asyncio.Event()
        self._sent = False
        named = {"host": "catchment.test", **(headers or {})}
        path, _, query = path.partition("?")
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": [(name.lower().encode(), text.encode()) for name, text in named.items()],
            "client": (address, 1),
            "server": ("127.0.0.1", 2),
        }
        self.task = asyncio.create_task(fixture.app(scope, self._receive, self._send))

    def leave(self) -> None:
        self._left.set()

    async def _receive(self) -> MutableMapping[str, Any]:
        if not self._sent:
            self._sent = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self._left.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: MutableMapping[str, Any]) -> None:
        self.status = message.get("status", self.status)


@pytest.fixture
def slow(empty: HttpFixture) -> HttpFixture:
    """Return an application whose fetch of posts takes a second."""
    empty.sources["posts"][0].takes_s = 1
    empty.sources["posts"][0].pages = [posts(1)]
    return empty


async def statuses(fixture: HttpFixture, *callers: Caller) -> list[int | None]:
    """Return the statuses of these requests once the fetch has ended."""
    await fixture.clock.elapse(2)
    await asyncio.gather(*(caller.task for caller in callers))
    return [caller.status for caller in callers]


async def test_when_one_client_waits_too_often_one_more_is_turned_away(slow: HttpFixture) -> None:
    waiting = [Caller(slow) for _ in range(MAX_WAITING)]
    await slow.clock.settle()

    one_more = Caller(slow)
    await slow.clock.settle()

    assert one_more.status == 429
    assert await statuses(slow, *waiting) == [200] * MAX_WAITING
    problem(await slow.client.get("/nothing"), 404, "not_found")


async def test_no_client_takes_the_places_of_others(slow: HttpFixture) -> None:
    crowd = [Caller(slow) for _ in range(MAX_WAITING + 1)]
    admin = await slow.headers(Role.ADMIN)
    await slow.clock.settle()

    neighbour = Caller(slow, address="10.0.0.2")
    ours = Caller(slow, headers=admin)
    tasked = Caller(slow, headers={**admin, "Prefer": "wait=5"})

    assert await statuses(slow, neighbour, ours, tasked) == [200, 200, 200]
    await asyncio.gather(*(caller.task for caller in crowd))


@pytest.mark.parametrize("path", ["/fetch", "/fetch?mode=sync"])
@pytest.mark.parametrize("headers", [{}, KEY, {"Prefer": "wait=60"}])
async def test_who_leaves_gives_the_place_back(
    slow: HttpFixture, path: str, headers: dict[str, str]
) -> None:
    crowd = [Caller(slow, path, headers) for _ in range(1 if headers == KEY else MAX_WAITING)]
    crowd += [Caller(slow) for _ in range(MAX_WAITING - len(crowd))]
    await slow.clock.settle()

    for caller in crowd:
        caller.leave()
    await slow.clock.settle()
    following = [Caller(slow) for _ in range(MAX_WAITING)]

    assert all(caller.task.done() for caller in crowd)
    assert {caller.status for caller in crowd} <= {None}
    assert await statuses(slow, *following) == [200] * MAX_WAITING
    assert len(slow.sources["posts"][0].asked) == 1


async def test_who_leaves_is_no_failure_of_ours(
    slow: HttpFixture, logged: list[MutableMapping[str, Any]]
) -> None:
    caller = Caller(slow)
    await slow.clock.settle()

    caller.leave()
    await slow.clock.elapse(2)

    assert logged == []
    assert (await slow.client.get("/data")).json()["count"] == 1


async def test_the_answer_to_a_key_is_kept_for_a_caller_that_left(slow: HttpFixture) -> None:
    caller = Caller(slow, headers=KEY)
    await slow.clock.settle()
    caller.leave()
    await slow.clock.elapse(2)

    again = Caller(slow, headers=KEY)
    await asyncio.gather(again.task)

    assert again.status == 200
    assert len(slow.sources["posts"][0].asked) == 1


async def test_what_waits_by_other_routes_has_places_too() -> None:
    fixture = HttpFixture(DATA_POINTS)
    admin = await fixture.headers(Role.ADMIN)
    fixture.sources[DATA_POINTS.name][0].takes_s = 1
    crowd = [
        Caller(fixture, "/api/populate", admin, method="GET" if number % 2 else "POST")
        for number in range(MAX_WAITING)
    ]
    await fixture.clock.settle()

    replay = Caller(fixture, f"/quarantine/replay?dataset={DATA_POINTS.name}", admin)
    fetch = Caller(fixture, f"/fetch/{DATA_POINTS.name}", admin)
    await fixture.clock.settle()

    assert (replay.status, fetch.status) == (429, 429)
    await statuses(fixture, *crowd)
