"""P1, P4, P19: jobs, pages and statuses while an API, a worker, RabbitMQ and PostgreSQL are killed.

A job that was accepted is run to its end and nothing is kept twice, no page is of two fetches, and
no status goes backwards.
"""

import asyncio
import contextlib
import time
from typing import Any

import asyncpg
import httpx

from adapters.memory.system import SeededRandom
from tests.prove.crew import Crew, Member, crew, jobs_of
from tests.prove.figures import Figure, reported
from tests.prove.servers import PostgresServer, RabbitServer, Servers

ROUNDS, POSTS = 60, 200
LONGEST_PAUSE_S = 1.0
#: So long after the last kill every job must have ended: a lease, a sweep, and restarts.
PATIENCE_S = 60.0

_TWICE = "SELECT count(*) - count(DISTINCT id) FROM d_posts"
#: What of a job must not change once it has ended.
_LASTING = ("status", "outcome", "counts", "sources", "finished_at", "attempts")
_FINAL = {"succeeded", "partial", "failed", "cancelled"}


async def prove(servers: Servers) -> list[Figure]:
    """Kill an API, a worker, RabbitMQ or PostgreSQL sixty times while tasks are asked for."""
    async with crew(**await servers.settings()) as hired:
        hired.upstream.set_posts(hired.upstream.collection(POSTS).records)
        return await _rounds(hired, servers)


async def _rounds(hired: Crew, servers: Servers) -> list[Figure]:
    chance = SeededRandom(1)
    apis = [await hired.api(), await hired.api()]
    workers = [await hired.worker(), await hired.worker()]
    victims: list[Member | PostgresServer | RabbitServer] = [
        *(*apis, *workers),
        *(servers.postgres, servers.rabbit),
    ]
    accepted: set[str] = set()
    mixed: list[int] = []
    seen = Statuses()
    clients = [asyncio.create_task(_ask(api.url, accepted)) for api in apis]
    clients.append(asyncio.create_task(_read([api.url for api in apis], mixed)))
    clients.append(asyncio.create_task(_revise(hired)))
    clients.append(asyncio.create_task(_watch([api.url for api in apis], seen)))

    killed: dict[str, int] = {}
    for _ in range(ROUNDS):
        await asyncio.sleep(chance.fraction() * LONGEST_PAUSE_S)
        victim = victims[int(chance.fraction() * len(victims))]
        name = victim.name if isinstance(victim, Member) else type(victim).__name__
        killed[name] = killed.get(name, 0) + 1
        await victim.kill()
        await victim.start()
    for client in clients:
        client.cancel()
    await asyncio.gather(*clients, return_exceptions=True)
    began = time.monotonic()
    left = await _ended(apis[0].url, accepted)
    took_s = time.monotonic() - began
    database = hired.settings["CATCHMENT_DATABASE_URL"]
    twice = await _count(database, _TWICE)
    rows = await _count(database, "SELECT count(*) FROM d_posts")
    lost = f"accepted:{len(accepted)},lost:{len(left)},twice:{twice}"
    ok = not left and twice == 0 and rows == POSTS and accepted
    restarts = sum(member.restarts for member in hired.members)
    more = {"kills": killed, "restarts": restarts, "last_ended_after_s": f"{took_s:.1f}"}
    found = f"pages:{len(mixed)},mixed:{sum(mixed)}"
    backwards = f"looks:{seen.looks},backwards:{seen.backwards},changed_after_end:{seen.revived}"
    steady = seen.looks and not seen.backwards and not seen.revived
    return [
        reported("P1", lost, "lost:0,twice:0", ok, **more),
        reported("P4", found, "mixed:0", mixed and not any(mixed)),
        reported("P19", backwards, "backwards:0,changed_after_end:0", steady, jobs=len(seen.known)),
    ]


class Statuses:
    """The statuses of all jobs as they were seen last, and what should never be seen."""

    def __init__(self) -> None:
        self.known: dict[str, dict[str, Any]] = {}
        self.looks = self.backwards = self.revived = 0

    def note(self, jobs: list[dict[str, Any]]) -> None:
        """Compare what is seen now with what was seen before."""
        self.looks += 1
        for job in jobs:
            before = self.known.get(job["job_id"], job)
            self.known[job["job_id"]] = job
            self.backwards += job["attempts"] < before["attempts"]
            ended = [[each[name] for name in _LASTING] for each in (before, job)]
            self.revived += before["status"] in _FINAL and ended[0] != ended[1]


async def _watch(urls: list[str], seen: Statuses) -> None:
    """Look at the newest jobs twenty times a second, now here and now there."""
    async with httpx.AsyncClient(timeout=5) as client:
        while True:
            for url in urls:
                with contextlib.suppress(httpx.HTTPError):
                    answer = await client.get(url + "/fetch/jobs?limit=20")
                    if answer.status_code == 200:
                        seen.note(answer.json()["data"])
                await asyncio.sleep(0.05)


async def _ask(url: str, accepted: set[str]) -> None:
    """Ask for tasks without end, and remember each that was accepted."""
    async with httpx.AsyncClient(timeout=5) as client:
        while True:
            with contextlib.suppress(httpx.HTTPError):
                answer = await client.post(url + "/fetch?mode=task")
                if answer.status_code == 202:
                    accepted.add(answer.json()["job_id"])
            await asyncio.sleep(0.05)


async def _read(urls: list[str], mixed: list[int]) -> None:
    """Read everything without end: all posts of one page are of one generation."""
    async with httpx.AsyncClient(timeout=5) as client:
        while True:
            for url in urls:
                with contextlib.suppress(httpx.HTTPError):
                    answer = await client.get(f"{url}/data?limit={POSTS}")
                    if answer.status_code == 200:
                        titles = [post["title"] for post in answer.json()["data"]]
                        generations = {title.rpartition(" ")[2] for title in titles}
                        mixed.append(int(len(generations) > 1))
            await asyncio.sleep(0.1)


async def _revise(hired: Crew) -> None:
    generation = 0
    while True:
        generation += 1
        hired.upstream.revise(generation)
        await asyncio.sleep(0.3)


async def _ended(url: str, accepted: set[str]) -> set[str]:
    """The accepted jobs that have not ended, once none is left or patience is."""
    left = set(accepted)
    until = time.monotonic() + PATIENCE_S
    while left and time.monotonic() < until:
        with contextlib.suppress(httpx.HTTPError):
            known = await jobs_of(url)
            left = accepted - {job["job_id"] for job in known if job["status"] in _FINAL}
        await asyncio.sleep(0.2)
    return left


async def _count(url: str, query: str) -> int:
    connection = await asyncpg.connect(url)
    try:
        return int(await connection.fetchval(query))
    finally:
        await connection.close()
