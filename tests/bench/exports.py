"""Exports: records per second as NDJSON and as CSV."""

from collections.abc import Iterator

from tests.bench.bench import Bench
from tests.bench.figures import Figure, median
from tests.bench.load import stream

_WHAT = {
    "NDJSON": "/data?format=ndjson",
    "CSV": "/data?format=csv",
    "NDJSON, sorted by a field without an index": "/data?format=ndjson&sort=title",
}


def measure(bench: Bench) -> Iterator[Figure]:
    """Yield records per second, for an export of all posts."""
    for engine in bench.engines:
        with bench.service(bench.loaded(engine)) as ours:
            bench.say(f"exports from {engine}")
            for name, path in _WHAT.items():
                rounds = 1 if "sort" in path else max(1, bench.scale.rounds // 2)
                found = [stream(ours.url, path) for _ in range(rounds)]
                if not all(lines >= bench.scale.posts for lines, _ in found):
                    raise RuntimeError(f"{path} was cut short")
                rate = bench.scale.posts / median(took_s for _, took_s in found)
                yield Figure(f"exports/{engine}/{name}", rate, "records/s")
