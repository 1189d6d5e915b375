"""Growth: the cost of a record and of a page as the number of records grows."""

import time
from collections.abc import Iterator

from tests.bench.bench import Bench, fetch
from tests.bench.databases import fill
from tests.bench.figures import Figure, median
from tests.bench.load import UNCACHED, Load, rates
from tests.bench.processes import Running


def measure(bench: Bench) -> Iterator[Figure]:
    """Yield microseconds for a new or changed record, and requests for pages per second."""
    for engine in bench.engines:
        for size in bench.scale.growth:
            bench.say(f"{size} records in {engine}")
            url = bench.databases.make(engine)
            fill(url, size)
            with bench.service(url) as service:
                took = [_fetched(bench, service, size, number) for number in (1, 2, 3)]
                cost_us = median(took) / bench.scale.grown_by * 1e6
                yield Figure(f"growth/{engine}/a record, {size} stored", cost_us, "µs")
                yield from _pages(bench, engine, service, size)
            bench.databases.drop(url)


def _pages(bench: Bench, engine: str, service: Running, size: int) -> Iterator[Figure]:
    load = Load(
        f"growth/{engine}/pages, {size} stored", service, "/data?user_id=", UNCACHED, size // 10
    )
    yield from rates([load], min(3, bench.scale.rounds), bench.scale.seconds, bench.folder)


def _fetched(bench: Bench, service: Running, size: int, number: int) -> float:
    """Return the seconds of a fetch of new and changed records, half each."""
    half = bench.scale.grown_by // 2
    bench.steer(count=2 * half, first=size + half * (number - 2) + 1, salt=number)
    began = time.perf_counter()
    counts = fetch(service)
    took_s = time.perf_counter() - began
    if (counts["inserted"], counts["updated"]) != (half, half):
        raise RuntimeError(f"expected {half} new and {half} changed records: {counts}")
    return took_s
