"""Growth: what a record and a page cost when there are more and more of them."""

import time
from collections.abc import Iterator

from tests.bench.bench import Bench, fetch
from tests.bench.databases import fill
from tests.bench.figures import Figure, median
from tests.bench.load import UNKEPT, Load, rates
from tests.bench.processes import Running


def measure(bench: Bench) -> Iterator[Figure]:
    """Microseconds for a record that is new or has changed, and requests for pages a second."""
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
        f"growth/{engine}/pages, {size} stored", service, "/data?user_id=", UNKEPT, size // 10
    )
    yield from rates([load], min(3, bench.scale.rounds), bench.scale.seconds, bench.folder)


def _fetched(bench: Bench, service: Running, size: int, number: int) -> float:
    """Seconds of a fetch half of which is new, and half of which was there and has changed."""
    half = bench.scale.grown_by // 2
    bench.steer(count=2 * half, first=size + half * (number - 2) + 1, salt=number)
    began = time.perf_counter()
    counts = fetch(service)
    took_s = time.perf_counter() - began
    if (counts["inserted"], counts["updated"]) != (half, half):
        raise RuntimeError(f"expected {half} new and {half} changed records: {counts}")
    return took_s
