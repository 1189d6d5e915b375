"""P24: ten thousand guesses at a password come to a hundred checks, and its owner still gets in."""

import asyncio
import contextlib
import statistics
import time
from collections import Counter

import httpx

from domain.throttling import FREE_GUESSES, FREE_GUESSES_OF_STRANGERS
from tests.prove.clients import PASSWORD, client, signed_up
from tests.prove.crew import crew
from tests.prove.figures import Figure, reported
from tests.prove.servers import Servers

GUESSES, AT_ONCE, PLACES = 10_000, 40, 60
SPRAYED, SPRAY_LIMIT = 300, 30
#: As many as are free, and one each time the wait has doubled again: within an hour no more.
BUDGET = FREE_GUESSES_OF_STRANGERS + FREE_GUESSES + 12
TIMED, MOST_MS = 60, 5.0
OWNER, HOME = "owner", "127.0.9.9"


async def prove(servers: Servers) -> Figure:
    """Guess at one account from sixty places at two processes, spray others, and log in."""
    async with crew(**await servers.settings()) as hired:
        urls = [(await hired.api()).url for _ in range(2)]
        limits = f"fetch=600/1m,login={SPRAY_LIMIT}/1m"
        limited = (await hired.api(CATCHMENT_CLIENT_LIMITS=limits)).url
        delta_ms = await _difference(urls[0])
        await signed_up(urls[0], OWNER)
        at_home = [await _log_in(urls[0], OWNER, PASSWORD, HOME)]
        answers = await _guessed(urls)
        at_home.append(await _log_in(urls[1], OWNER, PASSWORD, HOME))
        began = time.monotonic()
        sprayed = await _sprayed(limited)
        # One comes back every other second.
        may_spray = SPRAY_LIMIT + 2 + (time.monotonic() - began) * SPRAY_LIMIT / 60
    checks, others = answers[401], set(answers) - {401, 429}
    got_in = int(at_home == [200, 200])
    ok = checks <= BUDGET and got_in and not others and abs(delta_ms) < MOST_MS
    ok = ok and sprayed[401] <= may_spray
    return reported(
        "P24",
        f"checks:{checks},owner_in:{got_in},known_unknown_ms:{abs(delta_ms):.1f}",
        f"checks:{BUDGET},owner_in:1,known_unknown_ms:{MOST_MS:g}",
        ok,
        guesses=answers.total(),
        refused=answers[429],
        sprayed=f"{sprayed[401]}/{SPRAYED}",
    )


async def _guessed(urls: list[str]) -> Counter[int]:
    """What is answered to wrong passwords for one account, with headers that tell other places."""
    answers: Counter[int] = Counter()
    async with contextlib.AsyncExitStack() as stack:
        places = [f"127.0.8.{number}" for number in range(1, PLACES + 1)]
        clients = [await stack.enter_async_context(client(place=place)) for place in places]

        async def guess(first: int) -> None:
            for number in range(first, GUESSES, AT_ONCE):
                asking = clients[number % (PLACES if number % 2 else 1)]
                forged = f"10.{number % 250}.{number // 250}.1"
                answer = await asking.post(
                    f"{urls[number % len(urls)]}/auth/login",
                    json={"username": OWNER, "password": f"wrong password {number}"},
                    headers={"X-Forwarded-For": forged, "Forwarded": f"for={forged}"},
                )
                answers[answer.status_code] += 1

        await asyncio.gather(*(guess(number) for number in range(AT_ONCE)))
    return answers


async def _sprayed(url: str) -> Counter[int]:
    """What is answered to one password for many accounts, from one place with the usual limit."""
    answers: Counter[int] = Counter()
    async with client(url, place="127.0.7.7") as asking:
        for number in range(SPRAYED):
            answers[await _guess(asking, f"nobody-{number}", "one password")] += 1
    return answers


async def _difference(url: str) -> float:
    """By how many milliseconds a wrong password takes longer where there is such a user.

    The median of pairs that follow each other, so that what else the machine does counts little.
    """
    for number in range(TIMED):
        await signed_up(url, f"known-{number}")
    longer = []
    async with client(url, place="127.0.6.6") as asking:
        await _guess(asking, "warming-up", "wrong password")
        for number in range(TIMED):
            took = {}
            for kind in ("known", "unknown") if number % 2 else ("unknown", "known"):
                began = time.perf_counter()
                await _guess(asking, f"{kind}-{number}", "wrong password")
                took[kind] = 1000 * (time.perf_counter() - began)
            longer.append(took["known"] - took["unknown"])
    return statistics.median(longer)


async def _guess(asking: httpx.AsyncClient, name: str, password: str) -> int:
    answer = await asking.post("/auth/login", json={"username": name, "password": password})
    return answer.status_code


async def _log_in(url: str, name: str, password: str, place: str) -> int:
    async with client(url, place=place) as asking:
        return await _guess(asking, name, password)
