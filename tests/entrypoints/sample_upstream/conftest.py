"""Fixtures: a running sample upstream, a client, and one that reads raw bytes."""

import asyncio
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import httpx
import pytest

from entrypoints.sample_upstream import SampleUpstream
from tests.entrypoints.sample_upstream.raw_http import (
    NO_CERTIFICATES,
    PATIENCE_SECONDS,
    Connect,
    ReadToEnd,
    Streams,
)


@pytest.fixture
async def upstream() -> AsyncIterator[SampleUpstream]:
    async with SampleUpstream() as running:
        running.drip_seconds = 0.001
        yield running


@pytest.fixture
async def client(upstream: SampleUpstream) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(
        base_url=upstream.url(""), timeout=PATIENCE_SECONDS, verify=NO_CERTIFICATES
    ) as running:
        yield running


@pytest.fixture
async def connect(upstream: SampleUpstream) -> AsyncIterator[Connect]:
    writers: list[asyncio.StreamWriter] = []

    async def send_request(url: str, header: str = "X-Nothing: 0", method: str = "GET") -> Streams:
        address = urlsplit(url)
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        writers.append(writer)
        start = f"{method} {address.path} HTTP/1.1\r\nHost: {address.netloc}"
        writer.write(f"{start}\r\n{header}\r\n\r\n".encode())
        return reader, writer

    yield send_request
    for writer in writers:
        writer.transport.abort()
    await asyncio.sleep(0)


@pytest.fixture
def read_to_end(connect: Connect) -> ReadToEnd:
    async def read(url: str) -> bytes:
        reader, _ = await connect(url)
        return await asyncio.wait_for(reader.read(-1), PATIENCE_SECONDS)

    return read
