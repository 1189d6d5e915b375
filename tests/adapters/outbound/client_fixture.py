"""What the tests of the sources share: a hurried clock, and one source on the sample upstream."""

import asyncio
import socket
import ssl
import struct
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Self

from adapters.memory.database import MemoryDatabase
from adapters.memory.datasets import MemoryStore
from adapters.memory.ingest import MemoryIntakes
from adapters.memory.jobs import MemoryJobs
from adapters.memory.operations import MemoryEvents
from adapters.memory.politeness import MemoryBudget
from adapters.memory.system import SeededRandom, SteerableClock
from adapters.outbound.builtin.posts import jsonplaceholder
from adapters.outbound.polite.client import PoliteClient
from adapters.outbound.polite.messages import (
    NO_RULES,
    HostRules,
    NotModified,
    UpstreamResponse,
    Validators,
)
from adapters.outbound.polite.urls import parse
from adapters.outbound.sources import HttpSource
from adapters.system.traces import NoTracer
from application.ingest.sync_source import SourceSync
from application.ports.ingest import Source
from application.ports.operations import Tracer
from domain.builtin.posts import POSTS, Post
from domain.dataset import Dataset
from domain.errors import SourceError
from domain.jobs import FetchJob
from domain.politeness import Host, Rate
from domain.reports import SourceReport, Traffic
from entrypoints.sample_upstream import SampleUpstream

NO_LIMIT = Rate(1_000_000, 1.0)


class HurriedClock(SteerableClock):
    """A clock that nobody waits for: sleeping moves it on at once, and is written down."""

    def __init__(self) -> None:
        super().__init__()
        self.slept: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.advance(seconds)
        await asyncio.sleep(0)


@dataclass
class Failed:
    """How a question failed, and what it cost."""

    error: SourceError
    traffic: Traffic
    elapsed_s: float

    @property
    def kind(self) -> tuple[str, str]:
        """The class and the code of the error."""
        return type(self.error).__name__, self.error.code


@dataclass
class ClientFixture:
    """A client and everything it works with; `upstream` plays the other side."""

    upstream: SampleUpstream
    clock: SteerableClock
    client: PoliteClient
    budget: MemoryBudget
    database: MemoryDatabase
    events: MemoryEvents
    named: str = "127.0.0.1"
    random: SeededRandom = field(default_factory=SeededRandom)

    @property
    def port(self) -> int:
        """The upstream's port."""
        return int(self.upstream.url("").rpartition(":")[2])

    @property
    def key(self) -> str:
        """The upstream as the budget knows it."""
        return f"{self.named}:{self.port}"

    async def host(self) -> Host:
        """What the budget remembers about the upstream."""
        return await self.budget.state(self.key)

    def url(self, fault: str) -> str:
        """The posts with a fault, the path of a proper answer, or a whole address as it is."""
        if "://" in fault:
            return fault
        url = self.upstream.url(fault) if "/" in fault else self.upstream.fault_url(fault)
        return url.replace("127.0.0.1", self.named)

    async def get(
        self,
        fault: str,
        seconds: float = 60,
        traffic: Traffic | None = None,
        headers: Mapping[str, str] | None = None,
        rules: HostRules = NO_RULES,
        **validators: Any,
    ) -> UpstreamResponse | NotModified:
        """Ask for a fault, or for a path, with so much time."""
        url, deadline = parse(self.url(fault)), self.clock.now() + timedelta(seconds=seconds)
        known = Validators(**{"url": url.text, **validators}) if validators else None
        return await self.client.get(
            url,
            deadline,
            Traffic() if traffic is None else traffic,
            known,
            headers=headers or {},
            rules=rules,
        )

    async def answer(self, fault: str, seconds: float = 60, **validators: Any) -> UpstreamResponse:
        """The same, for an answer with a body."""
        answer = await self.get(fault, seconds, **validators)
        assert isinstance(answer, UpstreamResponse)
        return answer

    async def fail(self, fault: str, seconds: float = 60, **validators: Any) -> Failed:
        """Ask for what cannot be had."""
        traffic, began = Traffic(), time.monotonic()
        try:
            await self.get(fault, seconds, traffic, **validators)
        except SourceError as error:
            return Failed(error, traffic, time.monotonic() - began)
        raise AssertionError(f"{fault} did not fail")

    async def fetch(
        self, fault: str, seconds: float = 60, source: Source[Post] | None = None
    ) -> SourceReport:
        """Fetch the posts into the memory store, as every fetch does."""
        source = source or HttpSource(jsonplaceholder(self.url(fault)), self.client)
        return await self.gather(POSTS, source, seconds)

    async def gather(
        self, dataset: Dataset[Any], source: Source[Any], seconds: float = 60
    ) -> SourceReport:
        """Fetch any dataset from a source."""
        jobs, store = MemoryJobs(self.database, self.clock), MemoryStore(self.database)
        job = await jobs.request(
            FetchJob(id=self.random.identifier(), dataset=dataset.name, queued_at=self.clock.now())
        )
        claimed = await jobs.claim(job.id)
        assert claimed is not None
        intakes = MemoryIntakes(self.database, self.clock)
        known = (await store.freshness(dataset)).of(source.name)
        deadline = self.clock.now() + timedelta(seconds=seconds)
        sync = SourceSync(dataset, source, intakes, self.clock, self.events, NoTracer())
        report = await sync(claimed, known, deadline)
        del self.database.jobs[job.id]
        return report

    def records(self, dataset: Dataset[Any]) -> list[Any]:
        """The stored records of any dataset."""
        return [row.record for row in self.database.tables[dataset.name].rows.values()]

    @property
    def posts(self) -> dict[int, Post]:
        """The stored posts by id."""
        rows = self.database.tables[POSTS.name].rows.values()
        return {row.record.id: row.record for row in rows}

    @property
    def rejections(self) -> list[tuple[str, str]]:
        """Where the rejected records of any dataset stood, and why they were."""
        kept = [found for each in self.database.quarantine.values() for found in each.values()]
        return [(rejected.pointer, rejected.reason) for rejected in kept]


