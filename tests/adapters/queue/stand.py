"""What the tests of RabbitQueue share: queues of one's own behind a proxy, and a way past it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import aio_pika
from aio_pika.abc import AbstractChannel

from adapters.memory.operations import MemoryEvents
from adapters.memory.system import SeededRandom
from adapters.queue.rabbitmq import RabbitQueue
from adapters.queue.rabbitmq_link import Broker, Link, parse
from domain.errors import QueueUnavailable
from tests.contract.queues import Listener, own_queues
from tests.services.proxy import Proxy, proxied
from tests.services.rabbitmq import broker_url

_random = SeededRandom()


class Stand:
    """A broker behind a proxy; `channel` leads straight to it."""

    def __init__(
        self, proxy: Proxy, url: str, prefix: str, channel: AbstractChannel, exits: AsyncExitStack
    ) -> None:
        self.proxy = proxy
        self.url = url
        self.prefix = prefix
        self.events = MemoryEvents()
        self.channel = channel
        self._exits = exits
        #: A queue that does not go through the proxy.
        self.straight = self.queue(broker_url())

    def queue(self, url: str = "", **options: Any) -> RabbitQueue:
        """A queue through the proxy that looks often, unless told otherwise; closed in the end."""
        often = {"watch_s": 0.2, "longest_delay_s": 0.2}
        queue = RabbitQueue(url or self.url, self.events, prefix=self.prefix, **often | options)
        self._exits.push_async_callback(queue.close)
        return queue

    async def heard_again_s(self, listener: Listener) -> float:
        """Announce until the listener hears of it; how many seconds that took."""
        announced: set[str] = set()
        began = now()
        while not announced.intersection(listener.done):
            job_id = _random.identifier()
            await self.straight.announce(job_id)
            announced.add(job_id)
        return now() - began

    async def delivered(self, job_id: str, connection: int) -> None:
        """Return when an announcement has been delivered on that connection."""
        await self.proxy.arrived(connection)
        while job_id.encode() not in self.proxy.told_client():
            await asyncio.sleep(0)
        await self.straight.check()  # meanwhile it has been taken in

    async def put(self, body: bytes) -> None:
        """Put a message into the queue of announcements, past the adapter."""
        await self.channel.default_exchange.publish(
            aio_pika.Message(body), routing_key=f"{self.prefix}.jobs"
        )

    async def delete(self) -> None:
        """Delete the queue of announcements."""
        await self.channel.queue_delete(f"{self.prefix}.jobs")

    async def again(self) -> None:
        """Declare the queue of announcements, as the adapter does."""
        broker = Broker(parse(broker_url()), self.prefix, tries=5, patience_s=1, connect_s=2)
        await (await Link.open(broker, "a test")).close()

    async def waiting(self) -> int:
        """How many announcements wait at the broker, in nobody's hands."""
        queue = await self.channel.declare_queue(f"{self.prefix}.jobs", passive=True)
        return queue.declaration_result.message_count or 0

    async def dead(self, count: int) -> list[bytes]:
        """The first so many dead announcements."""
        bodies: asyncio.Queue[bytes] = asyncio.Queue()
        queue = await self.channel.get_queue(f"{self.prefix}.dead")

        async def take(message: aio_pika.abc.AbstractIncomingMessage) -> None:
            await message.ack()
            bodies.put_nowait(message.body)

        await queue.consume(take)
        return [await bodies.get() for _ in range(count)]


@asynccontextmanager
async def open_stand(url: str = "") -> AsyncIterator[Stand]:
    """A stand in front of a broker, the usual one unless told otherwise."""
    url = url or broker_url()
    async with AsyncExitStack() as exits:
        prefix = await exits.enter_async_context(own_queues(url))
        connection = await exits.enter_async_context(await aio_pika.connect(url))
        channel = await exits.enter_async_context(connection.channel())
        proxy, through = await exits.enter_async_context(proxied(url))
        stand = Stand(proxy, through, prefix, channel, exits)
        await stand.straight.check()  # declares the queues
        yield stand


async def fails(asking: Any) -> tuple[str, float]:
    """Why something could not be done, and after how many seconds that was said."""
    began = now()
    try:
        await asking
    except QueueUnavailable as error:
        return error.detail, now() - began
    raise AssertionError("it did not fail")


async def works_again(ask: Callable[[], Any]) -> float:
    """Ask until it can be done; how many seconds that took."""
    began = now()
    while True:
        try:
            await ask()
            return now() - began
        except QueueUnavailable:
            await asyncio.sleep(0)


def now() -> float:
    """The stopwatch."""
    return asyncio.get_running_loop().time()


def tasks() -> set[asyncio.Task[Any]]:
    """What runs now, the proxy aside."""
    return {task for task in asyncio.all_tasks() if "proxy.py" not in repr(task)}
