"""P7: no upstream sees more than its limit in any window, whoever asks and how often."""

import asyncio
import contextlib
import time

import httpx

from tests.prove.crew import Crew, crew
from tests.prove.figures import Figure, reported
from tests.prove.servers import Servers

APIS, WORKERS, CLIENTS, SECONDS = 3, 2, 50, 60
#: Small enough that a busy machine can use it up: fetches of one dataset follow each other.
COUNT, WINDOW_S = 10, 2.0
LEAST_USE = 0.8


async def prove(servers: Servers) -> Figure:
    """Let 50 clients ask three APIs for a minute, half of them for tasks."""
    settings = await servers.settings()
    async with crew(**settings) as hired:
        host, port = hired.upstream.address
        hired.settings["CATCHMENT_RATE_LIMITS"] = f"{host}:{port}={COUNT}/{WINDOW_S:g}s"
        apis = [await hired.api() for _ in range(APIS)]
        for _ in range(WORKERS):
            await hired.worker()
        until = time.monotonic() + SECONDS
        asking = [
            _ask(apis[number % APIS].url, number % 2 == 0, until) for number in range(CLIENTS)
        ]
        answered = sum(await asyncio.gather(*asking))
        return _judged(hired, answered)


def _judged(hired: Crew, answered: int) -> Figure:
    times = [received.at for received in hired.upstream.requests]
    most = max(sum(1 for at in times if start <= at < start + WINDOW_S) for start in times)
    used = len(times) / (SECONDS / WINDOW_S) / COUNT
    ok = most <= COUNT and used >= LEAST_USE
    found, bar = f"most:{most},used:{used:.2f}", f"most:{COUNT},used:{LEAST_USE:.2f}"
    return reported("P7", found, bar, ok, requests=len(times), answered=answered)


async def _ask(url: str, as_task: bool, until: float) -> int:
    answered = 0
    path = url + "/fetch" + ("?mode=task" if as_task else "")
    async with httpx.AsyncClient(timeout=30) as client:
        while time.monotonic() < until:
            with contextlib.suppress(httpx.HTTPError):
                answer = await client.post(path)
                answered += answer.status_code < 500
                # A task is answered at once; its client looks in every tenth of a second.
                await asyncio.sleep(0.1 if as_task or answer.status_code >= 400 else 0)
    return answered
