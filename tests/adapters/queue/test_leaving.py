"""Leaving: what is in hand is dealt with, the rest goes to others, and no broker is waited for."""

import asyncio
from collections.abc import Callable

import pytest

from tests.adapters.queue.stand import Stand, now
from tests.contract.queues import Listener, job_ids
from tests.services.proxy import Proxy

pytestmark = [pytest.mark.rabbitmq, pytest.mark.timeout(30)]

LEAVING_S = 2.0
[JOB] = job_ids(1)


@pytest.mark.parametrize("lose", [Proxy.drop, Proxy.refuse, Proxy.stall])
async def test_leaving_does_not_wait_for_the_broker(
    stand: Stand, lose: Callable[[Proxy], None]
) -> None:
    listener = Listener(holds=True)
    async with stand.queue().listening(listener):
        await stand.straight.announce(JOB)
        await listener.until(lambda: listener.handed == [JOB])
        lose(stand.proxy)
        listener.release()
        began = now()

    assert now() - began < LEAVING_S
    assert listener.done == [JOB]


async def test_abandoning_does_not_wait_for_the_broker(stand: Stand) -> None:
    listener = Listener(holds=True)

    async def listen() -> None:
        async with stand.queue().listening(listener):
            await listener.until(lambda: listener.handed == [JOB])

    listening = asyncio.create_task(listen())
    await stand.straight.announce(JOB)
    await listener.until(lambda: listener.handed == [JOB])
    stand.proxy.stall()
    await asyncio.sleep(0)
    began = now()
    listening.cancel()
    await asyncio.wait([listening])

    assert now() - began < LEAVING_S
    assert listening.cancelled()


async def test_what_was_delivered_but_not_begun_goes_to_others(stand: Stand) -> None:
    """One job is in hand from before a loss; what is delivered after it must not wait for it."""
    busy, free, leave = Listener(holds=True), Listener(), asyncio.Event()

    async def listen() -> None:
        async with stand.queue(at_once=1).listening(busy):
            await leave.wait()

    listening = asyncio.create_task(listen())
    await stand.straight.announce(JOB)
    await busy.until(lambda: busy.handed == [JOB])
    stand.proxy.cut()
    await stand.delivered(JOB, connection=2)

    leave.set()
    async with stand.straight.listening(free):
        await free.until(lambda: free.done == [JOB])
    busy.release()
    await listening

    assert busy.done == [JOB]
