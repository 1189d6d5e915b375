"""P31: three replicas are restarted one after the other under load: no request fails."""

import asyncio
import contextlib
import signal
from collections import Counter

import asyncpg
import httpx

from tests.prove.clients import client
from tests.prove.crew import Crew, Member, crew
from tests.prove.figures import Figure, reported
from tests.prove.servers import Servers

REPLICAS, CLIENTS, ROUNDS, MIGRATORS = 3, 10, 2, 4
#: How often the balancer looks at each replica; a replica tells a second before it leaves.
CHECK_S = 0.1


class Balancer:
    """What stands before the replicas: it sends requests to those that say that they are ready."""

    def __init__(self, replicas: list[Member]) -> None:
        self._replicas = replicas
        self._turn = 0
        self.ready: list[str] = [replica.url for replica in replicas]

    async def look(self) -> None:
        """Ask every replica again and again whether it is ready."""
        async with client(seconds=2) as asking:
            while True:
                ready = []
                for replica in self._replicas:
                    with contextlib.suppress(httpx.HTTPError):
                        answer = await asking.get(replica.url + "/health/ready")
                        ready += [replica.url] if answer.status_code == 200 else []
                self.ready = ready
                await asyncio.sleep(CHECK_S)

    def next(self) -> str:
        """Whose turn it is."""
        self._turn += 1
        return self.ready[self._turn % len(self.ready)]


async def prove(servers: Servers) -> Figure:
    """Restart each of three replicas twice while ten clients read, write and ask for tasks."""
    settings = await servers.settings()
    statuses: Counter[str] = Counter()
    async with crew(**settings) as hired:
        applied = await _migrated(hired)
        replicas = [await hired.api() for _ in range(REPLICAS)]
        await hired.worker()
        balancer = Balancer(replicas)
        tasks = [asyncio.create_task(balancer.look())]
        tasks += [asyncio.create_task(_ask(balancer, n, statuses)) for n in range(CLIENTS)]
        await asyncio.sleep(1)
        restarted = await _rolled(replicas, balancer)
        applied += await _migrated(hired)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        revisions = await _count(settings["CATCHMENT_DATABASE_URL"])
    failed = sum(count for status, count in statuses.items() if not status.startswith("2"))
    ok = failed == 0 and applied == 1 and revisions == 1 and statuses.total() > 0
    return reported(
        "P31",
        f"failed_requests:{failed},migrations_applied:{applied}",
        "failed_requests:0,migrations_applied:1",
        ok,
        requests=statuses.total(),
        restarts=restarted,
        migrators=2 * MIGRATORS,
        answers=dict(statuses),
    )


async def _rolled(replicas: list[Member], balancer: Balancer) -> int:
    restarted = 0
    for _ in range(ROUNDS):
        for replica in replicas:
            before = replica.restarts
            replica.send(signal.SIGTERM)
            async with asyncio.timeout(60):
                while replica.restarts == before or replica.url not in balancer.ready:
                    await asyncio.sleep(0.1)
            restarted += 1
    return restarted


async def _ask(balancer: Balancer, number: int, statuses: Counter[str]) -> None:
    """One request after the other, each through the balancer; every failure counts."""
    async with client(seconds=30) as asking:
        while True:
            url = balancer.next()
            try:
                if number % 3 == 0:
                    body = {"title": "a task", "repository": "some/where"}
                    answer = await asking.post(url + "/tasks", json=body)
                elif number % 3 == 1:
                    answer = await asking.post(url + "/fetch?mode=task")
                else:
                    answer = await asking.get(url + "/data?limit=20")
                statuses[str(answer.status_code)] += 1
            except httpx.HTTPError as error:
                statuses[type(error).__name__] += 1
            await asyncio.sleep(0.02)


async def _migrated(hired: Crew) -> int:
    """Migrate from four processes at once; how many of them had something to do."""
    said = await asyncio.gather(*(hired.output_of("migrate") for _ in range(MIGRATORS)))
    return sum("system tables" in each for each in said)


async def _count(database: str) -> int:
    connection = await asyncpg.connect(database)
    try:
        return int(await connection.fetchval("SELECT count(*) FROM alembic_version"))
    finally:
        await connection.close()
