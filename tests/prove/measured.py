"""P35: metrics are sound, show strangers no name, and cost a ready page less than 2 µs.

The cost is measured within this process: the same request is answered from memory by two
applications that differ in the metrics alone, many thousand times in turns; the least time of each
counts, because whatever else the machine does only adds to it.
"""

import asyncio
import contextlib
import gc
import logging
import re
import subprocess
import time
from collections.abc import Iterator

import structlog

from adapters.system.events import EventDispatcher
from adapters.system.logs import Logs
from tests.adapters.http.http_fixture import HttpFixture, posts
from tests.prove.clients import PASSWORD, client, logged_in
from tests.prove.crew import Crew, crew, free_port
from tests.prove.figures import Figure, reported
from tests.prove.proofs import ROOT
from tests.prove.servers import Servers

RULES = ROOT / "docs" / "how-to" / "observe"
#: What a stranger must not find in the metrics: names of datasets, sources, hosts and routes.
NAMES = re.compile(r"posts|jsonplaceholder|crypto|127\.0\.0\.1|/data|/fetch")
MOST_US, TURNS, EACH = 2.0, 60, 5_000
ADMIN = "the-admin"


async def prove(servers: Servers) -> Figure:
    """Fetch and read with several processes, scrape each as anyone and as an admin, and check."""
    cost_us = await _cost_us()
    port = str(free_port())
    settings = await servers.settings()
    given = {"CATCHMENT_ADMIN_USERNAME": ADMIN, "CATCHMENT_ADMIN_PASSWORD": PASSWORD}
    async with crew(**settings, **given) as hired:
        api = await hired.api()
        await hired.worker(CATCHMENT_METRICS_PORT=port)
        texts = await _scraped(hired, api.url, f"http://127.0.0.1:{port}")
    errors = sum(_promtool("check", "metrics", typed=text) for text in texts.values())
    errors += _promtool("check", "rules", "catchment-rules.yml")
    errors += _promtool("test", "rules", "catchment-rules-test.yml")
    named = sum(bool(NAMES.search(text)) for name, text in texts.items() if "anyone" in name)
    known = sum(bool(NAMES.search(text)) for name, text in texts.items() if "admin" in name)
    agreed = int(_agrees(texts))
    ok = not errors and not named and known == 2 and agreed and cost_us < MOST_US
    return reported(
        "P35",
        f"promtool_errors:{errors},named_to_strangers:{named},cost_us:{cost_us:.1f}",
        f"promtool_errors:0,named_to_strangers:0,cost_us:{MOST_US:g}",
        bool(ok),
        scrapes=len(texts),
        agreed=agreed,
    )


async def _scraped(hired: Crew, api: str, worker: str) -> dict[str, str]:
    """What each process shows to each reader, once it has done something."""
    async with client(api, seconds=30) as asking:
        job = (await asking.post("/fetch/posts?mode=task")).json()
        while (await asking.get(job["status_url"])).json()["status"] != "succeeded":
            await asyncio.sleep(0.1)
        for path in ("/data?limit=3", "/data?limit=3", "/nothing", "/data/posts?nothing=1"):
            await asking.get(path)
        token = (await logged_in(api, ADMIN))["access_token"]
        readers = {"anyone": {}, "admin": {"Authorization": f"Bearer {token}"}}
        texts = {}
        for process, url in (("api", api), ("worker", worker)):
            for reader, headers in readers.items():
                answer = await asking.get(f"{url}/metrics", headers=headers)
                answer.raise_for_status()
                texts[f"{process} {reader}"] = answer.text
        return texts


def _agrees(texts: dict[str, str]) -> bool:
    """Whether the counters say what was done: reads in the API, the fetch in the worker."""
    reads = '{method="GET",ready="true",route="/data",status="200"} 1.0'
    records = 'catchment_records_total{dataset="posts",kind="inserted"} 100.0'
    return (
        reads in texts["api admin"]
        and records in texts["worker admin"]
        and "catchment_records_total 200.0" in texts["worker anyone"]
        and 'catchment_jobs{state="running"} 0.0' in texts["api admin"]
    )


def _promtool(*arguments: str, typed: str = "") -> int:
    """Run Prometheus's own tool, and return 1 if it finds something wrong."""
    command = ["promtool", *arguments]
    ran = subprocess.run(
        command, cwd=RULES, input=typed, capture_output=True, text=True, check=False
    )
    if ran.returncode or ran.stderr:
        print("promtool", *arguments, ran.stdout, ran.stderr, flush=True)
    return int(ran.returncode != 0 or bool(typed and ran.stderr))


# ---------------------------------------------------------------- what it costs


async def _cost_us() -> float:
    """How many microseconds longer a ready page takes with metrics."""
    with _quiet():
        without = HttpFixture(events=EventDispatcher(Logs()))
        measured = HttpFixture()
        for fixture in (without, measured):
            await fixture.bring(posts(100))
        least = {False: float("inf"), True: float("inf")}
        for _ in range(TURNS):
            for fixture in (without, measured):
                is_measured = fixture is measured
                least[is_measured] = min(least[is_measured], await _ready_us(fixture))
    served = measured.metrics._requests["GET", "/data", 200, True]
    assert served > TURNS * EACH, "these answers were not ready"
    return max(0.0, least[True] - least[False])


async def _ready_us(fixture: HttpFixture) -> float:
    scope = {
        "type": "http",
        "method": "GET",
        "path": "/data",
        "raw_path": b"/data",
        "query_string": b"limit=10",
        "http_version": "1.1",
        "headers": [(b"host", b"catchment.test")],
        "scheme": "http",
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": b""}

    async def send(message: object) -> None:
        pass

    for _ in range(3):
        await fixture.app({**scope}, receive, send)
    began = time.perf_counter()
    for _ in range(EACH):
        await fixture.app(scope, receive, send)
    return (time.perf_counter() - began) / EACH * 1e6


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Log as in production, where reads are not, and let nothing be collected meanwhile."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        structlog.reset_defaults()
