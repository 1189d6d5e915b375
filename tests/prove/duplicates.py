"""P11: two hundred concurrent requests for the same fetch are one job and one run."""

import asyncio

import httpx

from tests.prove.crew import crew, jobs_of
from tests.prove.figures import Figure, reported
from tests.prove.servers import Servers

CALLERS = 200


async def prove(servers: Servers) -> Figure:
    """Send 200 concurrent requests to two API processes, while the upstream holds its response."""
    settings = await servers.settings()
    async with crew(**settings) as hired:
        apis = [await hired.api(), await hired.api()]
        await hired.worker()
        hired.upstream.hold()
        limits = httpx.Limits(max_connections=CALLERS)
        async with httpx.AsyncClient(timeout=60, limits=limits) as client:
            asked = [
                client.post(apis[number % 2].url + "/fetch?mode=task") for number in range(CALLERS)
            ]
            answers = await asyncio.gather(*asked)
            hired.upstream.release()
            jobs = {answer.json()["job_id"] for answer in answers}
            statuses = {answer.status_code for answer in answers}
            [job] = jobs if len(jobs) == 1 else ["?"]
            async with asyncio.timeout(30):
                while (await client.get(f"{apis[0].url}/fetch/status/{job}")).json()[
                    "status"
                ] != "succeeded":
                    await asyncio.sleep(0.1)
        known = await jobs_of(apis[0].url)
        runs = hired.upstream.count("/posts")
        ok = len(jobs) == len(known) == runs == 1 and statuses == {202}
        found = f"jobs:{len(jobs)},rows:{len(known)},runs:{runs}"
        return reported("P11", found, "jobs:1,rows:1,runs:1", ok, callers=CALLERS)
