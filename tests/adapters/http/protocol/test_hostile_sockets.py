"""The hostile client on a real socket: bytes that no HTTP library sends."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, MutableMapping
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from adapters.memory.system import SteerableClock
from tests.adapters.http.conftest import Serve
from tests.adapters.http.http_fixture import HttpFixture

#: Only a hanging server takes longer.
PATIENCE_S = 10.0
HOST = b"Host: catchment\r\n"
CLOSE = b"Connection: close\r\n\r\n"


async def said(address: str, *pieces: bytes) -> bytes:
    """Return all that the server answers to these bytes until it closes the connection."""
    place = urlsplit(address)
    reader, writer = await asyncio.open_connection(place.hostname, place.port)
    try:
        async with asyncio.timeout(PATIENCE_S):
            writer.writelines(pieces)
            return await reader.read()
    finally:
        writer.close()


def status_of(answer: bytes) -> int:
    """Return the status in the first line of an answer."""
    return int(answer.split(b" ", 2)[1])


async def assert_well(address: str) -> None:
    """Assert that the server still answers other clients."""
    async with httpx.AsyncClient(base_url=address) as client:
        assert (await client.get("/data?limit=1")).status_code == 200


@pytest.fixture
async def impatient(serving: Serve) -> AsyncIterator[str]:
    """Yield the address of an application that waits a tenth of a second for bodies."""
    async with serving(HttpFixture(body_s=0.1)) as address:
        yield address


# ---------------------------------------------------------------- bodies


CHUNKED = b"POST /fetch HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n"


async def test_c09_a_chunked_body_without_end_is_408_and_the_connection_closed(
    impatient: str,
) -> None:
    answer = await said(impatient, CHUNKED, b"1\r\n \r\n" * 10)

    assert status_of(answer) == 408
    assert b"connection: close" in answer
    assert b'"code":"body_too_slow"' in answer


async def test_c09_a_chunked_body_that_grows_too_large_is_413_and_the_connection_closed(
    served: str,
) -> None:
    answer = await said(served, CHUNKED, (b"10000\r\n" + b" " * 65536 + b"\r\n") * 17)

    assert status_of(answer) == 413
    assert b"connection: close" in answer


async def test_c09_an_announced_body_that_is_too_large_is_413_before_it_comes(
    served: str,
) -> None:
    head = b"POST /fetch HTTP/1.1\r\n" + HOST + b"Content-Length: 11000000\r\n\r\n"

    answer = await said(served, head)

    assert status_of(answer) == 413
    assert b"connection: close" in answer


# ---------------------------------------------------------------- framing


@pytest.mark.parametrize(
    "request_",
    [
        b"POST /fetch HTTP/1.1\r\n" + HOST + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
        b"POST /fetch HTTP/1.1\r\n"
        + HOST
        + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /fetch HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        b"POST /fetch HTTP/1.1\r\n" + HOST + b"Content-Length: -1\r\n\r\n{}",
        b"POST /fetch HTTP/1.1\r\n" + HOST + b"Content-Length: 1x\r\n\r\n{}",
        b"GET /data HTTP/1.1\nHost: catchment\n\n",
        b"GET /data HTTP/1.1\r\n" + HOST + b"X-A : a\r\n" + CLOSE,
        b"GET /data HTTP/1.1\r\n" + HOST + b"X-A: a\r\n folded\r\n" + CLOSE,
        b"GET /data HTTP/1.1\r\n" + HOST + b"X-A: a\rb\r\n" + CLOSE,
        b"GET /data HTTP/1.1\r\n" + HOST + b"X-A: \x00\r\n" + CLOSE,
        b"GET /data HTTP/1.1\r\n" + CLOSE,
        b"GET /data HTTP/1.1\r\nHost: a\r\nHost: b\r\n" + CLOSE,
        b"GET /data?\xff=1 HTTP/1.1\r\n" + HOST + CLOSE,
        b"GET /data?x=\x00 HTTP/1.1\r\n" + HOST + CLOSE,
        b"GET /data HTTP/9.9\r\n" + HOST + CLOSE,
        b"CONNECT evil.example:443 HTTP/1.1\r\n" + HOST + CLOSE,
        b"FOO /data HTTP/1.1\r\n" + HOST + CLOSE,
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ],
)
async def test_c10_ambiguous_framing_is_400_and_the_connection_closed(
    served: str, request_: bytes
) -> None:
    answer = await said(served, request_)

    assert status_of(answer) == 400
    assert b"content-type: application/problem+json" in answer
    assert b"connection: close" in answer
    await assert_well(served)


async def test_c10_a_body_shorter_than_announced_is_not_waited_for(impatient: str) -> None:
    head = b"POST /fetch HTTP/1.1\r\n" + HOST + b"Content-Length: 100\r\n\r\n{}"

    answer = await said(impatient, head)

    assert status_of(answer) == 408
    assert b"connection: close" in answer


async def test_c10_a_body_longer_than_announced_is_the_next_request(served: str) -> None:
    first = b"POST /fetch HTTP/1.1\r\n" + HOST + b"Content-Length: 0\r\n\r\n"
    second = b"GET /nothing HTTP/1.1\r\n" + HOST + CLOSE

    answer = await said(served, first + second)

    assert answer.count(b"HTTP/1.1 200 ") == 1
    assert answer.count(b"HTTP/1.1 404 ") == 1


# ---------------------------------------------------------------- sizes


@pytest.mark.parametrize(
    ("request_", "statuses"),
    [
        (b"GET /data HTTP/1.1\r\n" + HOST + b"X-A: " + b"a" * 100_000 + b"\r\n" + CLOSE, {431}),
        (b"GET /data HTTP/1.1\r\n" + HOST + b"X-A: a\r\n" * 1000 + CLOSE, {431}),
        (b"GET /data?" + b"a" * 20_000 + b" HTTP/1.1\r\n" + HOST + CLOSE, {414}),
        (b"GET /data?" + b"a" * 70_000 + b" HTTP/1.1\r\n" + HOST + CLOSE, {414}),
    ],
)
async def test_c12_too_much_before_the_body_is_refused(
    served: str, request_: bytes, statuses: set[int]
) -> None:
    answer = await said(served, request_)

    assert status_of(answer) in statuses
    await assert_well(served)


# ---------------------------------------------------------------- many


async def test_c13_a_thousand_requests_at_once_get_a_thousand_answers(served: str) -> None:
    one = b"GET /health/live HTTP/1.1\r\n" + HOST + b"\r\n"
    last = b"GET /health/live HTTP/1.1\r\n" + HOST + CLOSE

    answer = await said(served, one * 999, last)

    assert answer.count(b"HTTP/1.1 200 OK") == 1000


async def test_c13_clients_that_reset_leave_nothing_behind(
    served: str, logged: list[MutableMapping[str, Any]]
) -> None:
    before = len(asyncio.all_tasks())
    asked = b"GET /data?format=ndjson HTTP/1.1\r\n" + HOST + b"\r\n"
    unfinished = b"POST /fetch HTTP/1.1\r\n" + HOST + b"Content-Length: 9\r\n\r\n{"

    for number in range(500):
        await asyncio.to_thread(reset, served, unfinished if number % 2 else asked)
    await assert_well(served)

    async with asyncio.timeout(PATIENCE_S):
        while len(asyncio.all_tasks()) > before:
            await SteerableClock().settle()
    assert logged == []


def reset(address: str, request: bytes) -> None:
    """Send a request and reset the connection."""
    place = urlsplit(address)
    with socket.create_connection((place.hostname, place.port)) as connection:
        connection.sendall(request)
        linger = struct.pack("ii", 1, 0)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)


# ---------------------------------------------------------------- upgrades


WEBSOCKET = (
    b"Upgrade: websocket\r\nConnection: Upgrade, close\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


@pytest.mark.parametrize("path", [b"/", b"/data", b"/fetch", b"/health", b"/docs", b"/nothing"])
async def test_c42_no_route_is_upgraded(served: str, path: bytes) -> None:
    answer = await said(served, b"GET " + path + b" HTTP/1.1\r\n" + HOST + WEBSOCKET)

    assert status_of(answer) in (400, 426)
    assert b"101 " not in answer
    await assert_well(served)


async def test_c42_an_offer_of_http_2_is_passed_over(served: str) -> None:
    offer = (
        b"Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings, close\r\nHTTP2-Settings: AA\r\n\r\n"
    )

    answer = await said(served, b"GET /data?limit=1 HTTP/1.1\r\n" + HOST + offer)

    assert status_of(answer) == 200


BODY = b'{"title":"a","repository":"a/b"}'
FRAMED = {
    "a length": b"Content-Length: %d\r\n\r\n%b" % (len(BODY), BODY),
    "chunks": b"Transfer-Encoding: chunked\r\n\r\n5\r\n%b\r\n%x\r\n%b\r\n0\r\n\r\n"
    % (BODY[:5], len(BODY) - 5, BODY[5:]),
}


@pytest.mark.parametrize("cut", ["whole", "behind the headers", "in pieces"])
@pytest.mark.parametrize("framed", FRAMED)
@pytest.mark.parametrize(
    "offer",
    [
        b"Upgrade: TLS/1.2\r\nConnection: Upgrade\r\n",
        b"Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AA\r\n",
    ],
)
async def test_c42_a_body_arrives_though_an_upgrade_was_offered_with_it(
    served: str, offer: bytes, framed: str, cut: str
) -> None:
    head, _, body = FRAMED[framed].partition(b"\r\n\r\n")
    first = b"POST /tasks HTTP/1.1\r\n" + HOST + offer + b"Content-Type: application/json\r\n"
    first += head + b"\r\n\r\n"
    after = b"GET /health/live HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n"
    pieces = {
        "whole": [first + body + after],
        "behind the headers": [first, body + after],
        "in pieces": [first[:60], first[60:] + body[:3], body[3:9], body[9:], after],
    }[cut]
    place = urlsplit(served)
    reader, writer = await asyncio.open_connection(place.hostname, place.port)

    for piece in pieces:
        writer.write(piece)
        await writer.drain()
        await SteerableClock().settle()
    answers = await asyncio.wait_for(reader.read(), 10)
    writer.close()

    assert answers.count(b"HTTP/1.1 201 ") == answers.count(b"HTTP/1.1 200 ") == 1
    assert answers.index(b"HTTP/1.1 201 ") == 0
    assert answers.endswith(b'{"status":"ok"}')
