"""Whoever asked may leave at any moment: the connections stay healthy (M1, P16)."""

import asyncio
import gc
from typing import Any

from adapters.outbound.polite.messages import UpstreamResponse
from domain.reports import Traffic
from tests.adapters.outbound.client_fixture import ClientFixture, open_client


async def leave(fixture: ClientFixture, turns: int) -> None:
    """Ask, and be cancelled so many turns of the event loop later."""
    asking = asyncio.create_task(fixture.get("/posts"))
    for _ in range(turns):
        await asyncio.sleep(0)
    asking.cancel()
    await asyncio.wait([asking])


async def outcomes_of(fixture: ClientFixture) -> str:
    """How the requests ended, once one has."""
    async with asyncio.timeout(5):
        while not (outcomes := (await fixture.host()).outcomes):
            await asyncio.sleep(0)
    return outcomes


async def test_m1_two_hundred_cancelled_requests_leave_the_pool_healthy(
    fixture: ClientFixture,
) -> None:
    fixture.upstream.hold()
    for turns in range(200):
        await leave(fixture, turns % 40)
    fixture.upstream.release()

    answers = await asyncio.gather(*(fixture.answer("/posts") for _ in range(20)))

    assert [answer.status for answer in answers] == [200] * 20
    assert set((await fixture.host()).outcomes) == {"1"}


async def test_a_cancelled_request_ends_by_its_own_deadline(fixture: ClientFixture) -> None:
    traffic = Traffic()
    asking = asyncio.create_task(fixture.get("U18-stall", 0.2, traffic))
    await fixture.upstream.arrived(1)
    asking.cancel()
    await asyncio.wait([asking])

    assert asking.cancelled()
    assert await outcomes_of(fixture) == "0"
    assert traffic.bytes > 0


async def test_a_cancelled_question_is_not_asked_again(fixture: ClientFixture) -> None:
    asking = asyncio.create_task(fixture.get("U1-503"))
    await fixture.upstream.arrived(1)
    asking.cancel()
    await asyncio.wait([asking])

    assert await outcomes_of(fixture) == "0"
    assert fixture.upstream.count() == 1


async def test_the_failure_of_a_cancelled_request_is_not_logged(
    fixture: ClientFixture,
) -> None:
    told: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
    asking = asyncio.create_task(fixture.get("U1-503"))
    await fixture.upstream.arrived(1)
    asking.cancel()
    await asyncio.wait([asking])

    assert await outcomes_of(fixture) == "0"
    await fixture.clock.settle()
    gc.collect()

    assert told == []


async def test_closing_cancels_running_requests() -> None:
    async with open_client() as fixture:
        asking = asyncio.create_task(fixture.get("U19"))
        await fixture.upstream.arrived(1)

        async with asyncio.timeout(1):
            await fixture.client.close()
            await asyncio.wait([asking])

        assert asking.cancelled()


async def test_connections_are_kept_between_requests(fixture: ClientFixture) -> None:
    # The fault closes a connection that is used twice, so that keeping one shows.
    traffic = Traffic()
    for _ in range(2):
        assert isinstance(await fixture.get("U21", traffic=traffic), UpstreamResponse)

    assert traffic.requests == 3
