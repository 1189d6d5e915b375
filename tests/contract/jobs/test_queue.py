"""Contract of `Queue`, within one process and through a broker."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator

import pytest

from tests.contract.queues import (
    AT_ONCE,
    TRIES,
    Failing,
    Listener,
    Open,
    ProbedQueue,
    embedded,
    job_ids,
    rabbitmq,
)

pytestmark = pytest.mark.timeout(30)

#: What a handler may raise without being cancelled.
ERRORS = [RuntimeError, asyncio.CancelledError]


@pytest.fixture(params=[embedded, pytest.param(rabbitmq, marks=pytest.mark.rabbitmq)])
def open_queue(request: pytest.FixtureRequest) -> Open:
    """Return a function that opens a queue."""
    opening: Open = request.param
    return opening


@pytest.fixture
async def queue(open_queue: Open) -> AsyncIterator[ProbedQueue]:
    """Return one queue."""
    async with open_queue() as queue:
        yield queue


async def announce(queue: ProbedQueue, ids: list[str]) -> None:
    """Announce jobs, one after the other."""
    for job_id in ids:
        await queue.announce(job_id)


async def leave(queue: ProbedQueue, listener: Listener, ready: asyncio.Event) -> None:
    """Listen until `leave` is set."""
    async with queue.listening(listener):
        await ready.wait()


async def test_announced_jobs_reach_a_listener(queue: ProbedQueue) -> None:
    listener, ids = Listener(), job_ids(20)

    async with queue.listening(listener):
        await announce(queue, ids)
        await listener.until(lambda: len(listener.done) == 20)

    assert sorted(listener.done) == sorted(ids)


async def test_announcements_before_the_first_listener_are_kept(queue: ProbedQueue) -> None:
    listener, ids = Listener(), job_ids(20)
    await announce(queue, ids)

    async with queue.listening(listener):
        await listener.until(lambda: len(listener.done) == 20)

    assert sorted(listener.done) == sorted(ids)


async def test_each_announcement_goes_to_one_of_two_listeners(queue: ProbedQueue) -> None:
    one, other, ids = Listener(), Listener(), job_ids(40)

    def both_have_all() -> bool:
        return len(one.done) + len(other.done) == len(ids)

    async with queue.listening(one), queue.listening(other):
        await announce(queue, ids)
        waits = [asyncio.create_task(each.until(both_have_all)) for each in (one, other)]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()

    assert sorted(one.done + other.done) == sorted(ids)


async def test_a_busy_listener_does_not_keep_work_from_a_free_one(queue: ProbedQueue) -> None:
    busy, free, ids = Listener(holds=True), Listener(), job_ids(AT_ONCE + 10)

    async with queue.listening(busy):
        await announce(queue, ids[:AT_ONCE])
        await busy.until(lambda: len(busy.handed) == AT_ONCE)
        async with queue.listening(free):
            await announce(queue, ids[AT_ONCE:])
            await free.until(lambda: len(free.done) == 10)
        busy.release()

    assert sorted(busy.done) == sorted(ids[:AT_ONCE])
    assert sorted(free.done) == sorted(ids[AT_ONCE:])


async def test_several_are_handled_at_once_up_to_the_limit(queue: ProbedQueue) -> None:
    listener, ids = Listener(holds=True), job_ids(10 * AT_ONCE)
    await announce(queue, ids)

    async with queue.listening(listener):
        await listener.until(lambda: len(listener.handed) == AT_ONCE)
        listener.release()
        await listener.until(lambda: len(listener.done) == len(ids))

    assert listener.peak == AT_ONCE


@pytest.mark.parametrize("cancelled", [False, True])
async def test_leaving_waits_for_running_handlers(queue: ProbedQueue, cancelled: bool) -> None:
    listener, ready, ids = Listener(holds=True), asyncio.Event(), job_ids(AT_ONCE)
    leaving = asyncio.create_task(leave(queue, listener, ready))
    await announce(queue, ids)
    await listener.until(lambda: len(listener.handed) == AT_ONCE)

    if cancelled:
        leaving.cancel()
    ready.set()
    await announce(queue, job_ids(10))  # time to leave too early
    assert not leaving.done()
    listener.release()
    await asyncio.wait([leaving])

    assert leaving.cancelled() == cancelled
    assert sorted(listener.done) == sorted(ids)


async def test_a_leaving_listener_takes_nothing_more(queue: ProbedQueue) -> None:
    leaver, heir, ready = Listener(holds=True), Listener(), asyncio.Event()
    ids = job_ids(1 + 20)
    leaving = asyncio.create_task(leave(queue, leaver, ready))
    await queue.announce(ids[0])
    await leaver.until(lambda: len(leaver.handed) == 1)

    ready.set()
    await asyncio.sleep(0)
    async with queue.listening(heir):
        await announce(queue, ids[1:])
        await heir.until(lambda: len(heir.done) == 20)
    leaver.release()
    await leaving

    assert leaver.done == ids[:1]
    assert sorted(heir.done) == sorted(ids[1:])


async def test_what_is_abandoned_is_delivered_to_others(queue: ProbedQueue) -> None:
    leaver, heir, ready = Listener(holds=True), Listener(), asyncio.Event()
    ids = job_ids(AT_ONCE)
    leaving = asyncio.create_task(leave(queue, leaver, ready))
    await announce(queue, ids)
    await leaver.until(lambda: len(leaver.handed) == AT_ONCE)
    ready.set()
    await asyncio.sleep(0)

    leaving.cancel()
    await asyncio.wait([leaving])
    async with queue.listening(heir):
        await heir.until(lambda: set(heir.done) == set(ids))

    assert leaving.cancelled()
    assert leaver.done == []


@pytest.mark.parametrize("error", ERRORS)
async def test_a_handler_that_fails_does_not_stop_the_others(
    queue: ProbedQueue, error: type[BaseException]
) -> None:
    ids = job_ids(6)
    listener = Failing(*ids[::2], error=error)

    async with queue.listening(listener):
        await announce(queue, ids)
        await listener.until(lambda: set(listener.done) == set(ids[1::2]))


@pytest.mark.parametrize("error", ERRORS)
async def test_a_failing_announcement_is_tried_a_few_times_and_given_up(
    queue: ProbedQueue, error: type[BaseException]
) -> None:
    [poison, *ids] = job_ids(1 + 10)
    listener = Failing(poison, error=error)

    async with queue.listening(listener):
        await queue.announce(poison)
        await listener.until(lambda: Counter(listener.handed)[poison] == TRIES)
        await announce(queue, ids)
        await listener.until(lambda: len(listener.done) == len(ids))

    assert Counter(listener.handed)[poison] == TRIES


async def test_a_job_announced_twice_is_delivered_twice(queue: ProbedQueue) -> None:
    listener, [job_id] = Listener(), job_ids(1)

    async with queue.listening(listener):
        await announce(queue, [job_id, job_id])
        await listener.until(lambda: len(listener.done) == 2)

    assert listener.done == [job_id, job_id]


async def test_a_thousand_announcements_all_arrive(queue: ProbedQueue) -> None:
    listener, ids = Listener(), job_ids(1_000)

    async with queue.listening(listener):
        await asyncio.gather(*(announce(queue, ids[n::50]) for n in range(50)))
        await listener.until(lambda: len(listener.done) == 1_000)

    assert sorted(listener.done) == sorted(ids)


async def test_one_may_listen_again(queue: ProbedQueue) -> None:
    ids = job_ids(3)

    for job_id in ids:
        listener = Listener()
        async with queue.listening(listener):
            await queue.announce(job_id)
            await listener.until(lambda: listener.done == [job_id])  # noqa: B023


async def test_a_block_that_raises_is_left_gracefully(queue: ProbedQueue) -> None:
    listener, [job_id] = Listener(holds=True), job_ids(1)

    with pytest.raises(LookupError):
        async with queue.listening(listener):
            await queue.announce(job_id)
            await listener.until(lambda: listener.handed == [job_id])
            listener.release()
            raise LookupError

    assert listener.done == [job_id]


async def test_a_working_queue_is_found_to_work(queue: ProbedQueue) -> None:
    await queue.check()

    assert queue.works in ("connected", "embedded")
