"""P8: what an upstream says of when to come back binds every process, in every form there is."""

import asyncio
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import asyncpg

from tests.prove.clients import client
from tests.prove.crew import crew, free_port
from tests.prove.figures import Figure, reported
from tests.prove.servers import Servers

APIS, CLIENTS = 2, 6
#: So long each form is watched; the longest that is obeyed to its end takes less.
WATCHED_S = 4.5
BODY = b'[{"id": 1, "userId": 1, "title": "a", "body": "b"}]'

#: The headers of a refusal, and when one may ask again: so many seconds later, or at a time.
Form = tuple[str, float | datetime]


def forms() -> list[Form]:
    """Twelve ways of saying when to come back."""
    soon = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=3)  # noqa: TID251
    imf = format_datetime(soon, usegmt=True)
    return [
        ("Retry-After: 2", 2.0),
        ("Retry-After: 3", 3.0),
        ("Retry-After: 1.5", 1.5),
        (f"Retry-After: {imf}", soon),
        (f"Retry-After: {soon.strftime('%A, %d-%b-%y %H:%M:%S GMT')}", soon),
        (f"Retry-After: {soon.strftime('%a %b %e %H:%M:%S %Y')}", soon),
        ("Retry-After: 1\r\nRetry-After: 3", 3.0),
        ("Retry-After: 1e9", WATCHED_S),
        (f"X-RateLimit-Remaining: 0\r\nX-RateLimit-Reset: {int(soon.timestamp())}", soon),
        ("Retry-After: 0", 1.0),
        ("Retry-After: soon", 1.0),
        ("Retry-After: -5", 1.0),
    ]


class Refusing:
    """An upstream that refuses its first request in one form, and takes down who asks when."""

    def __init__(self) -> None:
        self.port = free_port()
        self.header = ""
        self.times: list[datetime] = []

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request, and close."""
        try:
            await reader.readuntil(b"\r\n\r\n")
            self.times.append(datetime.now(UTC))  # noqa: TID251
            head = f"429 Slow\r\n{self.header}\r\nContent-Length: 0"
            if len(self.times) > 1:
                head = f"200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(BODY)}"
            refused = len(self.times) == 1
            whole = f"HTTP/1.1 {head}\r\nConnection: close\r\n\r\n".encode()
            writer.write(whole if refused else whole + BODY)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


async def prove(servers: Servers) -> Figure:
    """Refuse once in each of twelve forms, while six clients of two processes go on asking."""
    upstream = Refusing()
    serving = await asyncio.start_server(upstream.answer, "127.0.0.1", upstream.port)
    place = f"127.0.0.1:{upstream.port}"
    settings = await servers.settings() | {
        "CATCHMENT_POSTS_URL": f"http://{place}/posts",
        "CATCHMENT_RATE_LIMITS": f"{place}=100000/1s",
        "CATCHMENT_FETCH_DEADLINE": "2s",
    }
    early, soonest = 0, 1e9
    async with serving, crew(**settings) as hired:
        urls = [(await hired.api()).url for _ in range(APIS)]
        await hired.worker()
        for number in range(len(forms())):
            await _forget(settings["CATCHMENT_DATABASE_URL"])
            upstream.header, again_at = forms()[number]
            upstream.times.clear()
            asking = [asyncio.create_task(_ask(urls[n % APIS], n)) for n in range(CLIENTS)]
            await asyncio.sleep(WATCHED_S)
            for each in asking:
                each.cancel()
            await asyncio.gather(*asking, return_exceptions=True)
            refused_at, *asked_at = upstream.times
            if not isinstance(again_at, datetime):
                again_at = refused_at + timedelta(seconds=again_at)
            waits = [(at - again_at).total_seconds() for at in asked_at]
            early += sum(wait < 0 for wait in waits)
            soonest = min([soonest, *waits])
    more = {"forms": len(forms()), "processes": APIS + 1, "soonest_after_it_s": f"{soonest:.3f}"}
    return reported("P8", f"early:{early}", "early:0", early == 0, **more)


async def _forget(database: str) -> None:
    """Let nothing be known of any host, and no job wait for it."""
    connection = await asyncpg.connect(database)
    try:
        await connection.execute("DELETE FROM hosts; UPDATE jobs SET run_at = 0")
    finally:
        await connection.close()


async def _ask(url: str, number: int) -> None:
    path = "/fetch?mode=task" if number % 2 else "/fetch"
    async with client(url) as asking:
        while True:
            await asking.post(path)
            await asyncio.sleep(0.02)
