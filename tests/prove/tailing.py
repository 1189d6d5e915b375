"""P5: whoever asks again and again for what changed since the last time misses nothing."""

import asyncio
import time

from adapters.memory.system import SeededRandom
from tests.prove.clients import client
from tests.prove.crew import crew
from tests.prove.figures import Figure, reported
from tests.prove.servers import Servers

APIS, WRITERS, READERS, SECONDS = 3, 16, 4, 20
TASK = {"title": "a task", "repository": "some/where"}


async def prove(servers: Servers) -> Figure:
    """Let 16 clients of three processes write while 4 read on from the latest time they saw."""
    async with crew(**await servers.settings()) as hired:
        urls = [(await hired.api()).url for _ in range(APIS)]
        written: set[str] = set()
        until = time.monotonic() + SECONDS
        writing = [_write(urls[n % APIS], n, until, written) for n in range(WRITERS)]
        reading = [asyncio.create_task(_tail(urls, n)) for n in range(READERS)]
        await asyncio.gather(*writing)
        await asyncio.sleep(1)
        for reader in reading:
            reader.cancel()
        seen = [reader.result() for reader in reading if (await asyncio.wait([reader])) and True]
    skipped = sum(len(written - each) for each in seen)
    ok = skipped == 0 and len(written) > 0
    return reported(
        "P5", f"skipped:{skipped}", "skipped:0", ok, written=len(written), readers=READERS
    )


async def _write(url: str, number: int, until: float, written: set[str]) -> None:
    chance = SeededRandom(number)
    async with client(url) as asking:
        while time.monotonic() < until:
            answer = await asking.post("/tasks", json=TASK)
            answer.raise_for_status()
            task = answer.json()
            written.add(f"{task['id']} 1")
            if chance.fraction() < 0.3:
                path = f"/tasks/{task['id']}"
                changed = await asking.patch(path, json={"title": "another"})
                changed.raise_for_status()
                written.add(f"{task['id']} 2")
            await asyncio.sleep(chance.fraction() * 0.2)


async def _tail(urls: list[str], first: int) -> set[str]:
    """Every version of a task that was seen, until cancelled."""
    seen: set[str] = set()
    last = "1970-01-01T00:00:00Z"
    turn = first
    async with client() as asking:
        try:
            while True:
                turn += 1
                answer = await asking.get(
                    f"{urls[turn % len(urls)]}/tasks",
                    params={"_changed_at__gt": last, "sort": "_changed_at", "limit": "500"},
                )
                answer.raise_for_status()
                for task in answer.json()["data"]:
                    # A task that was changed before it was read is seen as it became.
                    seen |= {f"{task['id']} {n}" for n in range(1, task["version"] + 1)}
                    last = task["_changed_at"]
                await asyncio.sleep(0.02)
        except asyncio.CancelledError:
            return seen
