"""P33: no client can exhaust memory, or keep others waiting, whatever it sends or leaves unread."""

import asyncio
import contextlib
import re
import socket
import time
from collections.abc import Callable, Iterator
from itertools import repeat
from pathlib import Path
from typing import NamedTuple

from tests.prove.clients import client
from tests.prove.crew import Member, crew
from tests.prove.figures import Figure, reported
from tests.prove.servers import Servers

#: What may be sent in one flood, and how long a flood goes on, at the most.
MOST_SENT, FLOOD_S = 200 * 1024 * 1024, 8.0
PIPELINED = 40 * 1024 * 1024
GROWN_MB, WAIT_S = 50, 1.0
DRIPPING, DRIP_S, CLOSED_S = 100, 0.5, 20.0

_PIECE = 64 * 1024
_GET = b"GET /data?limit=100 HTTP/1.1\r\nHost: localhost\r\n"
_CHUNKED = _GET + b"Transfer-Encoding: chunked\r\n\r\n"
_POST = b"POST /fetch HTTP/1.1\r\nHost: localhost\r\n"


class Flood(NamedTuple):
    """What one client sends: a beginning, then the same again and again."""

    start: bytes
    again: bytes
    most: int = MOST_SENT


FLOODS = {
    "headers": Flood(_GET, b"X-A: " + b"a" * 1000 + b"\r\n"),
    "header": Flood(_GET + b"X-A: ", b"a" * 1000),
    "header_name": Flood(_GET, b"a" * 1000),
    "url": Flood(b"GET /data?", b"a" * 1000),
    "empty_lines": Flood(b"", b"\r\n" * 500),
    "trailers": Flood(_CHUNKED + b"0\r\n", b"X-A: " + b"a" * 1000 + b"\r\n"),
    "trailer": Flood(_CHUNKED + b"0\r\nX-A: ", b"a" * 1000),
    "extension": Flood(_CHUNKED + b"1;a=", b"a" * 1000),
    "unread_body": Flood(_CHUNKED, b"3e8\r\n" + b"a" * 1000 + b"\r\n"),
    "body": Flood(
        _POST + b"Transfer-Encoding: chunked\r\n\r\n", b"3e8\r\n" + b"a" * 1000 + b"\r\n"
    ),
    "pipelined": Flood(b"", _GET + b"\r\n", PIPELINED),
    "pipelined_writes": Flood(b"", _POST + b"Content-Length: 0\r\n\r\n", PIPELINED),
}
DRIPS = {
    "nothing": (b"", b""),
    "head": (_GET, b"X-A: a\r\n"),
    "body": (_POST + b"Content-Length: 1000\r\n\r\n", b" "),
    "unread_body": (_GET + b"Content-Length: 1000\r\n\r\n", b" "),
}


async def prove(servers: Servers) -> Figure:
    """Send each flood, then many drips at once, and look at memory and at what others get."""
    async with crew() as hired:
        api = await hired.api()
        async with client(api.url) as asking:
            (await asking.post("/fetch")).raise_for_status()
            await slowest(api.url, _pausing(0.5))
        seen = {name: await _flooded(api, flood) for name, flood in FLOODS.items()}
        closed_s, wait_s = await _dripped(api)
        alive = api.restarts == 0
    for name, (grown_mb, waited_s) in seen.items():
        print(f"  {name}: grown_mb={grown_mb:.0f} others_wait_s={waited_s:.2f}", flush=True)
    grown_mb = max(grown for grown, _ in seen.values())
    wait_s = max(wait_s, *(waited for _, waited in seen.values()))
    ok = alive and grown_mb < GROWN_MB and wait_s < WAIT_S and closed_s <= CLOSED_S
    return reported(
        "P33",
        f"grown_mb:{grown_mb:.0f},others_wait_s:{wait_s:.2f},drips_closed_s:{closed_s:.0f}",
        f"grown_mb:{GROWN_MB},others_wait_s:{WAIT_S:g},drips_closed_s:{CLOSED_S:g}",
        ok,
        floods=len(FLOODS),
        drips=DRIPPING * len(DRIPS),
    )


async def _flooded(api: Member, flood: Flood) -> tuple[float, float]:
    """How much memory one flood takes at its highest, and the longest anybody else waits."""
    before_mb = reset_peak(api)
    waited_s = await slowest(api.url, lambda: asyncio.to_thread(_send, api.url, flood))
    return memory_mb(api, "VmHWM") - before_mb, waited_s


def _send(url: str, flood: Flood) -> None:
    """Send a flood and read nothing, until it is all sent, or cut off, or takes too long."""
    until = time.monotonic() + FLOOD_S
    with contextlib.suppress(OSError), _connected(url) as connection:
        connection.sendall(flood.start)
        for piece in _pieces(flood):
            if time.monotonic() > until:
                return
            connection.sendall(piece)


def _pieces(flood: Flood) -> Iterator[bytes]:
    piece = flood.again * (_PIECE // len(flood.again))
    return repeat(piece, flood.most // len(piece))


def _connected(url: str) -> socket.socket:
    host, port = url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=1)


def _pausing(seconds: float) -> Callable[[], asyncio.Future[None]]:
    return lambda: asyncio.ensure_future(asyncio.sleep(seconds))


async def slowest(url: str, doing: Callable[[], object]) -> float:
    """The longest that reads of somebody else take while something is done, in seconds."""
    done = asyncio.ensure_future(doing())  # type: ignore[arg-type]
    slowest_s = 0.0
    async with client(url, seconds=60) as asking:
        while not done.done():
            began = time.perf_counter()
            (await asking.get("/data?limit=1")).raise_for_status()
            slowest_s = max(slowest_s, time.perf_counter() - began)
            await asyncio.sleep(0.01)
    await done
    return slowest_s


async def _dripped(api: Member) -> tuple[float, float]:
    """How long dripping clients are held, and how long others wait meanwhile."""
    held: list[float] = []

    async def drips() -> None:
        each = [drip for drip in DRIPS.values() for _ in range(DRIPPING)]
        held.extend(await asyncio.gather(*(_drip(api.url, *drip) for drip in each)))

    waited_s = await slowest(api.url, drips)
    return max(held), waited_s


async def _drip(url: str, start: bytes, again: bytes) -> float:
    """Send a little now and then; the seconds until the connection is closed."""
    host, port = url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    began = time.monotonic()
    writer.write(start)
    reading = asyncio.ensure_future(reader.read())
    with contextlib.suppress(ConnectionError):
        while not reading.done() and time.monotonic() - began < 2 * CLOSED_S:
            writer.write(again)
            await asyncio.wait([reading], timeout=DRIP_S)
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)
    writer.transport.abort()
    return time.monotonic() - began


def memory_mb(member: Member, name: str) -> float:
    """The memory of a process by its name in `/proc`: VmRSS is now, VmHWM at its highest."""
    assert member.process is not None
    status = Path("/proc", str(member.process.pid), "status").read_text()
    return int(re.search(rf"{name}:\s+(\d+)", status)[1]) / 1024  # type: ignore[index]


def reset_peak(member: Member) -> float:
    """Begin anew to watch for the highest; the memory of a process now."""
    assert member.process is not None
    Path("/proc", str(member.process.pid), "clear_refs").write_text("5")
    return memory_mb(member, "VmRSS")
