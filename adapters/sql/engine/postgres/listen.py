"""Hears of what anybody commits to a PostgreSQL database, as long as a connection to it lives.

A notification comes a little after its commit. For records that is soon enough, but a table that is
built anew must not be read by one who takes it for the old one. So a listener holds `TRUST_LOCK`
shared while its version may be relied on. Whoever is about to build a table anew, and holds
`MIGRATION_LOCK`, notifies everybody of that, and takes `TRUST_LOCK` for itself: it has it once
all have let go. They take it again when the migration has ended.
"""

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

#: Any numbers will do, as long as nothing else in the database locks the same ones.
MIGRATION_LOCK = 0x6361_7463_686D_656E
TRUST_LOCK = MIGRATION_LOCK + 1
#: What a notification says before a table is built anew.
DISTRUST = "distrust"
_TRUST = (
    f"SELECT pg_try_advisory_lock_shared({MIGRATION_LOCK})"
    f" AND pg_advisory_unlock_shared({MIGRATION_LOCK})"
    f" AND pg_try_advisory_lock_shared({TRUST_LOCK})"
)
_LET_GO = f"SELECT pg_advisory_unlock_shared({TRUST_LOCK})"
_TRY_AGAIN_S = 0.02


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
        lost, distrusts = asyncio.Event(), asyncio.Event()

        def end(_: Connection) -> None:
            self._hears.clear()
            lost.set()
            distrusts.set()

        def hear(_: Connection, __: int, ___: str, payload: str) -> None:
            self.moved()
            if payload == DISTRUST:
                self._hears.clear()
                distrusts.set()

        try:
            connection.add_termination_listener(end)
            async with asyncio.timeout(CONNECT_S):
                await connection.add_listener(CHANNEL, hear)
            await self._trust(connection, lost, distrusts)
            while not lost.is_set():
                if await _within(self._heartbeat_s, distrusts):
                    distrusts.clear()
                    await connection.execute(_LET_GO, timeout=self._heartbeat_s)
                    await self._trust(connection, lost, distrusts)
                else:
                    await connection.execute("SELECT", timeout=self._heartbeat_s)
        finally:
            self._hears.clear()
            connection.terminate()
            self._gone_deaf()

    async def _trust(
        self, connection: Connection, lost: asyncio.Event, distrusts: asyncio.Event
    ) -> None:
        """Rely on what is heard, once no migration is under way."""
        while not await connection.fetchval(_TRUST, timeout=self._heartbeat_s):
            if await _within(_TRY_AGAIN_S, lost):
                return
        # What was committed while nobody listened is not told: it counts as one change.
        self.moved()
        if not distrusts.is_set():
            self._hears.set()


async def _within(seconds: float, event: asyncio.Event) -> bool:
    """Whether an event comes to pass within so many seconds."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
    return event.is_set()
