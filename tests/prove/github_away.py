"""P30: while GitHub fails in every way, tasks are made, read, changed and deleted; none is lost."""

import asyncio
from collections import Counter
from typing import Any

import httpx

from tests.prove.clients import client
from tests.prove.crew import crew
from tests.prove.figures import Figure, reported
from tests.prove.servers import Servers

EACH, RACERS = 15, 100
FAILURES: tuple[Any, ...] = (500, 429, 403, "garbage", "hang")
#: `POST` waits for GitHub for three seconds.
LONGEST_S = 4.5


async def prove(servers: Servers) -> Figure:
    """Do all that can be done with tasks under each failure, then change one a hundred times."""
    settings = await servers.settings()
    right: Counter[bool] = Counter()
    slowest_s = 0.0
    async with crew(**settings) as hired:
        hired.settings["CATCHMENT_GITHUB_URL"] = hired.upstream.url("")
        urls = [(await hired.api()).url for _ in range(2)]
        await hired.worker()
        async with client(seconds=20, connections=RACERS) as asking:
            for failure in FAILURES:
                hired.upstream.github_failure = failure
                lives = [_life(asking, urls[n % 2], f"{failure}/{n}", right) for n in range(EACH)]
                slowest_s = max(slowest_s, *await asyncio.gather(*lives))
            lost = await _race(asking, urls)
    share = right[True] / right.total()
    ok = share == 1.0 and lost == 0 and slowest_s <= LONGEST_S
    return reported(
        "P30",
        f"crud_ok:{share:.1%},lost_changes:{lost},slowest_s:{slowest_s:.1f}",
        f"crud_ok:100.0%,lost_changes:0,slowest_s:{LONGEST_S}",
        ok,
        requests=right.total(),
        failures=len(FAILURES),
        racing=RACERS,
    )


async def _life(asking: httpx.AsyncClient, url: str, name: str, right: Counter[bool]) -> float:
    """Make, read, change, replace and delete one task; the seconds the slowest of it took."""
    made = await asking.post(f"{url}/tasks", json={"title": "a task", "repository": name})
    right[made.status_code == 201] += 1
    if made.status_code != 201:
        return made.elapsed.total_seconds()
    path = f"{url}/tasks/{made.json()['id']}"
    answers = [
        await asking.get(path),
        await asking.patch(path, json={"status": "done"}),
        await asking.put(path, json={"title": "another", "repository": name}),
        await asking.get(f"{url}/tasks?repository={name}"),
        await asking.delete(path),
    ]
    for answer in answers:
        right[answer.status_code in (200, 204)] += 1
    return max(answer.elapsed.total_seconds() for answer in [made, *answers])


async def _race(asking: httpx.AsyncClient, urls: list[str]) -> int:
    """A hundred changes at once, each tried until its `If-Match` holds: how many are missing."""
    body = {"title": "a task", "repository": "a/raced", "description": ""}
    task = (await asking.post(f"{urls[0]}/tasks", json=body)).json()["id"]

    async def change(number: int) -> None:
        path = f"{urls[number % 2]}/tasks/{task}"
        for _ in range(50 * RACERS):
            seen = await asking.get(path)
            said = seen.json()["description"] + f" {number}"
            condition = {"If-Match": seen.headers["etag"]}
            answer = await asking.patch(path, json={"description": said}, headers=condition)
            if answer.status_code == 200:
                return
            assert answer.status_code == 412, answer.text

    await asyncio.gather(*(change(number) for number in range(RACERS)))
    kept = (await asking.get(f"{urls[0]}/tasks/{task}")).json()["description"].split()
    return RACERS - len(set(kept) & {str(number) for number in range(RACERS)})
