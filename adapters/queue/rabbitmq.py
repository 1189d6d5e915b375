"""RabbitMQ: the queue that announces jobs to workers in other processes."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress

from aio_pika.abc import AbstractIncomingMessage

from adapters.queue.rabbitmq_link import Broker, Link, parse, translated_errors
from application.concurrency import task_pool
from application.jobs.announcements import handle_announcement
from application.ports.jobs import Handle, Queue
from application.ports.operations import Events, Probe
from domain.errors import QueueUnavailable
from domain.events import AnnouncementDropped, BrokerFound, BrokerLost

FIRST_DELAY_S = 0.1
_JOB_ID = re.compile(rb"[0-9a-f]{32}")


class Consumer:
    """The consumer of one `listening` block: passes `at_once` announcements at a time to `handle`.

    It does not rely on the library's reconnection: after the loss of connection, channel or
    consumer all three are recreated. Every `watch_s` it checks that the broker still has the
    consumer; attempts to reconnect are at most `longest_delay_s` apart.
    """

    def __init__(
        self,
        broker: Broker,
        handle: Handle,
        events: Events,
        at_once: int,
        watch_s: float,
        longest_delay_s: float,
    ) -> None:
        self._broker = broker
        self._handle = handle
        self._events = events
        self._at_once = at_once
        self._watch_s = watch_s
        self._longest_delay_s = longest_delay_s
        self._inbox: asyncio.Queue[AbstractIncomingMessage] = asyncio.Queue()
        self._is_stopping = False
        self._woken = asyncio.Event()  # set on a loss and at the end
        self._is_lost = False
        self._delay_s = FIRST_DELAY_S
        self._taken = 0
        self._handling = 0

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """Handle announcements during the block."""
        connecting = asyncio.create_task(self._stay_connected())
        try:
            async with task_pool(self._inbox, self._handle_message, self._at_once):
                try:
                    yield
                finally:
                    self._is_stopping = True
                    self._woken.set()
        finally:
            connecting.cancel()
            await asyncio.gather(connecting, return_exceptions=True)

    # ------------------------------------------------------------ consuming

    async def _stay_connected(self) -> None:
        while not self._is_stopping:
            try:
                await self._consume()
            except QueueUnavailable as error:
                self._note_loss(error)
            await asyncio.sleep(self._delay_s)
            self._delay_s = min(2 * self._delay_s, self._longest_delay_s)

    async def _consume(self) -> None:
        """Consume until the connection is lost (QueueUnavailable) or the worker stops."""
        link = await Link.open(self._broker, "catchment: listening", self._woken.set)
        try:
            if not self._is_stopping:
                await link.consume(self._take, self._at_once)
                self._note_connected()
                await self._watch(link)
                await link.stop()
            await self._requeue_inbox()
            # Running jobs are acknowledged on this link, so it stays open until the cancellation.
            await asyncio.Event().wait()
        finally:
            await link.close()
            while not self._inbox.empty():
                self._inbox.get_nowait()  # the broker delivers it again

    async def _watch(self, link: Link) -> None:
        """Return when the worker stops; raise QueueUnavailable when no announcements arrive."""
        idle_at: int | None = None
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._watch_s):
                    await self._woken.wait()
            self._woken.clear()
            if self._is_stopping:
                return
            waiting, consumers = await link.counts()
            if not consumers:
                raise self._unavailable("has lost our consumer")
            # The consumers may be others; then announcements would wait while this one is idle.
            is_idle = not self._handling and self._inbox.empty()
            before, idle_at = idle_at, self._taken if waiting and is_idle else None
            if before is not None and before == idle_at:
                raise self._unavailable("does not deliver waiting announcements")

    def _unavailable(self, reason: str) -> QueueUnavailable:
        return QueueUnavailable(f"the broker at {self._broker.address} {reason}")

    def _note_loss(self, error: QueueUnavailable) -> None:
        if not self._is_lost and not self._is_stopping:
            self._events.publish(BrokerLost(reason=error.detail))
        self._is_lost = True

    def _note_connected(self) -> None:
        if self._is_lost:
            self._events.publish(BrokerFound())
        self._is_lost = False
        self._delay_s = FIRST_DELAY_S

    # ------------------------------------------------------------ announcements

    async def _take(self, message: AbstractIncomingMessage) -> None:
        # Called by the library, in a task it cancels with the channel: so only enqueue here.
        if self._is_stopping:
            await self._settle(message.nack())
            return
        self._taken += 1
        self._inbox.put_nowait(message)

    async def _handle_message(self, message: AbstractIncomingMessage) -> None:
        self._handling += 1
        try:
            await self._settle(await self._settlement(message))
        finally:
            self._handling -= 1

    async def _settlement(self, message: AbstractIncomingMessage) -> Awaitable[None]:
        """Handle an announcement; return its acknowledgement, rejection or requeue."""
        if not _JOB_ID.fullmatch(message.body):
            self._events.publish(self._dropped(None))
            return message.reject()
        job_id = message.body.decode()
        if await handle_announcement(self._handle, job_id, self._events):
            return message.ack()
        if message.headers.get("x-delivery-count", 0) == self._broker.tries - 1:
            self._events.publish(self._dropped(job_id))
        return message.nack()

    def _dropped(self, job_id: str | None) -> AnnouncementDropped:
        return AnnouncementDropped(job=job_id, tries=self._broker.tries, kept_in=self._broker.dead)

    async def _requeue_inbox(self) -> None:
        while not self._inbox.empty():
            await self._settle(self._inbox.get_nowait().nack())

    async def _settle(self, settling: Awaitable[None]) -> None:
        # When the channel is gone the broker delivers the announcement again.
        with suppress(QueueUnavailable), translated_errors(self._broker.address):
            async with asyncio.timeout(self._broker.patience_s):
                await settling


#: The most callers that may wait for a connection; further ones fail at once.
MOST_WAITING = 100
#: After a failed attempt to connect, all callers get the same error for this long.
REST_S = 0.5
#: A failure on a reused link is retried on a new one after this pause: a queue that is deleted
#: and declared again at once keeps its consumers but delivers nothing to them (RabbitMQ 3.10).
AGAIN_S = 0.1


class RabbitQueue(Queue, Probe):
    """The durable queue `<prefix>.jobs` of a RabbitMQ server; must be closed.

    An announcement that failed `tries` times, or that names no job, is moved to the queue
    `<prefix>.dead`. An operation may take `patience_s`, connecting `connect_s`. A listener passes
    on `at_once` announcements at a time, checks its consumer every `watch_s`, and tries to
    reconnect at least every `longest_delay_s`.
    """

    def __init__(
        self,
        url: str,
        events: Events,
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
        self._events = events
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
        """Announce the job, and return once the broker has confirmed it."""
        await self._request(lambda link: link.publish(job_id))

    def listening(self, handle: Handle) -> AbstractAsyncContextManager[None]:
        """Pass announced jobs to `handle` during the block."""
        consumer = Consumer(
            self._broker,
            handle,
            self._events,
            self._at_once,
            self._watch_s,
            self._longest_delay_s,
        )
        return consumer.listening()

    @property
    def works(self) -> str:
        """Return the status of a broker that responds."""
        return "connected"

    async def check(self) -> None:
        """Raise QueueUnavailable, with the reason, unless the broker responds."""
        await self._request(Link.counts)

    async def close(self) -> None:
        """Close the connection; nothing can be announced afterwards."""
        self._is_closed = True
        if self._opening is not None:
            self._opening.cancel()
            await asyncio.gather(self._opening, return_exceptions=True)
        self._drop(self._link)
        await asyncio.gather(*self._closing)

    # ------------------------------------------------------------ the reused link

    async def _request(self, operation: Callable[[Link], Awaitable[object]]) -> None:
        deadline = _now() + self._broker.patience_s
        while True:
            link = await self._usable_link(deadline)
            try:
                with translated_errors(self._broker.address):
                    async with asyncio.timeout_at(deadline):
                        await operation(link)
                return
            except QueueUnavailable:
                await self._refuse_if_blocked(link)
                self._drop(link)
                if _now() + AGAIN_S >= deadline:
                    raise
            await asyncio.sleep(AGAIN_S)

    async def _usable_link(self, deadline: float) -> Link:
        with translated_errors(self._broker.address):
            async with asyncio.timeout_at(deadline):
                link = await self._connected()
        await self._refuse_if_blocked(link)
        return link

    async def _refuse_if_blocked(self, link: Link) -> None:
        # The link is kept: the broker reports on it when it accepts messages again.
        if await link.is_blocked():
            raise QueueUnavailable(
                f"the broker at {self._broker.address} is short of memory or disk, and accepts"
                " no messages"
            )

    async def _connected(self) -> Link:
        if self._link is not None and self._link.is_open:
            return self._link
        self._drop(self._link)
        if self._is_closed or self._waiting >= MOST_WAITING:
            why = "too many callers wait for" if not self._is_closed else "this process has closed"
            raise QueueUnavailable(f"{why} the broker at {self._broker.address}")
        self._waiting += 1
        try:
            # A caller may be cancelled; the attempt continues for the others.
            return await asyncio.shield(self._attempt())
        finally:
            self._waiting -= 1

    def _attempt(self) -> asyncio.Task[Link]:
        """Return the running attempt to connect, or a recently failed one, or a new one."""
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
