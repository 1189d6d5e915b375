"""P25: a refresh token counts once, however many use it; a stolen one ends the session."""

import asyncio
from datetime import timedelta

import httpx

from domain.sessions import GRACE
from tests.prove.clients import client, logged_in, signed_up
from tests.prove.crew import crew
from tests.prove.figures import Figure, reported
from tests.prove.servers import Servers

RACERS, FAMILIES = 50, 5


async def prove(servers: Servers) -> Figure:
    """Use each token fifty times at once at two processes, and once more when its time is over."""
    successors, killed, alive_after_theft = [], 0, 0
    async with crew(**await servers.settings()) as hired:
        urls = [(await hired.api()).url for _ in range(2)]
        async with client(connections=RACERS, seconds=30) as asking:
            stolen, newest = [], []
            for number in range(FAMILIES):
                await signed_up(urls[0], f"user-{number}")
                token = (await logged_in(urls[0], f"user-{number}"))["refresh_token"]
                answers = await asyncio.gather(
                    *(_refresh(asking, urls[n % 2], token) for n in range(RACERS))
                )
                got = {answer.json()["refresh_token"] for answer in answers if answer.is_success}
                successors.append(len(got) if all(a.is_success for a in answers) else 0)
                following = await _refresh(asking, urls[0], max(got, default=""))
                killed += not following.is_success
                stolen.append(token)
                newest.append(following.json().get("refresh_token", ""))
            await asyncio.sleep((GRACE + timedelta(seconds=2)).total_seconds())
            for token, last in zip(stolen, newest, strict=True):
                replayed = await _refresh(asking, urls[1], token)
                alive_after_theft += replayed.is_success
                alive_after_theft += (await _refresh(asking, urls[0], last)).is_success
    most = max(successors)
    ok = successors == [1] * FAMILIES and killed == 0 and alive_after_theft == 0
    return reported(
        "P25",
        f"successors:{most},sessions_lost:{killed},alive_after_theft:{alive_after_theft}",
        "successors:1,sessions_lost:0,alive_after_theft:0",
        ok,
        racers=RACERS,
        sessions=FAMILIES,
    )


async def _refresh(asking: httpx.AsyncClient, url: str, token: str) -> httpx.Response:
    return await asking.post(f"{url}/auth/refresh", json={"refresh_token": token})
