"""The sample upstream as a running server: its socket, its connections, its addresses."""

import asyncio
import signal
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Self

from entrypoints.sample_upstream.documents import encode
from entrypoints.sample_upstream.exchange import Exchange
from entrypoints.sample_upstream.faults import find_fault
from entrypoints.sample_upstream.routes import REQUESTS_PATH, handle
from entrypoints.sample_upstream.state import UpstreamState
from entrypoints.sample_upstream.wire import (
    MOST_HEAD_BYTES,
    BadRequest,
    WireRequest,
    head,
    read_request,
)

LONGEST_ANSWER_SECONDS = 600
ENDINGS = (ConnectionError, TimeoutError, asyncio.IncompleteReadError)
"""The errors that may end a connection without a fault of this server."""


class SampleUpstream(UpstreamState):
    """A real HTTP server that simulates the APIs that Catchment uses, and their faults."""

    def __init__(self, posts: int = 100, seed: int = 1) -> None:
        super().__init__(posts, seed)
        self._server: asyncio.Server | None = None
        self._conversations: set[asyncio.Task[None]] = set()
        self.address = ("", 0)
        """The host and port to connect to, once started."""

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> None:
        """Listen; port 0 lets the system choose one."""
        self._server = await asyncio.start_server(
            self._welcome, host, port, limit=MOST_HEAD_BYTES, backlog=1024
        )
        reachable = "127.0.0.1" if host == "0.0.0.0" else host  # noqa: S104
        self.address = (reachable, self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Stop listening and abort every connection."""
        if self._server is None:
            return
        server, self._server = self._server, None
        server.close()
        for conversation in self._conversations:
            conversation.cancel()
        await asyncio.gather(*self._conversations, return_exceptions=True)
        await server.wait_closed()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()

    def url(self, path: str = "/posts") -> str:
        """Return the URL of a path on this server."""
        host, port = self.address
        return f"http://{host}:{port}{path}"

    def fault_url(self, name: str, path: str | None = None) -> str:
        """Return the URL of a path with a fault; without a path, of the first subject that has it.

        Raises LookupError for an unknown name.
        """
        fault = find_fault(name)
        if fault is None:
            raise LookupError(f"There is no fault {name}; see FAULTS.")
        return self.url(f"/faults/{name}{path or fault.subjects[0].path}")

    def _welcome(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._server is None:
            writer.transport.abort()
            return
        conversation = asyncio.create_task(self._converse(reader, writer))
        self._conversations.add(conversation)
        conversation.add_done_callback(self._conversations.discard)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with suppress(*ENDINGS):
                await self._answer_requests(reader, writer)
                writer.close()
                await asyncio.wait_for(writer.wait_closed(), LONGEST_ANSWER_SECONDS)
        finally:
            writer.transport.abort()
            with suppress(ConnectionError):
                await writer.wait_closed()

    async def _answer_requests(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        earlier_answers = 0
        keep_alive = True
        while keep_alive:
            try:
                request = await read_request(reader)
            except BadRequest as error:
                writer.write(head(400, [("Connection", "close")]) + encode({"error": str(error)}))
                return
            if request is None:
                return
            exchange = Exchange(
                request, self, (reader, writer), self._write_down(request), earlier_answers
            )
            async with asyncio.timeout(LONGEST_ANSWER_SECONDS):
                await handle(exchange)
            keep_alive = exchange.keep_alive
            earlier_answers += 1

    def _write_down(self, request: WireRequest) -> int:
        # Reading the log must not change it.
        return -1 if request.path == REQUESTS_PATH else self.log.arrive(request)


def _quietly(_: str) -> None:
    """Announce nothing."""


async def serve(
    host: str = "127.0.0.1",
    port: int = 8900,
    posts: int = 100,
    announce: Callable[[str], None] = _quietly,
) -> None:
    """Run a sample upstream until cancelled, interrupted or terminated.

    Its address, such as `http://127.0.0.1:8900`, is announced once it listens.
    """
    upstream = SampleUpstream(posts)
    await upstream.start(host, port)
    announce(upstream.url(""))
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    # Windows and threads other than the main one have no handlers; they are cancelled instead.
    with suppress(NotImplementedError, RuntimeError, ValueError):
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stopping.set)
    try:
        await stopping.wait()
    finally:
        await upstream.stop()
