"""Memory: what a process needs above idle while it fetches or exports many records."""

import time
from collections.abc import Iterator

from tests.bench.bench import Bench, fetch, get
from tests.bench.figures import Figure
from tests.bench.load import stream
from tests.bench.processes import watched

_MIB = 1024 * 1024


def measure(bench: Bench) -> Iterator[Figure]:
    """Yield the peak of anonymous memory above that of the idle process, in MiB."""
    huge = bench.scale.huge
    for engine in bench.engines:
        url = bench.databases.make(engine)
        bench.steer(count=huge)
        with bench.service(url) as service:
            get(service.url + "/data?limit=1")
            idle = service.anonymous_bytes()
            yield Figure(f"memory/{engine}/idle", idle / _MIB, "MiB")
            bench.say(f"memory while {huge} records are fetched into {engine}")
            began = time.perf_counter()
            with watched(service) as seen:
                fetch(service)
            took_s = time.perf_counter() - began
            yield Figure(f"memory/{engine}/while fetching", (max(seen) - idle) / _MIB, "MiB")
            yield Figure(f"memory/{engine}/the fetch", huge / took_s, "records/s")
            for name, path in {"NDJSON": "ndjson", "CSV": "csv"}.items():
                bench.say(f"memory while {huge} records are exported from {engine} as {name}")
                before = service.anonymous_bytes()
                with watched(service) as seen:
                    lines, took_s = stream(service.url, f"/data?format={path}")
                if lines < huge:
                    raise RuntimeError("the export was cut short")
                above = (max(seen) - min(before, idle)) / _MIB
                yield Figure(f"memory/{engine}/while exporting {name}", above, "MiB")
                yield Figure(f"memory/{engine}/the export as {name}", huge / took_s, "records/s")
        bench.databases.drop(url)
