"""P33: a page of large records ends at 8 MiB, and others do not wait for it."""

import asyncio
import contextlib
import sqlite3
import tempfile
from pathlib import Path

import httpx

from tests.prove.clients import client
from tests.prove.crew import crew
from tests.prove.figures import Figure, reported
from tests.prove.floods import memory_mb, reset_peak, slowest
from tests.prove.servers import Servers

RECORDS, TEXT_BYTES = 500, 1_000_000
MOST_MB, GROWN_MB, WAIT_S = 8.5, 100, 1.0
_GROW = "UPDATE d_posts SET body = printf('%.*c', ?, 'a') WHERE id = ?"


async def prove(servers: Servers) -> Figure:
    """Ask for a page of 500 records of 1 MB, packed and plain, and then for all of them."""
    with tempfile.TemporaryDirectory(prefix="catchment-prove-") as folder:
        database = Path(folder, "c.db")
        async with crew(CATCHMENT_DATABASE_URL=f"sqlite:///{database}") as hired:
            hired.upstream.set_posts(hired.upstream.collection(RECORDS).records)
            api = await hired.api()
            async with client(api.url, seconds=120) as asking:
                (await asking.post("/fetch")).raise_for_status()
                await asyncio.to_thread(_grow, database)
                before_mb = reset_peak(api)
                sizes: list[int] = []

                async def ask() -> None:
                    for coding in ("identity", "gzip"):
                        headers = {"Accept-Encoding": coding}
                        page = await asking.get(f"/data?limit={RECORDS}", headers=headers)
                        sizes.append(len(page.content))

                waited_s = await slowest(api.url, ask)
                grown_mb = memory_mb(api, "VmHWM") - before_mb
                read = await _walk(asking)
    largest_mb = max(sizes) / 2**20
    found = f"page_mb:{largest_mb:.1f},grown_mb:{grown_mb:.0f},others_wait_s:{waited_s:.2f}"
    bar = f"page_mb:{MOST_MB},grown_mb:{GROWN_MB},others_wait_s:{WAIT_S:g}"
    ok = largest_mb <= MOST_MB and grown_mb < GROWN_MB and waited_s < WAIT_S
    return reported("P33", found, bar, ok and read == RECORDS, records=read)


def _grow(database: Path) -> None:
    with contextlib.closing(sqlite3.connect(database, timeout=10)) as connection:
        rows = [(TEXT_BYTES, number) for number in range(1, RECORDS + 1)]
        connection.executemany(_GROW, rows)
        connection.commit()


async def _walk(asking: httpx.AsyncClient) -> int:
    """How many records the pages have from one end to the other."""
    read, cursor = 0, ""
    while True:
        page = (await asking.get(f"/data?limit={RECORDS}&fields=id&cursor={cursor}")).json()
        read += page["count"]
        cursor = page["page"]["next_cursor"]
        if cursor is None:
            return read
