"""P15: no fault an upstream can have keeps us past the deadline, or takes memory without bound."""

import asyncio
import contextlib
import re
import sqlite3
import tempfile
import time
from pathlib import Path

from entrypoints.sample_upstream import SampleUpstream
from entrypoints.sample_upstream.faults import FAULTS
from tests.prove.clients import client
from tests.prove.crew import Crew, Member, crew
from tests.prove.figures import Figure, reported
from tests.prove.servers import Servers

DEADLINE_S = 3.0
#: After the deadline an answer may still take this long on a busy machine.
GRACE_S = 1.5
#: What an upstream may send and unpack to, by default, and what we may need besides.
MOST_MB = 100 + 64


class Switch:
    """Stands before the sample upstream, and asks it for a fault instead of what was asked for."""

    def __init__(self, upstream: SampleUpstream) -> None:
        self.path = "/posts"
        self._upstream = upstream

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass one request on, and all that is said to it."""
        theirs, ours = await asyncio.open_connection(*self._upstream.address)
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            # Connections are not kept, so that each request is seen.
            asked = re.sub(rb"^GET /posts", b"GET " + self.path.encode(), head)
            ours.write(asked.removesuffix(b"\r\n") + b"Connection: close\r\n\r\n")
            answering = asyncio.create_task(_answer(theirs, writer))
            leaving = asyncio.create_task(reader.read(1))
            await asyncio.wait([answering, leaving], return_when=asyncio.FIRST_COMPLETED)
            for task in (answering, leaving):
                task.cancel()
            await asyncio.gather(answering, leaving, return_exceptions=True)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            ours.transport.abort()
            writer.transport.abort()


async def _answer(theirs: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await theirs.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()
    await writer.wait_closed()


async def prove(servers: Servers) -> Figure:
    """Have one process fetch posts with every fault there is, one after the other."""
    names = [name for name, fault in FAULTS.items() if _is_of_posts(fault)]
    with tempfile.TemporaryDirectory(prefix="catchment-prove-") as folder:
        database = Path(folder, "c.db")
        async with SampleUpstream() as upstream:
            upstream.drip_seconds = 0.5
            switch = Switch(upstream)
            serving = await asyncio.start_server(switch.serve, "127.0.0.1", 0)
            async with serving:
                port = serving.sockets[0].getsockname()[1]
                settings = {
                    "CATCHMENT_DATABASE_URL": f"sqlite:///{database}",
                    "CATCHMENT_POSTS_URL": f"http://127.0.0.1:{port}/posts",
                    "CATCHMENT_RATE_LIMITS": f"127.0.0.1:{port}=100000/1s",
                    "CATCHMENT_FETCH_DEADLINE": f"{DEADLINE_S:g}s",
                }
                async with crew(upstream, **settings) as hired:
                    return await _run(hired, switch, database, names)


async def _run(hired: Crew, switch: Switch, database: Path, names: list[str]) -> Figure:
    api = await hired.api()
    slow, slowest_s, wrong = [], 0.0, []
    async with client(api.url, seconds=30) as asking:
        for _ in range(5):
            (await asking.post("/fetch")).raise_for_status()
        before_mb = _peak_mb(api)
        for name in names:
            switch.path = f"/faults/{name}/posts"
            _forget(database)
            began = time.monotonic()
            answer = await asking.post("/fetch")
            took_s = time.monotonic() - began
            slowest_s = max(slowest_s, took_s)
            slow += [name] if took_s > DEADLINE_S + GRACE_S else []
            wrong += [name] if answer.status_code in (500, 507) else []
        grown_mb = _peak_mb(api) - before_mb
        alive = (await asking.get("/data")).status_code == 200 and api.restarts == 0
    if slow or wrong:
        print("over the deadline:", slow, "answered 5xx of ours:", wrong, flush=True)
    ok = not slow and not wrong and alive and grown_mb <= MOST_MB
    found = f"over_deadline:{len(slow)},errors_of_ours:{len(wrong)},grown_mb:{grown_mb:.0f}"
    bar = f"over_deadline:0,errors_of_ours:0,grown_mb:{MOST_MB}"
    return reported("P15", found, bar, ok, faults=len(names), slowest_s=f"{slowest_s:.1f}")


def _forget(database: Path) -> None:
    """Let nothing be known of any host, so that each fault is met with fresh patience."""
    with contextlib.closing(sqlite3.connect(database, timeout=10)) as connection:
        connection.execute("DELETE FROM hosts")
        connection.commit()


def _peak_mb(member: Member) -> float:
    assert member.process is not None
    status = Path("/proc", str(member.process.pid), "status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+)", status)[1]) / 1024  # type: ignore[index]


def _is_of_posts(fault: object) -> bool:
    return any(subject.path == "/posts" for subject in fault.subjects)  # type: ignore[attr-defined]
