"""Faults of connections, framing and compression, as they look on the wire."""

import asyncio
import gzip
import json
import zlib

import httpx
import pytest

from entrypoints.upstream import SampleUpstream
from tests.entrypoints.upstream.raw_http import Connect, ReadToEnd, body_of, declared_length


async def test_the_headers_come_byte_by_byte(connect: Connect, upstream: SampleUpstream) -> None:
    reader, _ = await connect(upstream.fault_url("U18-header-drip"))

    assert len(await reader.read(1000)) < 10
    assert (await reader.readuntil(b"\r\n\r\n")).endswith(b"keep-alive\r\n\r\n")
    assert await reader.readexactly(len(upstream.collection().whole.body))


async def test_the_body_comes_byte_by_byte(connect: Connect, upstream: SampleUpstream) -> None:
    reader, _ = await connect(upstream.fault_url("U18-body-drip"))
    await reader.readuntil(b"\r\n\r\n")

    pieces = [await reader.read(1000) for _ in range(3)]

    assert all(len(piece) < 10 for piece in pieces)
    assert b"".join(pieces).startswith(b"[{")


async def test_the_body_stalls_near_its_end(connect: Connect, upstream: SampleUpstream) -> None:
    whole = upstream.collection().whole.body
    reader, _ = await connect(upstream.fault_url("U18-stall"))
    await reader.readuntil(b"\r\n\r\n")

    assert await reader.readexactly(len(whole) * 9 // 10) == whole[: len(whole) * 9 // 10]
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(reader.read(1), 0.05)


async def test_a_request_can_stay_unanswered(connect: Connect, upstream: SampleUpstream) -> None:
    reader, _ = await connect(upstream.fault_url("U19"))

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(reader.read(1), 0.05)
    assert upstream.requests[0].status is None


async def test_the_connection_is_reset_in_the_body(
    read_to_end: ReadToEnd, upstream: SampleUpstream
) -> None:
    with pytest.raises(ConnectionResetError):
        await read_to_end(upstream.fault_url("U20-reset"))
    assert upstream.requests[0].status == 200


async def test_the_connection_is_closed_unanswered(
    read_to_end: ReadToEnd, upstream: SampleUpstream
) -> None:
    assert await read_to_end(upstream.fault_url("U20-close")) == b""


async def test_a_broken_connection_can_recover(
    client: httpx.AsyncClient, upstream: SampleUpstream
) -> None:
    for name in ("U20-reset-then-ok", "U20-close-then-ok"):
        for _ in range(2):
            with pytest.raises(httpx.TransportError):
                await client.get(upstream.fault_url(name))

        assert len((await client.get(upstream.fault_url(name))).json()) == 100


@pytest.mark.parametrize("name", ["U20-garbage", "U20-huge-header"])
async def test_the_head_is_not_readable(
    client: httpx.AsyncClient, upstream: SampleUpstream, name: str
) -> None:
    with pytest.raises(httpx.RemoteProtocolError):
        await client.get(upstream.fault_url(name))


async def test_a_kept_connection_is_closed_when_used_again(
    client: httpx.AsyncClient, upstream: SampleUpstream
) -> None:
    url = upstream.fault_url("U21")
    assert (await client.get(url)).status_code == 200

    with pytest.raises(httpx.RemoteProtocolError):
        await client.get(url)
    assert (await client.get(url)).status_code == 200
    assert [request.status for request in upstream.requests] == [200, None, 200]


async def test_the_connection_is_closed_against_the_promise(
    read_to_end: ReadToEnd, upstream: SampleUpstream
) -> None:
    raw = await read_to_end(upstream.fault_url("U21-after-answer"))

    assert b"Connection: keep-alive\r\n" in raw
    assert len(json.loads(body_of(raw))) == 100


@pytest.mark.parametrize("name", ["U22-100", "U22-103"])
async def test_interim_answers_never_end(
    connect: Connect, upstream: SampleUpstream, name: str
) -> None:
    reader, _ = await connect(upstream.fault_url(name))

    raw = await reader.readexactly(2_000_000)

    assert raw.count(b"HTTP/1.1 1") > 10_000
    assert b"HTTP/1.1 2" not in raw


async def test_one_early_hint_is_no_harm(
    client: httpx.AsyncClient, upstream: SampleUpstream
) -> None:
    answer = await client.get(upstream.fault_url("U22-103-once"))

    assert len(answer.json()) == 100


async def test_a_late_answer_is_right(client: httpx.AsyncClient, upstream: SampleUpstream) -> None:
    upstream.drip_seconds = 0.03

    answer = await client.get(upstream.fault_url("U40"))

    assert len(answer.json()) == 100
    assert answer.elapsed.total_seconds() >= 0.03


async def test_the_body_is_shorter_than_declared(
    read_to_end: ReadToEnd, upstream: SampleUpstream
) -> None:
    raw = await read_to_end(upstream.fault_url("U11"))

    assert len(body_of(raw)) == declared_length(raw) // 2


async def test_the_body_is_longer_than_declared(connect: Connect, upstream: SampleUpstream) -> None:
    reader, _ = await connect(upstream.fault_url("U12"))
    length = declared_length(await reader.readuntil(b"\r\n\r\n"))

    assert len(json.loads(await reader.readexactly(length))) == 100
    assert (await reader.read(100)).startswith(b"[")


async def test_the_body_ends_half_way_without_a_length(
    read_to_end: ReadToEnd, upstream: SampleUpstream
) -> None:
    raw = await read_to_end(upstream.fault_url("U13"))

    whole = upstream.collection().whole.body
    assert b"Content-Length" not in raw
    assert body_of(raw) == whole[: len(whole) // 2]


async def test_the_chunks_end_half_way(client: httpx.AsyncClient, upstream: SampleUpstream) -> None:
    with pytest.raises(httpx.RemoteProtocolError):
        await client.get(upstream.fault_url("U13-chunked"))


@pytest.mark.parametrize("name", ["U17", "U17-chunked", "U17-declared"])
async def test_the_body_never_ends(
    client: httpx.AsyncClient, upstream: SampleUpstream, name: str
) -> None:
    received = 0
    async with client.stream("GET", upstream.fault_url(name)) as answer:
        async for piece in answer.aiter_raw():
            received += len(piece)
            if received > 4_000_000:
                break

    assert received > 4_000_000


async def test_the_gzip_data_is_cut_and_the_length_agrees(
    client: httpx.AsyncClient, upstream: SampleUpstream
) -> None:
    async with client.stream("GET", upstream.fault_url("U14")) as answer:
        raw = b"".join([piece async for piece in answer.aiter_raw()])

    unpacking = zlib.decompressobj(31)
    assert unpacking.decompress(raw)
    assert not unpacking.eof


@pytest.mark.parametrize("name", ["U15-corrupt", "U15-plain"])
async def test_the_gzip_data_is_bad(
    client: httpx.AsyncClient, upstream: SampleUpstream, name: str
) -> None:
    with pytest.raises(httpx.DecodingError):
        await client.get(upstream.fault_url(name))


@pytest.mark.parametrize(("name", "layers"), [("U16-single", 1), ("U16-double", 2)])
async def test_a_small_body_unpacks_to_256_mebibytes(
    client: httpx.AsyncClient, upstream: SampleUpstream, name: str, layers: int
) -> None:
    async with client.stream("GET", upstream.fault_url(name)) as answer:
        raw = b"".join([piece async for piece in answer.aiter_raw()])

    assert answer.headers["content-encoding"] == ", ".join(["gzip"] * layers)
    for _ in range(layers - 1):
        raw = gzip.decompress(raw)
    assert len(raw) < 500_000
    assert unpacked_bytes(raw) == 256 * 1024**2 + 2


def unpacked_bytes(raw: bytes) -> int:
    unpacking, total = zlib.decompressobj(31), 0
    while not unpacking.eof:
        total += len(unpacking.decompress(raw, 2**24))
        raw = unpacking.unconsumed_tail
    return total


@pytest.mark.parametrize(
    ("name", "encoding", "start"),
    [("U16-zstd", "zstd", bytes.fromhex("28b52ffd")), ("U16-br", "br", b"[{")],
)
async def test_the_encoding_is_one_nobody_asked_for(
    client: httpx.AsyncClient, upstream: SampleUpstream, name: str, encoding: str, start: bytes
) -> None:
    async with client.stream("GET", upstream.fault_url(name)) as answer:
        raw = b"".join([piece async for piece in answer.aiter_raw()])

    assert answer.headers["content-encoding"] == encoding
    assert raw.startswith(start)
