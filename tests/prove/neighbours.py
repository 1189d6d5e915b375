"""P22: two processes on one SQLite file never meet a lock, and lose nothing they acknowledged."""

import asyncio
import contextlib
import shutil
import sqlite3
import subprocess
import tempfile
import time
from collections import Counter
from pathlib import Path

import httpx

from adapters.memory.system import SeededRandom
from tests.prove.clients import client
from tests.prove.crew import Crew, Member, crew, ready
from tests.prove.figures import Figure, reported
from tests.prove.servers import Servers

APIS, CLIENTS_EACH, SECONDS, KILLS = 2, 8, 20, 20
TASK = {"title": "a task", "repository": "some/where"}


async def prove(servers: Servers) -> Figure:
    """Write from sixteen clients of two processes for a while, then kill one after the other."""
    with tempfile.TemporaryDirectory(prefix="catchment-prove-") as folder:
        database = Path(folder, "c.db")
        settings = {"CATCHMENT_DATABASE_URL": f"sqlite:///{database}"}
        async with crew(**settings) as hired:
            apis = [await hired.api() for _ in range(APIS)]
            statuses, acknowledged = Counter[int](), set[str]()
            until = time.monotonic() + SECONDS
            await asyncio.gather(
                *(
                    _write(api.url, until, statuses, acknowledged)
                    for api in apis
                    for _ in range(CLIENTS_EACH)
                )
            )
            written = len(acknowledged)
            synced = await _synced(hired, apis[0])
            await _kills(apis, acknowledged)
        stored, integrity = _looked_into(database)
    lost = len(acknowledged - stored)
    locked = sum(count for status, count in statuses.items() if status >= 500)
    found = f"locked:{locked},acknowledged_lost:{lost},integrity:{integrity}"
    more = {"written": written, "kills": KILLS, "acknowledged": len(acknowledged), **synced}
    ok = locked == lost == 0 and integrity == "ok" and written > 0
    ok = ok and synced.get("syncs_per_write", 1.0) >= 1.0
    return reported("P22", found, "locked:0,acknowledged_lost:0,integrity:ok", ok, **more)


async def _write(url: str, until: float, statuses: Counter[int], acknowledged: set[str]) -> None:
    async with client(url) as asking:
        while time.monotonic() < until:
            with contextlib.suppress(httpx.TransportError):
                answer = await asking.post("/tasks", json=TASK)
                statuses[answer.status_code] += 1
                if answer.status_code == 201:
                    acknowledged.add(answer.json()["id"])


async def _kills(apis: list[Member], acknowledged: set[str]) -> None:
    """Kill one of them in the middle of writing, again and again."""
    chance = SeededRandom(22)
    for number in range(KILLS):
        api = apis[number % APIS]
        until = time.monotonic() + 0.5
        writing = [
            asyncio.create_task(_write(each.url, until, Counter(), acknowledged))
            for each in apis
            for _ in range(CLIENTS_EACH)
        ]
        await asyncio.sleep(chance.fraction() * 0.4)
        await api.kill()
        await asyncio.gather(*writing)
        await api.start()
        await ready(api.url)


async def _synced(hired: Crew, api: Member) -> dict[str, float]:
    """How often the disk is waited for per acknowledged write, where that can be counted."""
    tracer = shutil.which("strace")
    if tracer is None or api.process is None:
        return {}
    command = [tracer, "-f", "-c", "-e", "trace=fdatasync,fsync", "-p", str(api.process.pid)]
    tracing = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    acknowledged = set[str]()
    try:
        await asyncio.sleep(1)
        await _write(api.url, time.monotonic() + 2, Counter(), acknowledged)
    finally:
        tracing.terminate()
        _, said = await asyncio.to_thread(tracing.communicate)
    lines = [line.split() for line in said.splitlines() if line.endswith("sync")]
    if not lines or not acknowledged:
        return {}  # whoever runs this may not trace
    return {"syncs_per_write": round(sum(int(line[3]) for line in lines) / len(acknowledged), 2)}


def _looked_into(database: Path) -> tuple[set[str], str]:
    with contextlib.closing(sqlite3.connect(database)) as connection:
        [[integrity]] = connection.execute("PRAGMA integrity_check")
        return {row[0] for row in connection.execute("SELECT id FROM d_tasks")}, str(integrity)
