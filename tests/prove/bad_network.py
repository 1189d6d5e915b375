"""P20: each of the eight toxics between every pair of processes: answers come, and all recovers."""

import asyncio
import time
from contextlib import AsyncExitStack

import httpx

from tests.prove.clients import client, until
from tests.prove.crew import Crew, crew, jobs_of
from tests.prove.figures import Figure, reported
from tests.prove.servers import Servers
from tests.prove.toxics import TOXICS, ToxicProxy, poisonable

POISONED_S, RECOVERED_S, HUNG_S = 2.5, 20.0, 20.0
_FINAL = {"succeeded", "partial", "failed", "cancelled"}


async def prove(servers: Servers) -> Figure:
    """Apply each toxic to each pair, send requests, remove it, and wait for recovery."""
    settings = await servers.settings()
    async with crew(**settings) as hired, AsyncExitStack() as stack:
        proxies, lead = await _between(hired, stack)
        api = await hired.api(**lead["api"])
        await hired.worker(**lead["worker"])
        proxies["client-api"], url = await stack.enter_async_context(poisonable(api.url))
        hung, accepted, recovered = 0, set[str](), {}
        for pair, proxy in proxies.items():
            for name, toxic in TOXICS.items():
                proxy.poison(toxic)
                hung += await _asked(url.rstrip("/"), api.url, accepted)
                await proxy.heal()
                recovered[f"{pair} {name}"] = await _recovered(url.rstrip("/"), accepted)
        lost = len(accepted) - sum(
            job["job_id"] in accepted and job["status"] in _FINAL for job in await jobs_of(api.url)
        )
    return _judged(hung, lost, len(accepted), recovered)


async def _between(
    hired: Crew, stack: AsyncExitStack
) -> tuple[dict[str, ToxicProxy], dict[str, dict[str, str]]]:
    """Return a proxy between every two processes, and the settings with the proxies."""
    names = {
        "CATCHMENT_DATABASE_URL": ("postgres", hired.settings["CATCHMENT_DATABASE_URL"]),
        "CATCHMENT_BROKER_URL": ("rabbitmq", hired.settings["CATCHMENT_BROKER_URL"]),
        "CATCHMENT_POSTS_URL": ("upstream", hired.upstream.url("/posts")),
    }
    proxies: dict[str, ToxicProxy] = {}
    lead: dict[str, dict[str, str]] = {"api": {}, "worker": {}}
    for process in lead:
        for setting, (name, url) in names.items():
            if (process, name) == ("api", "upstream"):
                continue  # only the worker sends requests, because all fetches are tasks
            pair = f"{process}-{name}"
            proxies[pair], lead[process][setting] = await stack.enter_async_context(poisonable(url))
    upstream = proxies["worker-upstream"]
    lead["worker"]["CATCHMENT_RATE_LIMITS"] = f"127.0.0.1:{upstream.port}=100000/1s"
    lead["worker"]["CATCHMENT_FETCH_DEADLINE"] = lead["api"]["CATCHMENT_FETCH_DEADLINE"] = "5s"
    return proxies, lead


async def _asked(through: str, direct: str, accepted: set[str]) -> int:
    """Ask for as long as a toxic works; how many requests were not answered in time.

    Whoever asks through a poisoned connection may wait; whoever asks directly may not.
    """
    hung = 0
    until_s = time.monotonic() + POISONED_S
    poisoned = asyncio.create_task(_task(through, accepted, POISONED_S))
    async with client(direct, seconds=HUNG_S) as asking:
        while time.monotonic() < until_s:
            try:
                for path in ("/data?limit=5", "/health/live"):
                    await asking.get(path)
                await _task(direct, accepted, HUNG_S)
            except httpx.TimeoutException:
                hung += 1
            except httpx.HTTPError:
                pass
            await asyncio.sleep(0.1)
    await asyncio.gather(poisoned, return_exceptions=True)
    return hung


async def _task(url: str, accepted: set[str], seconds: float) -> bool:
    async with client(url, seconds=seconds) as asking:
        answer = await asking.post("/fetch?mode=task")
        if answer.status_code == 202:
            accepted.add(answer.json()["job_id"])
        return answer.status_code == 202


async def _recovered(url: str, accepted: set[str]) -> float:
    """Return the seconds until a requested task has succeeded."""

    async def is_well() -> bool:
        try:
            async with client(url, seconds=10) as asking:
                prefer = {"Prefer": "respond-async, wait=8"}
                answer = await asking.post("/fetch", headers=prefer)
                read = await asking.get("/data?limit=6")
        except httpx.HTTPError:
            return False
        if answer.status_code in (200, 202):
            accepted.add(answer.json()["job_id"])
        done = answer.status_code == 200 and answer.json()["status"] == "succeeded"
        return done and read.status_code == 200

    took = await until(is_well, 90)
    return 90.0 if took is None else took


def _judged(hung: int, lost: int, accepted: int, recovered: dict[str, float]) -> Figure:
    worst = max(recovered, key=lambda name: recovered[name])
    ok = hung == lost == 0 and recovered[worst] <= RECOVERED_S
    return reported(
        "P20",
        f"hung:{hung},lost:{lost},recovered_s:{recovered[worst]:.1f}",
        f"hung:0,lost:0,recovered_s:{RECOVERED_S:g}",
        ok,
        combinations=len(recovered),
        accepted=accepted,
        slowest=worst.replace(" ", "/"),
    )
