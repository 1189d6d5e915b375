"""Ingest: records per second from a local upstream, beside the bare limit and dlt."""

import json
import os
import subprocess
import time
from collections.abc import Iterator

from tests.bench.bench import Bench, fetch
from tests.bench.databases import run
from tests.bench.figures import Figure, median
from tests.bench.peers import HERE, program
from tests.bench.processes import ROOT, SERVER_CORE, Running, python


def measure(bench: Bench) -> Iterator[Figure]:
    """Yield records per second: first load, 1 % changed, none changed, the same bytes."""
    for engine in bench.engines:
        bench.say(f"ingest into {engine}")
        found: dict[str, list[float]] = {}
        for _ in range(bench.scale.ingest_rounds):
            for name, took_s in [*_bare(bench, engine), *_ours(bench, engine)]:
                found.setdefault(name, []).append(bench.scale.posts / took_s)
        for name, rates in found.items():
            yield Figure(f"ingest/{engine}/{name}", median(rates), "records/s")
        yield from _by_dlt(bench, engine)


def _ours(bench: Bench, engine: str) -> Iterator[tuple[str, float]]:
    url = bench.databases.make(engine)
    posts = bench.scale.posts
    with bench.service(url) as service:
        bench.steer(count=posts)
        yield "first load", _timed(service, inserted=posts)
        bench.steer(count=posts, every=100, salt=1)
        yield "1 % changed", _timed(service, updated=posts // 100, unchanged=posts - posts // 100)
        bench.steer(count=posts, every=100, salt=1, spaces=1)
        yield "nothing changed", _timed(service, unchanged=posts)
        yield "the same bytes", _timed(service, unchanged=posts)
    bench.databases.drop(url)


def _timed(service: Running, **expected: int) -> float:
    began = time.perf_counter()
    counts = fetch(service)
    took_s = time.perf_counter() - began
    if any(counts[name] != count for name, count in expected.items()):
        raise RuntimeError(f"expected {expected}, and the report says {counts}")
    return took_s


def _bare(bench: Bench, engine: str) -> Iterator[tuple[str, float]]:
    url = bench.databases.make(engine)
    bench.steer(count=bench.scale.posts)
    command = python("-m", "tests.bench.bare_ingest", bench.upstream.url, url)
    names = ("bare, first load", "bare, nothing changed")
    yield from zip(names, _seconds(bench, command), strict=True)
    bench.databases.drop(url)


def _by_dlt(bench: Bench, engine: str) -> Iterator[Figure]:
    if (dlt := program(bench, "dlt")) is None:
        return
    again = bench.scale.dlt_posts if engine == "postgres" else bench.scale.dlt_again
    for count, more in ((bench.scale.dlt_posts, []), (again, ["again"])):
        url = bench.databases.make(engine)
        bench.steer(count=count)
        bench.say(f"dlt merges {count} records into {engine}{' twice' if more else ''}")
        folder = bench.folder / f"dlt-{engine}-{count}-{len(more)}"
        command = [str(dlt / "bin" / "python"), str(HERE / "dlt_ingest.py"), bench.upstream.url]
        took = _seconds(bench, [*command, url, str(folder), *more])
        name = "dlt, nothing changed" if more else "dlt, first load"
        yield Figure(f"ingest/{engine}/{name}", count / took[-1], "records/s")
        bench.databases.drop(url)


def _seconds(bench: Bench, command: list[str]) -> list[float]:
    environment = {"PYTHONPATH": str(ROOT)} if command[1] == "-m" else {}
    done = subprocess.run(
        ["taskset", "-c", SERVER_CORE, *command],
        capture_output=True,
        text=True,
        env={"PATH": os.environ["PATH"], "HOME": str(bench.folder), **environment},  # noqa: TID251
        cwd=bench.folder,
    )
    if done.returncode:
        raise RuntimeError(f"{command} failed:\n{done.stderr[-2000:]}")
    seconds: list[float] = json.loads(done.stdout.splitlines()[-1])
    return seconds


# ---------------------------------------------------------------- counts


def untouched(bench: Bench) -> Iterator[Figure]:
    """Yield how many records a fetch of the same bytes touches, with their table renamed."""
    for engine in bench.engines:
        url = bench.databases.make(engine)
        bench.steer(count=1000)
        with bench.service(url) as service:
            fetch(service)
            run(url, "ALTER TABLE d_posts RENAME TO d_posts_away")
            try:
                counts = fetch(service)
                touched = counts["inserted"] + counts["updated"] + 1000 - counts["unchanged"]
            except (RuntimeError, OSError):
                touched = 1000
            run(url, "ALTER TABLE d_posts_away RENAME TO d_posts")
        bench.databases.drop(url)
        yield Figure(f"untouched/{engine}/records touched by the same bytes", touched, "records")
