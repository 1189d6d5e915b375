"""P20: PostgreSQL and RabbitMQ are killed again and again: all is answered, and recovers."""

import asyncio
import time

import httpx

from tests.prove.clients import client, until
from tests.prove.crew import crew
from tests.prove.figures import Figure, reported
from tests.prove.servers import PostgresServer, RabbitServer, Servers

KILLS = 5
WORKERS = 2
#: How long the dependency is away, how soon after it is back the next good answer must come, and
#: how long a request may take at the most.
AWAY_S, RECOVERED_S, HUNG_S = 3.0, 10.0, 12.0


class RequestCounts:
    """The counts of the clients' responses so far."""

    def __init__(self) -> None:
        self.answered = self.hung = self.refused = self.unfit = 0


async def prove(servers: Servers) -> Figure:
    """Kill each of them five times under four clients, and start it again three seconds later."""
    counts = RequestCounts()
    async with crew(**await servers.settings()) as hired:
        api = await hired.api()
        for _ in range(WORKERS):
            await hired.worker()
        asking = [asyncio.create_task(_ask(api.url, n, counts)) for n in range(4)]
        recovered = [
            await _killed(victim, api.url)
            for _ in range(KILLS)
            for victim in (servers.postgres, servers.rabbit)
        ]
        consumers = await _consumers(servers.rabbit)
        for each in asking:
            each.cancel()
        await asyncio.gather(*asking, return_exceptions=True)
        died = api.restarts
    return _judged(counts, recovered, consumers, died)


def _judged(
    counts: RequestCounts, recovered: list[float | None], consumers: int, died: int
) -> Figure:
    slowest = max((RECOVERED_S * 10 if each is None else each) for each in recovered)
    ok = (
        counts.hung == counts.unfit == died == 0 and slowest <= RECOVERED_S and consumers == WORKERS
    )
    return reported(
        "P20",
        f"hung:{counts.hung},recovered_s:{slowest:.1f},consumers:{consumers}/{WORKERS}",
        f"hung:0,recovered_s:{RECOVERED_S:g},consumers:{WORKERS}/{WORKERS}",
        ok,
        kills=len(recovered),
        answered=counts.answered,
        unfit=counts.unfit,
        api_restarts=died,
    )


async def _killed(victim: PostgresServer | RabbitServer, url: str) -> float | None:
    """Return the seconds from the restart of a victim until the service has recovered."""
    await victim.kill()
    await asyncio.sleep(AWAY_S)
    await victim.start()
    began = time.monotonic()

    async def is_well() -> bool:
        try:
            async with client(url, seconds=5) as asking:
                read = await asking.get("/data?limit=3")
                asked = await asking.post("/fetch?mode=task")
                health = (await asking.get("/health")).json()
        except httpx.HTTPError:
            return False
        return (read.status_code, asked.status_code, health["queue"]) == (200, 202, "connected")

    return None if await until(is_well, 60) is None else time.monotonic() - began


async def _ask(url: str, number: int, counts: RequestCounts) -> None:
    """Send reads or tasks for ever; each response must come in time and be valid."""
    paths = (
        ("GET", "/data?limit=7"),
        ("POST", "/fetch?mode=task"),
        ("GET", "/health"),
        ("GET", "/"),
    )
    method, path = paths[number]
    async with client(url, seconds=HUNG_S) as asking:
        while True:
            try:
                answer = await asking.request(method, path)
                counts.answered += 1
                counts.unfit += answer.status_code not in (200, 202, 503)
            except httpx.TimeoutException:
                counts.hung += 1
            except httpx.HTTPError:
                counts.refused += 1
            await asyncio.sleep(0.05)


async def _consumers(rabbit: RabbitServer) -> int:
    """Return the number of consumers at the broker: all workers, within half a minute."""
    found = 0

    async def are_back() -> bool:
        nonlocal found
        found = await asyncio.to_thread(rabbit.consumers)
        return found == WORKERS

    await until(are_back, 30, every_s=1)
    return found
