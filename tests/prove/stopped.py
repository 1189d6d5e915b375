"""P2: a worker that was stopped past its lease and goes on writes nothing."""

import asyncio
import signal

import asyncpg
import httpx

from tests.prove.crew import Crew, crew
from tests.prove.figures import Figure, reported
from tests.prove.servers import Servers

ROUNDS = 5
POSTS = 1000
#: Longer than a lease, so that another worker has taken the job over and ended it.
STOPPED_S = 9.0

_STATE = """
SELECT (SELECT count(*) FROM receipts), (SELECT max(seq) FROM datasets),
       (SELECT count(*) FROM d_posts), (SELECT count(*) FROM jobs WHERE finished_at IS NULL),
       (SELECT md5(string_agg(title, ',' ORDER BY id)) FROM d_posts),
       (SELECT max(_changed_at) FROM d_posts)
"""


async def prove(servers: Servers) -> Figure:
    """Stop a worker in the middle of a fetch, let another one end it, and let the first go on."""
    settings = await servers.settings()
    stale = 0
    async with crew(**settings) as hired:
        api = await hired.api()
        hired.upstream.set_posts(hired.upstream.collection(POSTS).records)
        for generation in range(ROUNDS):
            hired.upstream.revise(generation)
            stale += await _round(hired, api.url, settings["CATCHMENT_DATABASE_URL"])
    found, bar = f"stale_writes:{stale}", "stale_writes:0"
    return reported("P2", found, bar, stale == 0, rounds=ROUNDS, stopped_s=STOPPED_S)


async def _round(hired: Crew, url: str, database: str) -> int:
    stopped = await hired.worker()
    hired.upstream.forget()
    hired.upstream.hold()
    async with httpx.AsyncClient(timeout=60) as client:
        job = (await client.post(url + "/fetch?mode=task")).json()["job_id"]
        await hired.upstream.arrived(1)
        stopped.send(signal.SIGSTOP)
        hired.upstream.release()
        second = await hired.worker()
        await asyncio.sleep(STOPPED_S)
        ended = (await client.get(f"{url}/fetch/status/{job}")).json()
        before = await _state(database)
        stopped.send(signal.SIGCONT)
        await asyncio.sleep(3)
        after = await _state(database)
        told_later = (await client.get(f"{url}/fetch/status/{job}")).json()
    await second.kill()
    await stopped.kill()
    good = ended["status"] == "succeeded" and ended == told_later and before == after
    if not good:
        print(ended, told_later, before, after, sep="\n")
    return int(not good)


async def _state(database: str) -> object:
    connection = await asyncpg.connect(database)
    try:
        return tuple(await connection.fetchrow(_STATE))
    finally:
        await connection.close()
