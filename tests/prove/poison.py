"""P3: a job that kills every worker that takes it up is given up, and others run meanwhile."""

import asyncio
import signal
import time

from tests.prove.clients import client
from tests.prove.crew import Crew, crew
from tests.prove.figures import Figure, reported
from tests.prove.servers import Servers

ATTEMPTS = 5
PATIENCE_S = 120.0
PATH = "/faults/U19/v1/tickers"


async def prove(servers: Servers) -> Figure:
    """Kill the only worker whenever the poisoned job has asked, and ask for other jobs besides."""
    async with crew(**await servers.settings()) as hired:
        hired.settings["CATCHMENT_COINPAPRIKA_URL"] = hired.upstream.url(PATH)
        api = await hired.api()
        await hired.worker()
        async with client(api.url) as asking:
            accepted = await asking.post("/fetch/crypto_assets?mode=task")
            job = accepted.json()["status_url"]
            killing = asyncio.create_task(_kill_whoever_asks(hired))
            others, began = set(), time.monotonic()
            while (ended := (await asking.get(job)).json())["status"] in ("queued", "running"):
                others.add((await asking.post("/fetch?mode=task")).json()["status_url"])
                await asyncio.sleep(1)
                if time.monotonic() - began > PATIENCE_S:
                    break
            killing.cancel()
            done = 0
            for other in others:
                async with asyncio.timeout(30):
                    while (told_of := (await asking.get(other)).json()["status"]) != "succeeded":
                        await asyncio.sleep(0.2)
                done += told_of == "succeeded"
        asked = hired.upstream.count(PATH)
    code = (ended["sources"] or [{"error": {"code": ended["status"]}}])[0]["error"]["code"]
    found = f"attempts:{asked},end:{code},others:{done}/{len(others)}"
    ok = asked == ATTEMPTS and code == "gave_up" and done == len(others) > 0
    return reported("P3", found, f"attempts:{ATTEMPTS},end:gave_up,others:all", ok)


async def _kill_whoever_asks(hired: Crew) -> None:
    [worker] = [member for member in hired.members if member.name == "worker"]
    killed = 0
    while True:
        if hired.upstream.count(PATH) > killed:
            killed = hired.upstream.count(PATH)
            worker.send(signal.SIGKILL)
        await asyncio.sleep(0.02)
