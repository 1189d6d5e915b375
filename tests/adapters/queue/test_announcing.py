"""Announcing through a broker that comes and goes: never long, and well again by itself."""

import asyncio
import re
from collections.abc import Awaitable, Callable

import pytest
from pamqp import commands, frame

from adapters.queue.rabbitmq import MOST_WAITING, RabbitQueue
from adapters.queue.rabbitmq_link import Broker, Link, parse, translated_errors
from domain.errors import QueueUnavailable
from tests.adapters.queue.stand import Stand, fails, now, tasks, works_again
from tests.contract.queues import Listener, job_ids

pytestmark = [pytest.mark.rabbitmq, pytest.mark.timeout(30)]

#: "Within about a second", on a busy machine.
LIMIT_S = 1.5
RECOVERY_S = 2.0
[JOB] = job_ids(1)

BLOCKED = frame.marshal(commands.Connection.Blocked("low on memory"), 0)
UNBLOCKED = frame.marshal(commands.Connection.Unblocked(), 0)

Ask = Callable[[RabbitQueue], Awaitable[None]]


def announce(queue: RabbitQueue) -> Awaitable[None]:
    return queue.announce(JOB)


@pytest.fixture(params=[announce, RabbitQueue.check], ids=["announce", "check"])
def ask(request: pytest.FixtureRequest) -> Ask:
    """What is asked of the broker."""
    asking: Ask = request.param
    return asking


async def test_a_broker_that_refuses_is_away_and_comes_back(stand: Stand, ask: Ask) -> None:
    queue = stand.queue()
    stand.proxy.refuse()

    reason, elapsed_s = await fails(ask(queue))
    await stand.proxy.accept()

    assert reason == f"the broker at 127.0.0.1:{stand.proxy.port} cannot be reached"
    assert elapsed_s < LIMIT_S
    assert await works_again(lambda: ask(queue)) < RECOVERY_S


async def test_a_broker_that_stalls_is_not_waited_for(stand: Stand, ask: Ask) -> None:
    queue = stand.queue()
    await ask(queue)
    stand.proxy.stall()

    told = [await fails(ask(queue)) for _ in range(2)]  # the second must connect anew
    stand.proxy.resume()

    assert all(reason.endswith("did not answer in time") for reason, _ in told)
    assert all(elapsed_s < LIMIT_S for _, elapsed_s in told)
    assert await works_again(lambda: ask(queue)) < RECOVERY_S


async def test_a_lost_connection_is_not_noticed_by_who_announces(stand: Stand, ask: Ask) -> None:
    queue = stand.queue()
    await ask(queue)

    for count in range(2, 12):
        stand.proxy.cut()
        await ask(queue)
        assert stand.proxy.count == count


async def test_a_deleted_queue_is_declared_again(stand: Stand) -> None:
    queue, listener = stand.queue(), Listener()
    await queue.check()
    await stand.delete()

    await queue.announce(JOB)

    async with queue.listening(listener):
        await listener.until(lambda: listener.done == [JOB])


async def test_what_the_broker_returns_has_not_been_announced(stand: Stand) -> None:
    broker = Broker(parse(stand.url), stand.prefix, tries=5, patience_s=1, connect_s=2)
    link = await Link.open(broker, "a test")
    await stand.delete()

    try:
        with (
            pytest.raises(QueueUnavailable, match="has lost the queue"),
            translated_errors(broker.address),
        ):
            await link.publish(JOB)
    finally:
        await link.close()


async def test_what_the_broker_refuses_has_not_been_announced(stand: Stand) -> None:
    queue = stand.queue()
    await queue.check()
    stand.proxy.stall()
    announcing = asyncio.create_task(fails(queue.announce(JOB)))
    stand.proxy.tell_client(frame.marshal(commands.Basic.Nack(delivery_tag=1), 1))

    _, elapsed_s = await announcing

    assert elapsed_s < LIMIT_S


async def test_a_broker_short_of_memory_is_waited_for_only_once(stand: Stand, ask: Ask) -> None:
    queue = stand.queue()
    await queue.check()
    # Blocked, the broker reads nothing more on the connection.
    stand.proxy.stall()
    asking = asyncio.create_task(fails(ask(queue)))
    stand.proxy.tell_client(BLOCKED)

    told = [await asking, await fails(ask(queue))]
    stand.proxy.tell_client(UNBLOCKED)
    stand.proxy.resume()

    assert all("short of memory or disk" in reason for reason, _ in told)
    assert told[0][1] < LIMIT_S
    assert told[1][1] < 0.1
    assert await works_again(lambda: ask(queue)) < RECOVERY_S


async def test_only_so_many_wait_for_a_slow_broker(stand: Stand) -> None:
    queue = stand.queue()
    stand.proxy.stall()

    told = await asyncio.gather(*(fails(queue.announce(JOB)) for _ in range(3 * MOST_WAITING)))

    turned_away = [elapsed_s for reason, elapsed_s in told if "too many callers wait" in reason]
    assert len(turned_away) == 2 * MOST_WAITING
    assert max(turned_away) < 0.5
    assert max(elapsed_s for _, elapsed_s in told) < LIMIT_S
    assert stand.proxy.count == 1


async def test_a_broker_that_is_away_is_not_asked_again_at_once(stand: Stand) -> None:
    queue = stand.queue(stand.url.replace("guest:guest", "guest:wrong"))

    told = [await fails(queue.announce(JOB)) for _ in range(200)]

    assert sum(elapsed_s for _, elapsed_s in told) < 0.5
    assert stand.proxy.count == 1


async def test_who_stops_waiting_spoils_nothing(stand: Stand) -> None:
    queue = stand.queue()
    for turns in range(60):
        announcing = asyncio.create_task(queue.announce(JOB))
        for _ in range(turns):
            await asyncio.sleep(0)
        announcing.cancel()
        await asyncio.wait([announcing])

    await queue.announce(JOB)

    assert stand.proxy.count == 1


async def test_closing_ends_all_connections_and_announcing(stand: Stand) -> None:
    queue = stand.queue()
    await queue.announce(JOB)

    await queue.close()

    assert re.match("this process has closed", (await fails(queue.announce(JOB)))[0])


async def test_closing_does_not_wait_for_a_broker_that_stalls(stand: Stand) -> None:
    idle, connecting = stand.queue(), stand.queue()
    before = tasks()
    await idle.check()
    stand.proxy.stall()
    asking = asyncio.create_task(fails(connecting.check()))
    await stand.proxy.arrived(2)

    began = now()
    await idle.close()
    await connecting.close()

    assert now() - began < 2.0
    assert (await asking)[1] < LIMIT_S
    assert tasks() <= before
