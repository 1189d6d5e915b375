"""Hears of what anybody commits to a PostgreSQL database, as long as a connection to it lives."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from adapters.sql.engine.postgres.errors import translated
from adapters.sql.engine.postgres.pool import CONNECT_S, Connection
from adapters.sql.engine.postgres.session import CHANNEL
from domain.errors import StoreError

#: Every so often the connection is tried, and given as long to answer: one whose other end is gone
#: says nothing by itself.
HEARTBEAT_S = 2.0
_PAUSES_S = (0.0, 0.05, 0.2, 0.5, 1.0, 2.0)


class Listener:
    """Counts changes by a connection of its own; while it cannot hear, every answer is new."""

    def __init__(
        self,
        connect: Callable[[], Awaitable[Connection]],
        gone_deaf: Callable[[], None],
        heartbeat_s: float = HEARTBEAT_S,
    ) -> None:
        self._connect = connect
        self._gone_deaf = gone_deaf
        self._heartbeat_s = heartbeat_s
        self._version = 0
        self._hears = asyncio.Event()
        self._listening: asyncio.Task[None] | None = None

    def version(self) -> int:
        """A number that differs from the last one when anything may have changed."""
        if not self._hears.is_set():
            self._begin()
            self._version += 1
        return self._version

    def moved(self) -> None:
        """Something has changed."""
        self._version += 1

    async def hearing(self) -> None:
        """Return when changes are heard, from now on or already."""
        self._begin()
        await self._hears.wait()

    async def close(self) -> None:
        """Stop listening."""
        if self._listening is not None:
            self._listening.cancel()
            await asyncio.gather(self._listening, return_exceptions=True)

    def _begin(self) -> None:
        if self._listening is None or self._listening.done():
            self._listening = asyncio.create_task(self._listen())

    async def _listen(self) -> None:
        tries = 0
        while True:
            with suppress(StoreError), translated():
                connection = await self._connect()
                tries = 0
                await self._listen_on(connection)
            await asyncio.sleep(_PAUSES_S[min(tries, len(_PAUSES_S) - 1)])
            tries += 1

    async def _listen_on(self, connection: Connection) -> None:
        lost = asyncio.Event()

        def end(_: Connection) -> None:
            self._hears.clear()
            lost.set()

        try:
            connection.add_termination_listener(end)
            async with asyncio.timeout(CONNECT_S):
                await connection.add_listener(CHANNEL, lambda *_: self.moved())
            # What was committed while nobody listened is not told: it counts as one change.
            self.moved()
            self._hears.set()
            while not await _within(self._heartbeat_s, lost):
                await connection.execute("SELECT", timeout=self._heartbeat_s)
        finally:
            self._hears.clear()
            connection.terminate()
            self._gone_deaf()


async def _within(seconds: float, event: asyncio.Event) -> bool:
    """Whether an event comes to pass within so many seconds."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
    return event.is_set()
