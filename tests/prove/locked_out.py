"""P26: whoever is locked out, or has another password, is out within five seconds, everywhere."""

import asyncio
import time

from tests.prove.clients import PASSWORD, client, logged_in, signed_up
from tests.prove.crew import Crew, crew
from tests.prove.figures import Figure, reported
from tests.prove.servers import Servers

ROUNDS, CLIENTS_EACH = 4, 8
WATCHED_S, MOST_S = 8.0, 5.0


async def prove(servers: Servers) -> Figure:
    """Lock users out at the command line while two processes answer their every request."""
    latest: list[float] = []
    still_in = 0
    async with crew(**await servers.settings()) as hired:
        urls = [(await hired.api()).url for _ in range(2)]
        for number in range(ROUNDS):
            name = f"user-{number}"
            await signed_up(urls[0], name)
            tokens = [(await logged_in(urls[0], name))["access_token"]]
            tokens.append((await hired.output_of("create-token", name)).strip())
            by_password = number % 2 == 1
            after_s, accepted = await _locked_out(hired, urls, name, tokens, by_password)
            latest.append(after_s)
            still_in += accepted
    worst = max(latest)
    ok = worst <= MOST_S and still_in == 0
    return reported(
        "P26",
        f"last_accepted_after_s:{worst:.2f},still_in:{still_in}",
        f"last_accepted_after_s:{MOST_S:g},still_in:0",
        ok,
        rounds=ROUNDS,
        clients=2 * CLIENTS_EACH,
    )


async def _locked_out(
    hired: Crew, urls: list[str], name: str, tokens: list[str], by_password: bool
) -> tuple[float, int]:
    """How long after the command said so a token was accepted last, and how many are in the end."""
    accepted_at = [0.0]

    async def ask(url: str, token: str) -> None:
        async with client(url) as asking:
            while True:
                answer = await asking.get("/auth/me", headers={"Authorization": f"Bearer {token}"})
                if answer.status_code == 200:
                    accepted_at.append(time.monotonic())
                await asyncio.sleep(0.02)

    asking = [
        asyncio.create_task(ask(urls[n % 2], tokens[n % len(tokens)]))
        for n in range(2 * CLIENTS_EACH)
    ]
    await asyncio.sleep(1)
    assert len(accepted_at) > CLIENTS_EACH, "nobody was let in before"
    if by_password:
        await hired.output_of("user", "password", name, typed=f"another {PASSWORD}\n")
    else:
        await hired.output_of("user", "disable", name)
    out_at = time.monotonic()
    await asyncio.sleep(WATCHED_S)
    for each in asking:
        each.cancel()
    await asyncio.gather(*asking, return_exceptions=True)
    return max(0.0, max(accepted_at) - out_at), int(max(accepted_at) > out_at + WATCHED_S - 1)
