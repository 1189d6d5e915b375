"""Listening goes on whatever is lost: a connection, a channel, a queue, or the broker's memory."""

import asyncio
import re
from collections.abc import Awaitable, Callable

import pytest
from pamqp import commands, frame

from domain.events import BrokerFound, BrokerLost
from tests.adapters.queue.stand import Stand, fails
from tests.contract.queues import Listener, job_ids

pytestmark = [pytest.mark.rabbitmq, pytest.mark.timeout(30)]

RECOVERY_S = 2.0
[JOB] = job_ids(1)

Lose = Callable[[Stand], Awaitable[None]]


async def connection_cut(stand: Stand) -> None:
    stand.proxy.cut()


async def connection_stalled(stand: Stand) -> None:
    stand.proxy.freeze()


async def connection_closed_by_the_broker(stand: Stand) -> None:
    stand.proxy.tell_target(frame.marshal(commands.Channel.Open(), 1))  # it is open already


async def channel_closed_by_the_broker(stand: Stand) -> None:
    stand.proxy.tell_target(frame.marshal(commands.Basic.Ack(delivery_tag=999), 1))


async def queue_deleted(stand: Stand) -> None:
    await stand.delete()


async def queue_deleted_and_made_again(stand: Stand) -> None:
    """The broker keeps the consumer then, and counts it, but what it delivers does not arrive."""
    await stand.delete()
    await stand.again()


async def consumer_lost_without_a_word(stand: Stand) -> None:
    [*_, tag] = re.findall(rb"ctag1\.[0-9a-f]+", stand.proxy.told_client())
    cancel = commands.Basic.Cancel(consumer_tag=tag.decode(), nowait=True)
    stand.proxy.tell_target(frame.marshal(cancel, 1))


async def consumer_lost_but_another_is_there(stand: Stand) -> None:
    """The other one takes one announcement and never another: the broker counts a consumer."""
    taken = asyncio.Event()

    async def take(_: object) -> None:
        taken.set()

    await consumer_lost_without_a_word(stand)
    await stand.channel.set_qos(prefetch_count=1)
    queue = await stand.channel.get_queue(f"{stand.prefix}.jobs")
    await queue.consume(take)
    await stand.put(b"taken by the other")
    await taken.wait()


LOSSES = (
    connection_cut,
    connection_stalled,
    connection_closed_by_the_broker,
    channel_closed_by_the_broker,
    queue_deleted,
    queue_deleted_and_made_again,
    consumer_lost_without_a_word,
    consumer_lost_but_another_is_there,
)


@pytest.mark.parametrize("lose", LOSSES)
async def test_announcements_arrive_again(stand: Stand, lose: Lose) -> None:
    listener = Listener()
    async with stand.queue(patience_s=0.3).listening(listener):
        await stand.heard_again_s(listener)
        await lose(stand)

        assert await stand.heard_again_s(listener) < RECOVERY_S


@pytest.mark.parametrize(
    "lose",
    [connection_cut, connection_closed_by_the_broker, channel_closed_by_the_broker, queue_deleted],
)
async def test_a_loss_that_is_told_is_known_at_once(stand: Stand, lose: Lose) -> None:
    listener = Listener()
    async with stand.queue(watch_s=3600).listening(listener):
        await stand.heard_again_s(listener)
        await lose(stand)

        assert await stand.heard_again_s(listener) < RECOVERY_S


async def test_a_forgotten_consumer_is_missed_before_anything_waits(stand: Stand) -> None:
    listener = Listener()
    async with stand.queue().listening(listener):
        await stand.heard_again_s(listener)
        await consumer_lost_without_a_word(stand)

        await stand.proxy.arrived(2)


async def test_what_is_in_hand_when_the_connection_is_lost_comes_again(stand: Stand) -> None:
    listener = Listener(holds=True)
    async with stand.queue().listening(listener):
        await stand.straight.announce(JOB)
        await listener.until(lambda: listener.handed == [JOB])
        stand.proxy.cut()

        await listener.until(lambda: listener.handed == [JOB, JOB])
        listener.release()

    assert listener.done == [JOB, JOB]
    assert await stand.waiting() == 0


async def test_no_more_are_in_hand_after_a_loss_than_before(stand: Stand) -> None:
    listener, ids = Listener(holds=True), job_ids(20)
    async with stand.queue(at_once=2).listening(listener):
        for job_id in ids:
            await stand.straight.announce(job_id)
        await listener.until(lambda: len(listener.handed) == 2)
        for losses in (1, 2, 3):
            stand.proxy.cut()
            await stand.proxy.arrived(1 + losses)
        listener.release()
        await listener.until(lambda: set(listener.done) == set(ids))

    assert listener.peak == 2


async def test_what_was_dealt_with_is_acknowledged(stand: Stand) -> None:
    listener, ids = Listener(), job_ids(20)
    async with stand.queue().listening(listener):
        for job_id in ids:
            await stand.straight.announce(job_id)
        await listener.until(lambda: len(listener.done) == 20)

    assert await stand.waiting() == 0


async def test_a_broker_that_is_away_is_waited_for_and_told_of_once(stand: Stand) -> None:
    listener = Listener()
    stand.proxy.drop()
    async with stand.queue().listening(listener):
        for tries in (6, 12):
            await stand.proxy.arrived(tries)
            stand.proxy.resume()
            await stand.heard_again_s(listener)
            stand.proxy.drop()

    assert [type(event) for event in stand.events.published] == 2 * [BrokerLost, BrokerFound]


async def test_the_libraries_do_not_tell_it_too(
    stand: Stand, caplog: pytest.LogCaptureFixture
) -> None:
    listener = Listener()
    async with stand.queue().listening(listener):
        await stand.heard_again_s(listener)
        stand.proxy.drop()
        await stand.proxy.arrived(4)
        stand.proxy.refuse()
        await fails(stand.queue().check())

    assert [record.name for record in caplog.records if record.name != "asyncio"] == []


async def test_what_was_delivered_on_lost_connections_is_not_begun(stand: Stand) -> None:
    listener = Listener(holds=True)
    async with stand.queue(at_once=1).listening(listener):
        await stand.straight.announce(JOB)
        await listener.until(lambda: listener.handed == [JOB])
        for losses in (1, 2, 3):
            stand.proxy.cut()
            await stand.delivered(JOB, connection=1 + losses)
        listener.release()
        await listener.until(lambda: listener.done == [JOB, JOB])
        await stand.heard_again_s(listener)

    assert listener.handed.count(JOB) == 2
