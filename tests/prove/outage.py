"""P9: while an upstream answers nothing but 503, it is asked less and not more."""

import asyncio
import time

from tests.prove.clients import client, percentile
from tests.prove.crew import crew, jobs_of
from tests.prove.figures import Figure, reported
from tests.prove.servers import Servers

APIS, CLIENTS, SECONDS = 2, 10, 20
DEADLINE_S = 5.0
MOST = 1.3


async def prove(servers: Servers) -> Figure:
    """Let ten clients of two processes ask for twenty seconds, and wait for their answers."""
    settings = await servers.settings() | {"CATCHMENT_FETCH_DEADLINE": f"{DEADLINE_S:g}s"}
    took: list[float] = []
    async with crew(**settings) as hired:
        hired.settings["CATCHMENT_POSTS_URL"] = hired.upstream.fault_url("U1-503")
        urls = [(await hired.api()).url for _ in range(APIS)]
        until = time.monotonic() + SECONDS
        await asyncio.gather(*(_ask(urls[n % APIS], until, took) for n in range(CLIENTS)))
        fetches = len(await jobs_of(urls[0]))
        requests = hired.upstream.count()
    slowest_s = percentile(took, 0.99)
    amplified = requests / fetches
    ok = amplified <= MOST and slowest_s <= DEADLINE_S + 1
    return reported(
        "P9",
        f"amplified:{amplified:.2f},p99_s:{slowest_s:.2f}",
        f"amplified:{MOST},p99_s:{DEADLINE_S + 1:g}",
        ok,
        requests=requests,
        fetches=fetches,
        answers=len(took),
        seconds=SECONDS,
    )


async def _ask(url: str, until: float, took: list[float]) -> None:
    async with client(url) as asking:
        while time.monotonic() < until:
            began = time.monotonic()
            await asking.post("/fetch")
            took.append(time.monotonic() - began)
            await asyncio.sleep(0.1)
