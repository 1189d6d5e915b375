"""What a bad network does to a connection: the eight toxics that are known from toxiproxy.

A toxic is given to `ToxicProxy.poison`, and befalls every connection there is or that comes, in
both directions, until `ToxicProxy.heal`.
"""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import msgspec
from yarl import URL

from tests.services.proxy import Course, Proxy


class Toxic(msgspec.Struct, frozen=True, kw_only=True):
    """How what is sent fares; the plain one changes nothing.

    `delay_s` comes before each piece, `bytes_per_s` bounds the pace, `slice_bytes` cuts pieces up,
    `limit_bytes` ends the connection after so many, and `is_silent` lets nothing through.
    `close_delay_s` is how much later the end of a connection arrives. `is_down` refuses new
    connections and breaks those there are; `is_reset` breaks each as soon as something is sent.
    """

    delay_s: float = 0.0
    bytes_per_s: float = 0.0
    slice_bytes: int = 0
    limit_bytes: int = 0
    close_delay_s: float = 0.0
    is_silent: bool = False
    is_reset: bool = False
    is_down: bool = False


HEALTHY = Toxic()

TOXICS: Mapping[str, Toxic] = {
    "latency": Toxic(delay_s=0.2),
    "bandwidth": Toxic(bytes_per_s=20_000),
    "slow_close": Toxic(close_delay_s=2.0),
    "timeout": Toxic(is_silent=True),
    "reset_peer": Toxic(is_reset=True),
    "slicer": Toxic(slice_bytes=7),
    "limit_data": Toxic(limit_bytes=500),
    "down": Toxic(is_down=True),
}


class ToxicProxy(Proxy):
    """A proxy that can be poisoned, and healed again."""

    def __init__(self, target: int) -> None:
        super().__init__(target)
        self.toxic = HEALTHY
        self.healed = asyncio.Condition()

    def course(self) -> Course:
        """A course that suffers from whatever the toxic is at the moment."""
        return _Suffering(self)

    def poison(self, toxic: Toxic) -> None:
        """Let this befall all connections."""
        self.toxic = toxic
        if toxic.is_down:
            self.drop()

    async def heal(self) -> None:
        """Forward as if nothing had been; what is broken stays broken."""
        self.toxic = HEALTHY
        self.spare()
        async with self.healed:
            self.healed.notify_all()


@asynccontextmanager
async def poisonable(url: str) -> AsyncIterator[tuple[ToxicProxy, str]]:
    """A proxy in front of what a URL names, and the URL that leads through it."""
    target = URL(url)
    assert target.port
    proxy = ToxicProxy(target.port)
    await proxy.accept()
    try:
        yield proxy, str(target.with_host("127.0.0.1").with_port(proxy.port))
    finally:
        await proxy.heal()
        await proxy.close()


class _Suffering(Course):
    """One direction of one connection, under whatever toxic there is."""

    def __init__(self, proxy: ToxicProxy) -> None:
        self._proxy = proxy
        self._passed = 0

    async def pass_on(self, data: bytes, writer: asyncio.StreamWriter) -> None:
        """Send a piece on; ConnectionError when the connection is to end here."""
        toxic = self._proxy.toxic
        if toxic.is_reset:
            reset(writer)
            raise ConnectionResetError
        if toxic.is_silent:
            async with self._proxy.healed:
                await self._proxy.healed.wait_for(lambda: not self._proxy.toxic.is_silent)
        if toxic.delay_s:
            await asyncio.sleep(toxic.delay_s)
        size = toxic.slice_bytes or len(data)
        for start in range(0, len(data), size):
            await self._send(data[start : start + size], writer)

    async def end(self) -> None:
        """Return when the end of the connection may arrive."""
        if self._proxy.toxic.close_delay_s:
            await asyncio.sleep(self._proxy.toxic.close_delay_s)

    async def _send(self, piece: bytes, writer: asyncio.StreamWriter) -> None:
        toxic = self._proxy.toxic
        if toxic.limit_bytes:
            left = toxic.limit_bytes - self._passed
            piece = piece[: max(0, left)]
        self._passed += len(piece)
        writer.write(piece)
        await writer.drain()
        if toxic.bytes_per_s:
            await asyncio.sleep(len(piece) / toxic.bytes_per_s)
        elif toxic.slice_bytes:
            await asyncio.sleep(0)
        if toxic.limit_bytes and self._passed >= toxic.limit_bytes:
            raise ConnectionAbortedError


def reset(writer: asyncio.StreamWriter) -> None:
    """Break a connection with a reset, as a router does that has lost its state."""
    connection: socket.socket | None = writer.get_extra_info("socket")
    if connection is not None:
        linger = struct.pack("ii", 1, 0)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    writer.transport.abort()
