"""A TCP proxy that loses connections on command, which is quicker than restarting a broker."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from yarl import URL


class Course:
    """One direction of one connection: how what is sent there fares, which is well."""

    async def pass_on(self, data: bytes, writer: asyncio.StreamWriter) -> None:
        """Send a piece on; OSError when the connection is to end here."""
        writer.write(data)
        await writer.drain()

    async def end(self) -> None:
        """Return when the end of the connection may arrive."""


class Proxy:
    """Forwards to one port of this machine; everything it does can be stopped."""

    def __init__(self, target: int, tls: ssl.SSLContext | None = None) -> None:
        self._target = target
        self._tls = tls
        self._server: asyncio.Server | None = None
        self._pairs: list[_Pair] = []
        self._serving: set[asyncio.Task[None]] = set()
        self._is_stalled = self._is_dropping = False
        self._arrived = asyncio.Condition()
        self.port = 0
        #: How many connections have been made so far.
        self.count = 0

    async def accept(self) -> None:
        """Take connections; after `refuse` on the same port as before."""
        self._server = await asyncio.start_server(
            self._begin, "127.0.0.1", self.port, ssl=self._tls
        )
        self.port = self._server.sockets[0].getsockname()[1]

    def refuse(self) -> None:
        """Refuse new connections; those there are go on."""
        assert self._server is not None
        self._server.close()

    def cut(self) -> None:
        """Break all connections."""
        for pair in self._pairs:
            pair.cut()

    def drop(self) -> None:
        """Break all connections, and each new one as soon as it is made."""
        self._is_dropping = True
        self.cut()

    def freeze(self) -> None:
        """Forward nothing on the connections there are; others are as before."""
        for pair in self._pairs:
            pair.flows.clear()

    def stall(self) -> None:
        """Forward nothing, on new connections neither."""
        self._is_stalled = True
        self.freeze()

    def spare(self) -> None:
        """Forward again on new connections."""
        self._is_stalled = self._is_dropping = False

    def resume(self) -> None:
        """Forward again, also what was held back."""
        self.spare()
        for pair in self._pairs:
            pair.flows.set()

    async def close(self) -> None:
        """End all of it."""
        self.refuse()
        self.cut()
        if self._serving:
            await asyncio.wait(self._serving)

    async def arrived(self, count: int) -> None:
        """Return when so many connections have been made."""
        async with self._arrived:
            await self._arrived.wait_for(lambda: self.count >= count)

    def course(self) -> Course:
        """How what is sent in one direction of the next connection will fare."""
        return Course()

    def tell_target(self, frame: bytes) -> None:
        """Slip a frame into the newest connection, as if the client had sent it."""
        self._pairs[-1].target.write(frame)

    def tell_client(self, frame: bytes) -> None:
        """Slip a frame into the newest connection, as if the target had sent it."""
        self._pairs[-1].client.write(frame)

    def told_client(self) -> bytes:
        """What the target has said on the newest connection."""
        return bytes(self._pairs[-1].told)

    def _begin(self, reader: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        serving = asyncio.create_task(self._serve(reader, client))
        self._serving.add(serving)
        serving.add_done_callback(self._serving.discard)

    async def _serve(self, reader: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        try:
            answers, target = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            client.transport.abort()
            return
        pair = _Pair(client, target)
        if not self._is_stalled:
            pair.flows.set()
        self._pairs.append(pair)
        await self._count()
        try:
            if not self._is_dropping:
                await asyncio.gather(
                    pair.pump(reader, target, bytearray(), self.course()),
                    pair.pump(answers, client, pair.told, self.course()),
                )
        finally:
            pair.cut()
            self._pairs.remove(pair)

    async def _count(self) -> None:
        async with self._arrived:
            self.count += 1
            self._arrived.notify_all()


class _Pair:
    """One connection through the proxy: both of its halves."""

    def __init__(self, client: asyncio.StreamWriter, target: asyncio.StreamWriter) -> None:
        self.client = client
        self.target = target
        self.told = bytearray()
        self.flows = asyncio.Event()

    async def pump(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        seen: bytearray,
        course: Course,
    ) -> None:
        with suppress(OSError):
            while data := await reader.read(64 * 1024):
                await self.flows.wait()
                seen += data
                await course.pass_on(data, writer)
            await course.end()
        writer.close()

    def cut(self) -> None:
        self.flows.set()
        for writer in (self.client, self.target):
            writer.transport.abort()


@asynccontextmanager
async def proxied(url: str, tls: ssl.SSLContext | None = None) -> AsyncIterator[tuple[Proxy, str]]:
    """A proxy in front of what a URL names, and the URL that leads through it."""
    target = URL(url)
    proxy = Proxy(target.port or 5672, tls)
    await proxy.accept()
    try:
        through = target.with_host("127.0.0.1").with_port(proxy.port)
        yield proxy, str(through.with_scheme("amqps") if tls else through)
    finally:
        await proxy.close()
