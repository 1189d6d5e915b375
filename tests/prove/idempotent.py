"""P12: a request with an Idempotency-Key has one effect, though processes are killed."""

import asyncio
import contextlib
import time
from collections import defaultdict
from typing import NamedTuple

import httpx

from adapters.memory.system import SeededRandom
from tests.prove.clients import client
from tests.prove.crew import Member, crew, jobs_of
from tests.prove.figures import Figure, reported
from tests.prove.servers import Servers

ROUNDS, RACERS = 15, 20
#: A request that was cut off may be begun again after two minutes.
PATIENCE_S = 150.0
PATH = "/fetch?mode=task"


class Answers(NamedTuple):
    """What was answered to a key: the jobs that were named, and the answers that were given."""

    jobs: set[str]
    bodies: set[bytes]


async def prove(servers: Servers) -> Figure:
    """Let twenty clients race with one key, and kill a process under them; then ask once more."""
    answers: defaultdict[str, Answers] = defaultdict(lambda: Answers(set(), set()))
    async with crew(**await servers.settings()) as hired:
        apis = [await hired.api(), await hired.api()]
        await hired.worker()
        await _races(apis, answers)
        keys = [f"key-{number}" for number in range(ROUNDS)]
        began = time.monotonic()
        unanswered = [key for key in keys if not await _asked_again(apis, key, answers, began)]
        jobs = len(await jobs_of(apis[0].url))
    several = sum(len(each.jobs) != 1 for each in answers.values())
    wrong = sum(len(each.bodies) != 1 for each in answers.values())
    # Keys that come while a fetch waits are given that one, so there may be fewer jobs.
    ok = not several and not wrong and not unanswered and len(answers) == ROUNDS >= jobs > 0
    found = f"keys:{ROUNDS},several_effects:{several},wrong_replays:{wrong}"
    more = {"racers": RACERS, "kills": ROUNDS, "unanswered": len(unanswered), "jobs": jobs}
    return reported("P12", found, "several_effects:0,wrong_replays:0", ok, **more)


async def _races(apis: list[Member], answers: dict[str, Answers]) -> None:
    chance = SeededRandom(12)
    for number in range(ROUNDS):
        key, unlucky = f"key-{number}", apis[number % 2]
        racing = [
            asyncio.create_task(_ask(apis[racer % 2].url, key, answers)) for racer in range(RACERS)
        ]
        await asyncio.sleep(chance.fraction() * 0.06)
        await unlucky.kill()
        await asyncio.gather(*racing)
        await unlucky.start()
        await asyncio.sleep(0.3)


async def _ask(url: str, key: str, answers: dict[str, Answers]) -> bool:
    with contextlib.suppress(httpx.HTTPError):
        async with client(url) as asking:
            answer = await asking.post(PATH, headers={"Idempotency-Key": key})
            if answer.status_code == 202:
                answers[key].jobs.add(answer.json()["job_id"])
                answers[key].bodies.add(answer.content)
                return True
    return False


async def _asked_again(
    apis: list[Member], key: str, answers: dict[str, Answers], began: float
) -> bool:
    """Ask every process until it has answered; a key that is in use is asked for again later."""
    for api in apis:
        while not await _ask(api.url, key, answers):
            if time.monotonic() - began > PATIENCE_S:
                return False
            await asyncio.sleep(0.5)
    return True
