"""Consumer: has announcements delivered, and comes back whenever that stops."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager, suppress

import structlog
from aio_pika.abc import AbstractIncomingMessage

from adapters.queue.crew import crew, managed
from adapters.queue.rabbitmq_failures import plainly
from adapters.queue.rabbitmq_link import Broker, Link
from application.ports.queue import Handle
from domain.errors import QueueUnavailable

FIRST_DELAY_S = 0.1
_JOB_ID = re.compile(rb"[0-9a-f]{32}")

_log = structlog.get_logger("catchment.queue")


class Consumer:
    """Hands announcements to `handle`, `at_once` at a time, for one `listening` block.

    What the library promises about coming back is not relied on: whenever connection, channel or
    consumer are lost everything is made anew. Each `watch_s` the broker is asked whether the
    consumer still is one; a try to come back is made at least each `longest_delay_s`.
    """

    def __init__(
        self,
        broker: Broker,
        handle: Handle,
        at_once: int,
        watch_s: float,
        longest_delay_s: float,
    ) -> None:
        self._broker = broker
        self._handle = handle
        self._at_once = at_once
        self._watch_s = watch_s
        self._longest_delay_s = longest_delay_s
        self._inbox: asyncio.Queue[AbstractIncomingMessage] = asyncio.Queue()
        self._leaving = False
        self._stirred = asyncio.Event()  # something was lost, or we leave
        self._is_away = False
        self._delay_s = FIRST_DELAY_S
        self._taken = 0
        self._in_hand = 0

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """Deal with announcements while the block lasts."""
        keeping = asyncio.create_task(self._keep())
        try:
            async with crew(self._inbox, self._deal, self._at_once):
                try:
                    yield
                finally:
                    self._leaving = True
                    self._stirred.set()
        finally:
            keeping.cancel()
            await asyncio.gather(keeping, return_exceptions=True)

    # ------------------------------------------------------------ being a consumer

    async def _keep(self) -> None:
        while not self._leaving:
            try:
                await self._consume()
            except QueueUnavailable as error:
                self._lost(error)
            await asyncio.sleep(self._delay_s)
            self._delay_s = min(2 * self._delay_s, self._longest_delay_s)

    async def _consume(self) -> None:
        """Be a consumer until that is lost (QueueUnavailable) or we leave."""
        link = await Link.open(self._broker, "catchment: listening", self._stirred.set)
        try:
            if not self._leaving:
                await link.consume(self._take, self._at_once)
                self._found()
                await self._watch(link)
                await link.stop()
            await self._give_back()
            # What is in hand is acknowledged on this link, so it stays until we are cancelled.
            await asyncio.Event().wait()
        finally:
            await link.close()
            while not self._inbox.empty():
                self._inbox.get_nowait()  # it comes again, to us or others

    async def _watch(self, link: Link) -> None:
        """Return when we leave; QueueUnavailable when announcements do not arrive any more."""
        passed_over: int | None = None
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._watch_s):
                    await self._stirred.wait()
            self._stirred.clear()
            if self._leaving:
                return
            waiting, consumers = await link.look()
            if not consumers:
                raise self._unavailable("has forgotten that we listen")
            # The consumers may be others. But then nothing waits while we have nothing to do.
            is_idle = not self._in_hand and self._inbox.empty()
            before, passed_over = passed_over, self._taken if waiting and is_idle else None
            if before is not None and before == passed_over:
                raise self._unavailable("lets announcements wait while we are idle")

    def _unavailable(self, reason: str) -> QueueUnavailable:
        return QueueUnavailable(f"the broker at {self._broker.place} {reason}")

    def _lost(self, error: QueueUnavailable) -> None:
        if not self._is_away and not self._leaving:
            _log.warning("announcements cannot arrive, and are waited for", reason=error.detail)
        self._is_away = True

    def _found(self) -> None:
        if self._is_away:
            _log.info("announcements arrive again")
        self._is_away = False
        self._delay_s = FIRST_DELAY_S

    # ------------------------------------------------------------ dealing with announcements

    async def _take(self, message: AbstractIncomingMessage) -> None:
        # Called by the library, in a task it cancels with the channel: so only put down here.
        if self._leaving:
            await self._settle(message.nack())
            return
        self._taken += 1
        self._inbox.put_nowait(message)

    async def _deal(self, message: AbstractIncomingMessage) -> None:
        self._in_hand += 1
        try:
            await self._settle(await self._dealt(message))
        finally:
            self._in_hand -= 1

    async def _dealt(self, message: AbstractIncomingMessage) -> Awaitable[None]:
        """Deal with an announcement; what the broker must be told then."""
        if not _JOB_ID.fullmatch(message.body):
            _log.error("an announcement names no job", kept_in=self._broker.dead)
            return message.reject()
        job_id = message.body.decode()
        if await managed(self._handle, job_id):
            return message.ack()
        if message.headers.get("x-delivery-count", 0) == self._broker.tries - 1:
            _log.error("an announcement is given up", job=job_id, kept_in=self._broker.dead)
        return message.nack()

    async def _give_back(self) -> None:
        while not self._inbox.empty():
            await self._settle(self._inbox.get_nowait().nack())

    async def _settle(self, settling: Awaitable[None]) -> None:
        # When the channel is gone the announcement comes again, to us or to others.
        with suppress(QueueUnavailable), plainly(self._broker.place):
            async with asyncio.timeout(self._broker.patience_s):
                await settling
