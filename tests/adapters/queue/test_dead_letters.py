"""What cannot be dealt with ends where people find it, and keeps nobody from their work."""

import aio_pika
import pytest

from domain.events import AnnouncementDropped, AnnouncementFailed
from tests.adapters.queue.stand import Stand
from tests.contract.queues import Failing, Listener, job_ids

pytestmark = [pytest.mark.rabbitmq, pytest.mark.timeout(30)]

IDS = job_ids(10)
MALFORMED = [
    b"",
    b"x",
    IDS[0].encode().replace(b"0", b"Z"),
    b"ABCDEF" + IDS[0].encode()[6:],
    IDS[0].encode() + b"\n",
    IDS[0].encode() + b"0",
    b"\xff" * 32,
    b"{" * 100_000,
]


async def test_what_names_no_job_is_put_aside_and_the_others_go_on(stand: Stand) -> None:
    queue, listener = stand.queue(at_once=1), Listener()
    await queue.check()
    for body, job_id in zip(MALFORMED, IDS, strict=False):
        await stand.put(body)
        await queue.announce(job_id)

    async with queue.listening(listener):
        await listener.until(lambda: len(listener.done) == len(MALFORMED))
        assert sorted(await stand.dead(len(MALFORMED))) == sorted(MALFORMED)

    assert sorted(listener.handed) == sorted(IDS[: len(MALFORMED)])
    dropped = AnnouncementDropped(job=None, tries=5, kept_in=f"{stand.prefix}.dead")
    assert stand.events.published == [dropped] * len(MALFORMED)


@pytest.mark.parametrize("tries", [1, 3])
async def test_what_is_given_up_is_put_aside(stand: Stand, tries: int) -> None:
    [poison, *others], queue = IDS, stand.queue(tries=tries)
    listener = Failing(poison)
    await stand.delete()  # it has been declared with other tries

    async with queue.listening(listener):
        for job_id in (poison, *others):
            await queue.announce(job_id)
        await listener.until(lambda: len(listener.done) == len(others))
        assert await stand.dead(1) == [poison.encode()]

    assert listener.handed.count(poison) == tries
    assert [failed.job for failed in stand.events.of(AnnouncementFailed)] == [poison] * tries
    assert [dropped.job for dropped in stand.events.of(AnnouncementDropped)] == [poison]


async def test_an_announcement_is_plain_and_persistent(stand: Stand) -> None:
    await stand.queue().announce(IDS[0])

    queue = await stand.channel.get_queue(f"{stand.prefix}.jobs")
    message = await queue.get()
    await message.ack()

    assert message.body == IDS[0].encode()
    assert message.content_type == "text/plain"
    assert message.delivery_mode is aio_pika.DeliveryMode.PERSISTENT
