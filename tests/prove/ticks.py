"""P18: a schedule fires once a tick, however many schedulers run and die."""

import asyncio
from datetime import datetime

from adapters.memory.system import SeededRandom
from tests.prove.crew import crew, jobs_of
from tests.prove.figures import Figure, reported
from tests.prove.servers import Servers

SCHEDULERS, TICKS, KILL_EVERY = 3, 60, 5


async def prove(servers: Servers) -> Figure:
    """Let three schedulers keep a schedule of one second, and kill one of them every 5 seconds."""
    chance = SeededRandom(18)
    settings = {**await servers.settings(), "CATCHMENT_FETCH_EVERY": "1s"}
    async with crew(**settings) as hired:
        api = await hired.api()
        await hired.worker()
        schedulers = [await hired.scheduler() for _ in range(SCHEDULERS)]
        while not await jobs_of(api.url):
            await asyncio.sleep(0.1)
        for _ in range(TICKS // KILL_EVERY):
            await asyncio.sleep(KILL_EVERY)
            unlucky = schedulers[int(chance.fraction() * SCHEDULERS)]
            await unlucky.kill()
            await unlucky.start()
        for scheduler in schedulers:
            await scheduler.kill()
        jobs = [job for job in await jobs_of(api.url) if job["mode"] == "schedule"]
    times = sorted(datetime.fromisoformat(job["queued_at"]) for job in jobs)
    # A run comes at most a tenth of the period after its tick, so ticks lie in seconds apart.
    origin = times[0].timestamp()
    ticks = [round(time.timestamp() - origin) for time in times]
    twice = len(ticks) - len(set(ticks))
    missed = ticks[-1] + 1 - len(set(ticks))
    ok = twice == 0 and missed <= 1 and len(ticks) >= TICKS
    return reported(
        "P18", f"twice:{twice},missed:{missed}", "twice:0,missed:1", ok, ticks=len(ticks)
    )
