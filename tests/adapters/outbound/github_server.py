"""A server that plays GitHub as far as tasks need it: scripted answers, and what was asked."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from adapters.memory.database import MemoryDatabase
from adapters.memory.operations import MemoryEvents, MemoryTracer
from adapters.memory.politeness import MemoryBudget
from adapters.memory.system import SeededRandom, SteerableClock
from adapters.outbound.github import GitHubRepositories
from adapters.outbound.polite.client import PoliteClient
from domain.politeness import Rate
from domain.reports import Traffic
from domain.repositories import LookupResult
from tests.adapters.outbound.client_fixture import NO_LIMIT, HurriedClock

HTTPX = {
    "full_name": "encode/httpx",
    "description": "A next generation HTTP client",
    "stargazers_count": 13000,
    "language": "Python",
    "owner": {"login": "encode"},
}


@dataclass
class Reply:
    """One answer."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def wire(self) -> bytes:
        """As it goes over the wire."""
        lines = [f"HTTP/1.1 {self.status} Whatever", f"Content-Length: {len(self.body)}"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        return "\r\n".join([*lines, "", ""]).encode() + self.body


def telling(repository: Any, **headers: str) -> Reply:
    """An answer with this repository."""
    sent = {"Content-Type": "application/json; charset=utf-8", **headers}
    return Reply(200, sent, json.dumps(repository).encode())


@dataclass
class ReadRequest:
    """One request as it came."""

    path: str
    headers: dict[str, str]


class GitHubServer:
    """Gives each path its answers in turn, the last one again and again; "hang" says nothing."""

    def __init__(self) -> None:
        self.replies: dict[str, list[Reply | str]] = {}
        self.asked: list[ReadRequest] = []
        self.url = ""

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection."""
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                first, *lines = head.decode("latin-1").strip().split("\r\n")
                path = first.split()[1]
                pairs = (line.split(": ", 1) for line in lines)
                self.asked.append(ReadRequest(path, {name.lower(): value for name, value in pairs}))
                reply = self._next(path)
                if isinstance(reply, str):
                    await reader.read()
                    return
                writer.write(reply.wire)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def _next(self, path: str) -> Reply | str:
        replies = self.replies.get(path, [Reply(404, {}, b'{"message": "Not Found"}')])
        return replies.pop(0) if len(replies) > 1 else replies[0]


@dataclass
class GitHubStage:
    """The server, and what asks it."""

    server: GitHubServer
    client: PoliteClient
    clock: SteerableClock
    budget: MemoryBudget
    repositories: GitHubRepositories
    traffic: Traffic = field(default_factory=Traffic)

    async def lookup(
        self, name: str = "encode/httpx", known: LookupResult | None = None, seconds: float = 60
    ) -> LookupResult:
        """Look at a repository, with so much time."""
        return await self.repositories.lookup(name, known, self.later(seconds), self.traffic)

    def says(self, *replies: Reply | str, name: str = "encode/httpx") -> None:
        """Let these be the answers for a repository."""
        self.server.replies[f"/repos/{name}"] = list(replies)

    def validators(self) -> list[tuple[str, str | None]]:
        """Return what each request asked for, and under which validator."""
        return [(asked.path, asked.headers.get("if-none-match")) for asked in self.server.asked]

    def later(self, seconds: float) -> datetime:
        """Return the time so many seconds from now."""
        return self.clock.now() + timedelta(seconds=seconds)


@asynccontextmanager
async def github(
    token: str = "", rate: Rate = NO_LIMIT, clock: SteerableClock | None = None, **options: Any
) -> AsyncIterator[GitHubStage]:
    """A running server, and a source that asks it."""
    played = GitHubServer()
    clock = clock or HurriedClock()
    server = await asyncio.start_server(played.answer, "127.0.0.1", 0)
    async with server:
        place = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        played.url = f"http://{place}"
        budget = MemoryBudget(MemoryDatabase(), clock, {}, rate)
        client = PoliteClient(
            budget,
            clock,
            SeededRandom(),
            MemoryEvents(),
            MemoryTracer(),
            allowed_private=frozenset({place}),
            **options,
        )
        repositories = GitHubRepositories(client, f"{played.url}/", token)
        try:
            yield GitHubStage(played, client, clock, budget, repositories)
        finally:
            await client.close()
