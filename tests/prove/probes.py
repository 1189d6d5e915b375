"""P10: of all processes together one request probes a host whose breaker is half open."""

import asyncio

import asyncpg

from tests.prove.clients import client
from tests.prove.crew import Crew, crew
from tests.prove.figures import Figure, reported
from tests.prove.servers import Servers

APIS, EACH, HALF_OPENINGS = 5, 8, 8
#: Brings the end of the time for which the breaker is open forward, instead of waiting for it.
_HALF_OPEN = (
    "UPDATE hosts SET open_until_s = extract(epoch FROM clock_timestamp()), version = version + 1"
)
_STATE = "SELECT open_for_s > 0 FROM hosts WHERE host = $1"


async def prove(servers: Servers) -> Figure:
    """Have forty clients of five processes ask at once for forty repositories, again and again."""
    settings = await servers.settings()
    async with crew(**settings) as hired:
        hired.settings["CATCHMENT_GITHUB_URL"] = hired.upstream.url("")
        hired.upstream.github_failure = 500
        urls = [(await hired.api()).url for _ in range(APIS)]
        database = await asyncpg.connect(settings["CATCHMENT_DATABASE_URL"])
        try:
            probes = await _rounds(hired, urls, database)
        finally:
            await database.close()
    ok = probes == [1] * HALF_OPENINGS
    return reported(
        "P10",
        f"most_probes:{max(probes)},least:{min(probes)}",
        "most_probes:1,least:1",
        ok,
        half_openings=len(probes),
        processes=APIS,
        callers=APIS * EACH,
    )


async def _rounds(hired: Crew, urls: list[str], database: asyncpg.Connection) -> list[int]:
    place = "{}:{}".format(*hired.upstream.address)
    number = 0
    while not await database.fetchval(_STATE, place):
        number += 1
        await _ask(urls, f"opening-{number}")
        assert number < 10, "the breaker did not open"
    probes = []
    for number in range(HALF_OPENINGS):
        hired.upstream.forget()
        await database.execute(_HALF_OPEN)
        await _ask(urls, f"probing-{number}")
        probes.append(hired.upstream.count())
    return probes


async def _ask(urls: list[str], name: str) -> None:
    """Make a task about a repository of its own for each client, all at once."""

    async def ask(url: str, number: int) -> None:
        body = {"title": "a task", "repository": f"{name}/number-{number}"}
        async with client(url) as asking:
            (await asking.post("/tasks", json=body)).raise_for_status()

    await asyncio.gather(
        *(ask(url, n * EACH + m) for n, url in enumerate(urls) for m in range(EACH))
    )
