"""One request with its connection: correct answers, raw bytes, resets."""

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from email.utils import format_datetime
from functools import cached_property

import msgspec

from entrypoints.sample_upstream.documents import Document, Record
from entrypoints.sample_upstream.state import UpstreamState
from entrypoints.sample_upstream.wire import Headers, WireRequest, head

JSON = "application/json; charset=utf-8"
PIECE_BYTES = 256 * 1024
MOST_POURED_BYTES = 1024**3
BODYLESS = frozenset({204, 304})
NO_LINGER = struct.pack("ii", 1, 0)


class Exchange:
    """One request of a handler, and the ways to answer it.

    `turn` is the number of this request to its fault since `forget`, `earlier_answers` the number
    of earlier requests on this connection. The routes set `subject` and `path`, the path without
    the fault, if a subject is requested.
    """

    subject: "Subject"
    path: str

    def __init__(
        self,
        request: WireRequest,
        state: UpstreamState,
        streams: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        number: int,
        earlier_answers: int = 0,
    ) -> None:
        self.request = request
        self.state = state
        self.turn = 1
        self.earlier_answers = earlier_answers
        self.keep_alive = request.keep_alive
        self._reader, self._writer = streams
        self._number = number

    @property
    def records(self) -> list[Record]:
        """Return the posts being served."""
        return self.state.collection().records

    @property
    def first_record(self) -> Record:
        """Return the first post, or an empty record when there are none."""
        return next(iter(self.records), {})

    @cached_property
    def document(self) -> Document:
        """Return the requested document, built once: it is the same until the answer ends."""
        return self.subject.document(self)

    @property
    def body(self) -> bytes:
        """Return the body of the requested document."""
        return self.document.body

    @property
    def port(self) -> int:
        """Return the port this server listens on."""
        address: tuple[str, int] = self._writer.get_extra_info("sockname")
        return address[1]

    async def serve(self) -> None:
        """Answer correctly with the requested document."""
        await self.subject.serve(self)

    async def show(self, body: bytes, headers: Headers = ()) -> None:
        """Answer 200 with a body, under the content type of the subject."""
        await self.answer(200, body, headers, self.subject.content_type)

    async def answer(
        self,
        status: int = 200,
        body: bytes = b"",
        headers: Headers = (),
        content_type: str = JSON,
        holds: bool = False,
    ) -> None:
        """Send a correct answer; if it `holds`, it waits half-way while the state is held."""
        if status in BODYLESS:
            start = self.head(status, headers)
        else:
            described = [("Content-Type", content_type), ("Content-Length", str(len(body)))]
            start = self.head(status, [*described, *headers])
        if status in BODYLESS or self.request.method == "HEAD":
            await self.send(start)
            return
        if holds and self.state.is_held:
            middle = len(body) // 2
            await self.send(start + body[:middle])
            await self.state.released()
            start, body = b"", body[middle:]
        await self._send_all(start, body)

    def head(self, status: int, headers: Headers) -> bytes:
        """Return a response head with a date, and record its status as sent.

        A `Date` or `Connection` among the headers replaces the default.
        """
        self.state.log.note_status(self._number, status)
        listed = list(headers)
        names = {name.lower() for name, _ in listed}
        if "date" not in names:
            listed.append(("Date", self.date()))
        if "connection" not in names:
            listed.append(("Connection", "keep-alive" if self.keep_alive else "close"))
        return head(status, listed)

    def date(self, later: timedelta = timedelta()) -> str:
        """Return the state's time, or some time later, as an HTTP date."""
        return http_date(self.state.now() + later)

    async def send(self, data: bytes | memoryview) -> None:
        """Send raw bytes; raise ConnectionError once the client has left."""
        self._writer.write(data)
        await self._writer.drain()

    async def pour(self, data: bytes) -> None:
        """Send the same bytes repeatedly until the client leaves, or 1 GiB has been sent."""
        for _ in range(MOST_POURED_BYTES // len(data)):
            await self.send(data)
            # A fast client never makes `drain` wait, and would starve other tasks.
            await asyncio.sleep(0)

    async def drip(self, data: bytes) -> None:
        """Send one byte at a time with the state's pause between them."""
        for index in range(len(data)):
            await self.send(data[index : index + 1])
            await self.pause()

    async def pause(self) -> None:
        """Wait for the state's `drip_seconds`."""
        await asyncio.sleep(self.state.drip_seconds)

    async def silence(self) -> None:
        """Send nothing more until the client leaves."""
        self.keep_alive = False
        while await self._reader.read(PIECE_BYTES):
            pass

    def reset(self) -> None:
        """Reset the connection with a TCP RST instead of closing it."""
        self.keep_alive = False
        connection = self._writer.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
        self._writer.transport.abort()

    async def _send_all(self, start: bytes, body: bytes) -> None:
        if len(body) <= PIECE_BYTES:
            await self.send(start + body)
            return
        await self.send(start)
        for offset in range(0, len(body), PIECE_BYTES):
            await self.send(memoryview(body)[offset : offset + PIECE_BYTES])


Handler = Callable[[Exchange], Awaitable[None]]


class Subject(msgspec.Struct, frozen=True):
    """One resource, with the functions that serve it correctly or with a fault.

    `document` returns its body, `respell` its body with exactly these bytes, quotes included, in
    place of one text. `pattern` matches its paths, and `path` is one of them.
    """

    name: str
    path: str
    pattern: str
    description: str
    document: Callable[[Exchange], Document]
    serve: Handler
    respell: Callable[[Exchange, bytes], bytes]
    content_type: str = JSON


def http_date(time: datetime) -> str:
    """Return a UTC time as an HTTP date."""
    return format_datetime(time, usegmt=True)
