"""LISTEN for the changes that any process commits to a PostgreSQL database.

A notification arrives a little after its commit. For records that is soon enough, but a rebuilt
table must not be read as if it were the old one. So each listener holds a shared `TRUST_LOCK` while
its version may be relied on. A migration holds `MIGRATION_LOCK`; before it rebuilds a table, it
notifies all listeners and takes an exclusive `TRUST_LOCK`, which it gets once all of them have
released theirs. They take it again when the migration has ended.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from adapters.sql.engine.postgres.errors import translated
from adapters.sql.engine.postgres.pool import CONNECT_S, Connection
from adapters.sql.engine.postgres.session import CHANNEL
from domain.errors import StoreError

#: The connection is tested this often, with this timeout: a lost peer gives no sign of its own.
HEARTBEAT_S = 2.0
_PAUSES_S = (0.0, 0.05, 0.2, 0.5, 1.0, 2.0)

#: Arbitrary numbers; nothing else in the database may lock the same ones.
MIGRATION_LOCK = 0x6361_7463_686D_656E
TRUST_LOCK = MIGRATION_LOCK + 1
#: The payload of a notification before a table is rebuilt.
DISTRUST = "distrust"
_TRUST = (
    f"SELECT pg_try_advisory_lock_shared({MIGRATION_LOCK})"
    f" AND pg_advisory_unlock_shared({MIGRATION_LOCK})"
    f" AND pg_try_advisory_lock_shared({TRUST_LOCK})"
)
_RELEASE_TRUST = f"SELECT pg_advisory_unlock_shared({TRUST_LOCK})"
_TRY_AGAIN_S = 0.02


class Listener:
    """Counter of changes, heard over its own connection; without one, every version is new."""

    def __init__(
        self,
        connect: Callable[[], Awaitable[Connection]],
        on_disconnect: Callable[[], None],
        heartbeat_s: float = HEARTBEAT_S,
    ) -> None:
        self._connect = connect
        self._on_disconnect = on_disconnect
        self._heartbeat_s = heartbeat_s
        self._version = 0
        self._trusted = asyncio.Event()
        self._listening: asyncio.Task[None] | None = None

    def version(self) -> int:
        """Return a number that differs from the last one if anything may have changed."""
        if not self._trusted.is_set():
            self._begin()
            self._version += 1
        return self._version

    def count_change(self) -> None:
        """Count a change."""
        self._version += 1

    async def hearing(self) -> None:
        """Return once changes are heard."""
        self._begin()
        await self._trusted.wait()

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
        lost, distrusted = asyncio.Event(), asyncio.Event()

        def end(_: Connection) -> None:
            self._trusted.clear()
            lost.set()
            distrusted.set()

        def hear(_: Connection, __: int, ___: str, payload: str) -> None:
            self.count_change()
            if payload == DISTRUST:
                self._trusted.clear()
                distrusted.set()

        try:
            connection.add_termination_listener(end)
            async with asyncio.timeout(CONNECT_S):
                await connection.add_listener(CHANNEL, hear)
            await self._trust(connection, lost, distrusted)
            while not lost.is_set():
                if await _within(self._heartbeat_s, distrusted):
                    distrusted.clear()
                    await connection.execute(_RELEASE_TRUST, timeout=self._heartbeat_s)
                    await self._trust(connection, lost, distrusted)
                else:
                    await connection.execute("SELECT", timeout=self._heartbeat_s)
        finally:
            self._trusted.clear()
            connection.terminate()
            self._on_disconnect()

    async def _trust(
        self, connection: Connection, lost: asyncio.Event, distrusted: asyncio.Event
    ) -> None:
        """Rely on notifications once no migration is running."""
        while not await connection.fetchval(_TRUST, timeout=self._heartbeat_s):
            if await _within(_TRY_AGAIN_S, lost):
                return
        # Commits before the connection was there were not notified: they count as one change.
        self.count_change()
        if not distrusted.is_set():
            self._trusted.set()


async def _within(seconds: float, event: asyncio.Event) -> bool:
    """Return whether an event is set within so many seconds."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
    return event.is_set()
