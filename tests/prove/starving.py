"""P21: while an upstream hangs and two hundred callers wait for it, reads are as quick as ever."""

import asyncio
import time
from collections import Counter

import httpx

from tests.prove.clients import client, percentile
from tests.prove.crew import crew
from tests.prove.figures import Figure, reported
from tests.prove.servers import Servers

CALLERS, READS = 200, 1500
MOST = 2.0
#: Where a read takes next to nothing, twice that is the machine's doing and not ours.
FLOOR_MS = 5.0


async def prove(servers: Servers) -> Figure:
    """Measure reads before and while two hundred callers wait for a fetch that hangs."""
    async with crew(**await servers.settings()) as hired:
        api = await hired.api()
        async with client(api.url) as asking:
            (await asking.post("/fetch")).raise_for_status()
            await _read(asking)  # nobody's first request counts
            before_ms = await _read(asking)
            hired.upstream.hold()
            callers = [asyncio.create_task(_call(api.url)) for _ in range(CALLERS)]
            await asyncio.sleep(2)
            meanwhile_ms = await _read(asking)
            hired.upstream.release()
            answers = Counter(await asyncio.gather(*callers))
    ratio = meanwhile_ms / max(before_ms, FLOOR_MS)
    ok = ratio <= MOST and set(answers) <= {200, 429}
    return reported(
        "P21",
        f"p99_ratio:{ratio:.2f}",
        f"p99_ratio:{MOST:g}",
        ok,
        before_ms=f"{before_ms:.1f}",
        meanwhile_ms=f"{meanwhile_ms:.1f}",
        callers=dict(answers),
    )


async def _read(asking: httpx.AsyncClient) -> float:
    """The 99th percentile of reads one after the other, in milliseconds; each of another page."""
    took = []
    for number in range(READS):
        began = time.perf_counter()
        answer = await asking.get(f"/data?limit={number % 100 + 1}&offset={number % 7}")
        took.append(1000 * (time.perf_counter() - began))
        assert answer.status_code == 200, answer.text
    return percentile(took, 0.99)


async def _call(url: str) -> int:
    async with client(url, seconds=90) as asking:
        return (await asking.post("/fetch")).status_code
