"""The broker itself is lost: killed, stopped, or out of memory; nothing it has confirmed is."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from adapters.memory.operations import MemoryEvents
from adapters.queue.rabbitmq import RabbitQueue
from domain.events import BrokerFound, BrokerLost
from tests.adapters.queue.stand import fails, now, works_again
from tests.contract.queues import Listener, job_ids
from tests.services.rabbitmq import RabbitNode, private_node

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.rabbitmq,
    pytest.mark.rabbitmq_node,
    pytest.mark.timeout(90),
]

LIMIT_S = 1.5
RECOVERY_S = 4.0
AT_ONCE = 4
[FIRST, *IDS] = job_ids(21)


@asynccontextmanager
async def running(
    events: MemoryEvents, *config: str
) -> AsyncIterator[tuple[RabbitNode, RabbitQueue]]:
    """A broker of one's own, and a queue with the delays it has in use."""
    with private_node(*config) as node:
        queue = RabbitQueue(node.url, events, at_once=AT_ONCE)
        try:
            yield node, queue
        finally:
            await queue.close()


async def kill(node: RabbitNode) -> None:
    await asyncio.to_thread(node.settle)
    node.kill()


async def start(node: RabbitNode) -> None:
    await asyncio.to_thread(node.start)


async def stop(node: RabbitNode) -> None:
    node.pause()


async def go_on(node: RabbitNode) -> None:
    node.resume()


Change = Callable[[RabbitNode], Awaitable[None]]


@pytest.mark.parametrize(("lose", "bring_back"), [(kill, start), (stop, go_on)])
async def test_a_lost_broker_is_found_again_and_has_lost_nothing(
    lose: Change, bring_back: Change
) -> None:
    listener, events = Listener(holds=True), MemoryEvents()
    async with running(events) as (node, queue):
        await queue.check()  # declares the queues
        async with queue.listening(listener):
            for job_id in IDS:
                await queue.announce(job_id)
            await listener.until(lambda: len(listener.handed) == AT_ONCE)

            await lose(node)
            told = [await fails(ask) for ask in (queue.announce(FIRST), queue.check())]
            await bring_back(node)
            began = now()

            assert await works_again(lambda: queue.announce(FIRST)) < RECOVERY_S
            listener.release()
            await listener.until(lambda: {FIRST, *IDS} == set(listener.done))
            assert now() - began < RECOVERY_S

    assert all(elapsed_s < LIMIT_S for _, elapsed_s in told)
    assert [type(event) for event in events.published] in ([], [BrokerLost, BrokerFound])
    assert listener.peak == AT_ONCE


async def test_a_broker_short_of_memory_takes_nothing_until_it_has_some() -> None:
    listener = Listener()
    async with running(MemoryEvents(), "vm_memory_high_watermark.absolute = 1MB") as (
        node,
        queue,
    ):
        async with queue.listening(listener):
            told = [await fails(queue.announce(FIRST)) for _ in range(5)]
            await asyncio.to_thread(node.control, "set_vm_memory_high_watermark", "0.9")

            assert await works_again(lambda: queue.announce(FIRST)) < RECOVERY_S
            await listener.until(lambda: FIRST in listener.done)

    assert all("short of memory or disk" in reason for reason, _ in told)
    assert told[0][1] < LIMIT_S
    assert sum(elapsed_s for _, elapsed_s in told[1:]) < 0.1
