"""An operator for tests: a real HTTP server that takes alerts, or answers what it is told to."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

PATH = "/services/a-token?key=another-token"


class Heard(NamedTuple):
    """One request: its first line, its headers in lower case, its body."""

    line: str
    headers: dict[str, str]
    body: Any


class Operator:
    """Remembers every request; `replies` are what it says to the next ones, 204 after that.

    An empty reply hangs up without an answer.
    """

    def __init__(self) -> None:
        self.heard: list[Heard] = []
        self.replies: list[bytes] = []
        self.port = 0

    @property
    def url(self) -> str:
        """Where it takes alerts."""
        return f"http://127.0.0.1:{self.port}{PATH}"

    @property
    def host(self) -> str:
        """The same as a budget knows it."""
        return f"127.0.0.1:{self.port}"

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take one request."""
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            line, *fields = head.strip().split("\r\n")
            headers = {n.lower(): v for n, v in (field.split(": ", 1) for field in fields)}
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            self.heard.append(Heard(line, headers, json.loads(body)))
            plain = b"HTTP/1.1 204 No Content\r\n\r\n"
            writer.write(self.replies.pop(0) if self.replies else plain)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


def status(line: str, *headers: str) -> bytes:
    """A reply with this status, these headers and no body."""
    head = [f"HTTP/1.1 {line}", *headers, "Content-Length: 0"]
    return "\r\n".join([*head, "", ""]).encode()


@asynccontextmanager
async def operator() -> AsyncIterator[Operator]:
    """An operator that listens."""
    listening = Operator()
    server = await asyncio.start_server(listening.answer, "127.0.0.1", 0)
    async with server:
        listening.port = server.sockets[0].getsockname()[1]
        yield listening
