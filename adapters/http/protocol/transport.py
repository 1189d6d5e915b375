"""The writing side of a connection: flow control, unread responses, and closing."""

import asyncio
from collections.abc import Callable
from typing import Any

from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

#: A client that reads nothing of its response for this long is disconnected.
UNREAD_S = 30.0


class HeldFlow(FlowControl):
    """Flow control whose reading stays paused while a pipelined request waits."""

    _is_held = False

    def hold(self) -> None:
        """Pause reading until `release`, even if the current request asks for more."""
        self._is_held = True
        self.pause_reading()

    def release(self) -> None:
        """Resume reading."""
        self._is_held = False
        self.resume_reading()

    def resume_reading(self) -> None:
        """Resume reading unless it is held."""
        if not self._is_held:
            super().resume_reading()


class UnreadWatch:
    """A watch that aborts a connection whose client reads nothing of a response for UNREAD_S."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._timer: asyncio.TimerHandle | None = None

    def watch(self) -> None:
        """Check after UNREAD_S whether any of the unsent data was read, and so on."""
        self.stop()
        unsent = self._transport.get_write_buffer_size()
        if unsent:
            self._timer = self._loop.call_later(UNREAD_S, self._check, unsent)

    def stop(self) -> None:
        """Stop checking."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _check(self, unsent: int) -> None:
        # A slow client makes progress, and is kept.
        if self._transport.get_write_buffer_size() < unsent:
            self.watch()
        else:
            self._transport.abort()


class GentleTransport(asyncio.Transport):
    """A transport that calls `close` in place of closing, for requests that are still arriving.

    Closing a socket with unread data resets the connection, and the client may lose the response.
    """

    def __init__(self, transport: asyncio.Transport, close: Callable[[], None]) -> None:
        super().__init__()
        self._transport = transport
        self._close = close

    def write(self, data: Any) -> None:
        """Write to the connection."""
        self._transport.write(data)

    def is_closing(self) -> bool:
        """Return whether the connection is closing."""
        return self._transport.is_closing()

    def close(self) -> None:
        """Close the connection in the given way."""
        self._close()


class UntilClosedCycle(RequestResponseCycle):
    """A response to HTTP/1.0, which has no chunks: without a length it ends with the connection."""

    _has_length = True

    async def send(self, message: Any) -> None:
        """Send one message of the response."""
        if message["type"] == "http.response.start":
            names = {name.lower() for name, _ in message.get("headers", ())}
            self._has_length = b"content-length" in names
            if not self._has_length:
                self.chunked_encoding = False
        elif not self._has_length:
            self.expected_content_length = len(message.get("body", b""))
        await super().send(message)