@asynccontextmanager
async def open_client(
    clock: SteerableClock | None = None,
    rate: Rate = NO_LIMIT,
    named: str = "127.0.0.1",
    allowed_private: frozenset[str] | None = None,
    tracer: Tracer | None = None,
    **options: Any,
) -> AsyncIterator[ClientFixture]:
    """A running upstream, `named` so, and a client that may ask it unless told otherwise."""
    clock, database = clock or HurriedClock(), MemoryDatabase()
    async with SampleUpstream() as upstream:
        upstream.now = clock.now
        budget = MemoryBudget(database, clock, {}, rate)
        events = MemoryEvents()
        client = PoliteClient(
            budget,
            clock,
            SeededRandom(),
            events,
            tracer or NoTracer(),
            allowed_private=frozenset({f"{named}:{upstream.url('').rpartition(':')[2]}"})
            if allowed_private is None
            else allowed_private,
            **options,
        )
        try:
            yield ClientFixture(upstream, clock, client, budget, database, events, named)
        finally:
            await client.close()


class Answering:
    """A server that gives its replies one after the other, and the last one ever after."""

    def __init__(self, *replies: bytes, tls: ssl.SSLContext | None = None) -> None:
        self.replies = [*replies]
        self._tls = tls
        self.heads: list[bytes] = []
        self.place = ""

    def url(self, path: str) -> str:
        """Where something of it is."""
        return f"http://{self.place}{path}"

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            self.heads.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(self.replies.pop(0) if len(self.replies) > 1 else self.replies[0])
            await writer.drain()
        finally:
            writer.close()

    async def __aenter__(self) -> Self:
        """Start it on a free port."""
        self._server = await asyncio.start_server(self._answer, "127.0.0.1", 0, ssl=self._tls)
        self.place = f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop it."""
        self._server.close()
        await self._server.wait_closed()


def reply(body: bytes, *headers: str, status: str = "200 OK", bounded: bool = True) -> bytes:
    """A reply that ends where it says, or else where the connection does."""
    length = [f"Content-Length: {len(body)}"] if bounded else []
    lines = [f"HTTP/1.1 {status}", "Connection: close", *length, *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


@asynccontextmanager
async def replying(
    reply: bytes, tls: ssl.SSLContext | None = None, then_reset: bool = False
) -> AsyncIterator[str]:
    """A server that says these bytes to whoever asks, as "host:port"; asking twice may break it."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.read(64 * 1024)
            writer.write(reply)
            if await reader.read(64 * 1024) and then_reset:
                _reset(writer)
        except (ConnectionError, ssl.SSLError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=tls)
    async with server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"


def _reset(writer: asyncio.StreamWriter) -> None:
    connection: socket.socket = writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
