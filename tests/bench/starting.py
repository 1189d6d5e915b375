"""Starting: from the start of the process to its first answer."""

import time
from collections.abc import Iterator

from tests.bench.bench import Bench, catchment
from tests.bench.figures import Figure, median
from tests.bench.processes import launch, wait_for
from tests.prove.crew import free_port


def measure(bench: Bench) -> Iterator[Figure]:
    """Yield seconds until `/data` is answered, over a new database and an existing one."""
    for engine in bench.engines:
        bench.say(f"starting over {engine}")
        url = bench.databases.make(engine)
        yield Figure(f"starting/{engine}/new database", _start(bench, url), "s")
        again = median(_start(bench, url) for _ in range(bench.scale.starts))
        yield Figure(f"starting/{engine}/database that is there", again, "s")
        bench.databases.drop(url)


def _start(bench: Bench, url: str) -> float:
    began = time.perf_counter()
    service = launch(catchment("serve"), bench.settings(url), bench.folder, free_port())
    wait_for(service, "/data")
    took_s = time.perf_counter() - began
    service.process.terminate()
    service.process.wait()
    return took_s
