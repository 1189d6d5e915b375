"""P38: a clock that is set back, or days ahead and back, stops nothing and revives no token."""

import asyncio
import tempfile
from pathlib import Path
from typing import Any

import httpx

from tests.prove.clients import PASSWORD, client, logged_in, signed_up, until
from tests.prove.crew import Crew, Member, crew, ready
from tests.prove.figures import Figure, reported
from tests.prove.servers import Servers

#: How the clock stands beside the true time, one after the other (seconds).
STEPS = (-3600, 0, 2 * 86400, 0)
EVERY_S = 2
_LIBRARIES = "faketime/libfaketimeMT.so.1"


async def prove(servers: Servers) -> Figure:
    """Set the clock of two processes on one SQLite file, killed in a fetch each time."""
    library = next(Path("/usr/lib").glob(f"*/{_LIBRARIES}"), None)
    if library is None:
        return reported("P38", "not_tried:no_faketime_here", "-", ok=True)
    with tempfile.TemporaryDirectory(prefix="catchment-prove-") as folder:
        clock = Path(folder, "clock")
        clock.write_text("+0")
        settings = {
            "CATCHMENT_DATABASE_URL": f"sqlite:///{folder}/c.db",
            "CATCHMENT_FETCH_EVERY": f"{EVERY_S}s",
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(clock),
            "FAKETIME_CACHE_DURATION": "1",
            "DONT_FAKE_MONOTONIC": "1",
        }
        async with crew(**settings) as hired:
            apis = [await hired.api(), await hired.api()]
            await signed_up(apis[0].url, "ann")
            found = [await _step(hired, apis, clock, n) for n in range(len(STEPS))]
    slowest = max(each.pop("taken_over_s") for each in found)
    sums = {name: sum(each[name] for each in found) for name in found[0]}
    ok = not any(sums.values()) and slowest <= TAKEN_OVER_S
    bar = ",".join(f"{name}:0" for name in sums) + f",taken_over_s:{TAKEN_OVER_S:.0f}"
    return reported("P38", {**sums, "taken_over_s": round(slowest, 1)}, bar, ok, steps=len(STEPS))


#: A lease and a sweep, on a machine that has other things to do.
TAKEN_OVER_S = 10.0


async def _step(hired: Crew, apis: list[Member], clock: Path, number: int) -> dict[str, Any]:
    """Kill both in a fetch, set the clock, start one of them again, and ask it for all."""
    one, other = apis
    used = (await logged_in(other.url, "ann"))["refresh_token"]
    async with client(other.url, seconds=40) as asking:
        following = await asking.post("/auth/refresh", json={"refresh_token": used})
        following.raise_for_status()
        job = await _held(hired, asking, number)
        await asyncio.gather(one.kill(), other.kill())
        clock.write_text(f"{STEPS[number]:+d}")
        hired.upstream.release()
        await other.start()
        await ready(other.url)
        ended = await until(lambda: _has_ended(asking, job), 60)
        replayed = await asking.post("/auth/refresh", json={"refresh_token": used})
        login = {"username": "ann", "password": PASSWORD}
        wanted = (("/auth/login", login), ("/fetch", None), ("/tasks", _TASK))
        answers = [await asking.post(path, json=body) for path, body in wanted]
        ticks = await _ticks(asking)
    await one.start()
    await ready(one.url)
    return {
        "refused": sum(answer.is_error for answer in answers),
        "revived": int(replayed.is_success),
        "schedules_stopped": int(ticks < 2),
        "jobs_lost": int(ended is None),
        "taken_over_s": ended or 0.0,
    }


_TASK = {"title": "a task", "repository": "some/where"}


async def _held(hired: Crew, asking: httpx.AsyncClient, number: int) -> str:
    """Have a fetch hang at the upstream; the identifier of its job."""
    hired.upstream.revise(number)
    hired.upstream.forget()
    hired.upstream.hold()
    await asking.post("/fetch?mode=task")
    await hired.upstream.arrived(1)
    jobs = (await asking.get("/fetch/jobs?limit=20")).json()["data"]
    return next(str(job["job_id"]) for job in jobs if job["status"] == "running")


async def _has_ended(asking: httpx.AsyncClient, job: str) -> bool:
    return (await asking.get(f"/fetch/status/{job}")).json()["status"] == "succeeded"


async def _ticks(asking: httpx.AsyncClient) -> int:
    """How many scheduled fetches come in four periods."""
    before = await _scheduled(asking)
    await asyncio.sleep(4 * EVERY_S)
    return len(await _scheduled(asking) - before)


async def _scheduled(asking: httpx.AsyncClient) -> set[str]:
    jobs = (await asking.get("/fetch/jobs?limit=500")).json()["data"]
    return {job["job_id"] for job in jobs if job["mode"] == "schedule"}
