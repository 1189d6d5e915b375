"""Latency: the effect of a large fetch, and of slow queries, on reads at the same time.

Two hundred reads are sent per second, none from the cache, and their delay counts from the time
they were due.
"""

from collections.abc import Iterator
from itertools import count, cycle
from threading import Thread

from tests.bench.bench import Bench, fetch
from tests.bench.figures import Figure, percentile
from tests.bench.load import asking, delays
from tests.bench.processes import LOAD_CORE, SERVER_CORE, Running

#: Without an index: every post is read.
SLOW = ("/data?body__contains=nowhere-{}", "/data?title__icontains=nothing-{}&sort=body")
_BOTH = f"{SERVER_CORE},{LOAD_CORE}"


def measure(bench: Bench) -> Iterator[Figure]:
    """Yield the 99th and the 99.9th percentile of delays, in milliseconds."""
    for engine in bench.engines:
        url = bench.loaded(engine)
        with bench.service(url, _BOTH) as ours:
            bench.say(f"latency of reads on {engine}")
            idle = delays(ours.url, _paths(bench), bench.scale.probe_s)
            yield from _percentiles(f"latency/{engine}/idle", idle)
            fetched = []
            for number in range(bench.scale.fetches):
                bench.steer(count=bench.scale.posts, salt=number + 1)
                fetched += _while_fetching(bench, ours)
            yield from _percentiles(f"latency/{engine}/while a fetch changes every record", fetched)
            with asking(ours.url, [map(path.format, count()) for path in SLOW]) as slow:
                beside = delays(ours.url, _paths(bench), bench.scale.probe_s)
            yield from _percentiles(f"latency/{engine}/beside slow queries", beside)
            yield Figure(
                f"latency/{engine}/the slow queries themselves", percentile(slow, 0.5), "ms"
            )


def _while_fetching(bench: Bench, ours: Running) -> list[float]:
    fetching = Thread(target=fetch, args=(ours,))
    fetching.start()
    taken: list[float] = []
    while fetching.is_alive():
        taken += delays(ours.url, _paths(bench), 0.2)
    fetching.join()
    return taken


def _paths(bench: Bench) -> Iterator[str]:
    return cycle(f"/data?user_id={user}" for user in range(1, bench.scale.posts // 10))


def _percentiles(name: str, taken: list[float]) -> Iterator[Figure]:
    yield Figure(f"{name}, median", percentile(taken, 0.5), "ms")
    yield Figure(f"{name}, p99", percentile(taken, 0.99), "ms")
    yield Figure(f"{name}, p99.9", percentile(taken, 0.999), "ms")
