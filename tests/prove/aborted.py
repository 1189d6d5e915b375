"""P17: clients who hang up in the middle leave nothing behind: no connection, no transaction."""

import asyncio
import os
import socket
import struct
from pathlib import Path

import asyncpg

from adapters.memory.system import SeededRandom
from tests.prove.clients import client
from tests.prove.crew import Member, crew
from tests.prove.figures import Figure, reported
from tests.prove.servers import Servers

ABORTED, AT_ONCE, AFTERWARDS = 2000, 50, 20
REQUESTS = (
    "GET /data?limit={n} HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "GET /data?title__contains={n}&count=exact HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "GET /data?format=csv&id__gt={n} HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "POST /fetch HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n",
    "POST /tasks HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    'Content-Length: 39\r\n\r\n{{"title": "{n:04}", "repository": "a/b"}}',
    "POST /tasks HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    "Content-Length: 99\r\n\r\n{{",
)
_IDLE = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND state LIKE 'idle in%'
"""


async def prove(servers: Servers) -> Figure:
    """Send two thousand requests of six kinds, and reset each connection soon after."""
    settings = await servers.settings()
    chance = SeededRandom(17)
    async with crew(**settings) as hired:
        api = await hired.api()
        async with client(api.url) as asking:
            (await asking.post("/fetch")).raise_for_status()
            before = _open_files(api)
            for start in range(0, ABORTED, AT_ONCE):
                batch = range(start, start + AT_ONCE)
                await asyncio.gather(*(_abort(api.url, n, chance.fraction()) for n in batch))
            await asyncio.sleep(7)  # longer than any read may take
            good = 0
            for number in range(AFTERWARDS):
                read = await asking.get(f"/data?limit={number + 1}&offset=1")
                made = await asking.post("/tasks", json={"title": "a", "repository": "a/b"})
                good += read.status_code == 200 and made.status_code == 201
            after = _open_files(api)
        connection = await asyncpg.connect(settings["CATCHMENT_DATABASE_URL"])
        idle = await connection.fetchval(_IDLE)
        await connection.close()
    found = (
        f"healthy:{good}/{AFTERWARDS},idle_in_transaction:{idle},more_open_files:{after - before}"
    )
    ok = good == AFTERWARDS and idle == 0 and after - before <= 40
    bar = f"healthy:{AFTERWARDS}/{AFTERWARDS},idle_in_transaction:0,more_open_files:40"
    return reported("P17", found, bar, ok, aborted=ABORTED)


async def _abort(url: str, number: int, fraction: float) -> None:
    host, port = url.removeprefix("http://").split(":")
    _, writer = await asyncio.open_connection(host, int(port))
    request = REQUESTS[number % len(REQUESTS)].format(n=number % 500 + 1)
    writer.write(request.encode())
    await writer.drain()
    await asyncio.sleep(fraction * 0.02)
    connection: socket.socket = writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def _open_files(member: Member) -> int:
    assert member.process is not None
    return len(os.listdir(Path("/proc", str(member.process.pid), "fd")))
