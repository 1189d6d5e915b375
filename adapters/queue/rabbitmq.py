"""RabbitQueue: announcements through RabbitMQ, for when there is more than one process."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager

from adapters.queue.rabbitmq_consumer import Consumer
from adapters.queue.rabbitmq_failures import plainly
from adapters.queue.rabbitmq_link import Broker, Link, parse
from application.ports.health import Probe
from application.ports.queue import Handle, Queue
from domain.errors import QueueUnavailable

#: So many may wait for a connection; the next one is told at once.
MOST_WAITING = 100
#: A broker that could not be reached is left alone for so long, and all are told why.
REST_S = 0.5
#: What failed on a kept link is tried again, on a new one, after this pause: a queue that is
#: deleted and at once declared again keeps its consumers but delivers them nothing (RabbitMQ 3.10).
AGAIN_S = 0.1


class RabbitQueue(Queue, Probe):
    """Announces through the durable queue `<prefix>.jobs`; `close` it in the end.

    An announcement that could not be dealt with `tries` times, or that names no job, ends in the
    queue `<prefix>.dead`. A question to the broker may take `patience_s`, connecting `connect_s`.
    A listener hands over `at_once` announcements at a time, looks each `watch_s` whether it is
    still heard, and tries at least each `longest_delay_s` to come back to a broker that is away.
    """

    def __init__(
        self,
        url: str,
        *,
        at_once: int = 4,
        tries: int = 5,
        prefix: str = "catchment",
        patience_s: float = 1.0,
        connect_s: float = 2.0,
        watch_s: float = 3.0,
        longest_delay_s: float = 2.0,
    ) -> None:
        self._broker = Broker(parse(url), prefix, tries, patience_s, connect_s)
        self._at_once = at_once
        self._watch_s = watch_s
        self._longest_delay_s = longest_delay_s
        self._link: Link | None = None
        self._opening: asyncio.Task[Link] | None = None
        self._open_again_at = 0.0
        self._waiting = 0
        self._closing: set[asyncio.Task[None]] = set()
        self._is_closed = False

    async def announce(self, job_id: str) -> None:
        """Return when the broker has written the announcement down."""
        await self._ask(lambda link: link.publish(job_id))

    def listening(self, handle: Handle) -> AbstractAsyncContextManager[None]:
        """Hand announced jobs to `handle` while the block lasts."""
        return Consumer(
            self._broker, handle, self._at_once, self._watch_s, self._longest_delay_s
        ).listening()

    @property
    def works(self) -> str:
        """The word for a broker that answers."""
        return "connected"

    async def check(self) -> None:
        """Return when the broker answers now; QueueUnavailable says why it does not."""
        await self._ask(Link.look)

    async def close(self) -> None:
        """Let go of the connection; nothing can be announced any more."""
        self._is_closed = True
        if self._opening is not None:
            self._opening.cancel()
            await asyncio.gather(self._opening, return_exceptions=True)
        self._drop(self._link)
        await asyncio.gather(*self._closing)

    # ------------------------------------------------------------ the kept link

    async def _ask(self, question: Callable[[Link], Awaitable[object]]) -> None:
        deadline = _now() + self._broker.patience_s
        while True:
            link = await self._reached(deadline)
            try:
                with plainly(self._broker.place):
                    async with asyncio.timeout_at(deadline):
                        await question(link)
                return
            except QueueUnavailable:
                await self._refuse_if_blocked(link)
                self._drop(link)
                if _now() + AGAIN_S >= deadline:
                    raise
            await asyncio.sleep(AGAIN_S)

    async def _reached(self, deadline: float) -> Link:
        with plainly(self._broker.place):
            async with asyncio.timeout_at(deadline):
                link = await self._linked()
        await self._refuse_if_blocked(link)
        return link

    async def _refuse_if_blocked(self, link: Link) -> None:
        # The link is kept: on it the broker says when it takes messages again.
        if await link.is_blocked():
            raise QueueUnavailable(
                f"the broker at {self._broker.place} is short of memory or disk, so takes nothing"
            )

    async def _linked(self) -> Link:
        if self._link is not None and self._link.is_open:
            return self._link
        self._drop(self._link)
        if self._is_closed or self._waiting >= MOST_WAITING:
            why = "too many wait for" if not self._is_closed else "we have left"
            raise QueueUnavailable(f"{why} the broker at {self._broker.place}")
        self._waiting += 1
        try:
            # Whoever waits may leave; the attempt goes on for the others.
            return await asyncio.shield(self._attempt())
        finally:
            self._waiting -= 1

    def _attempt(self) -> asyncio.Task[Link]:
        """The attempt to connect that runs, or failed a moment ago, or a new one."""
        if self._opening is None or (self._opening.done() and _now() >= self._open_again_at):
            self._opening = asyncio.create_task(self._open())
        return self._opening

    async def _open(self) -> Link:
        try:
            self._link = await Link.open(self._broker, "catchment: announcing")
        except QueueUnavailable:
            self._open_again_at = _now() + REST_S
            raise
        return self._link

    def _drop(self, link: Link | None) -> None:
        if link is not None and link is self._link:
            self._link = None
            closing = asyncio.create_task(link.close())
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)


def _now() -> float:
    return asyncio.get_running_loop().time()
