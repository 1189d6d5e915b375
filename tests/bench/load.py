"""Load: wrk for rates, and a client with a fixed rate for delays."""

import http.client
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from tests.bench.figures import Figure, median
from tests.bench.processes import LOAD_CORE, Running

#: A request with a cookie bypasses the response cache.
UNCACHED = ("Cookie: no=page",)

#: Another value with every request, continuing from the last round. There are more pages than the
#: cache holds, so that none is in it when it is requested again.
_VARIED = """
local n = %d
request = function()
  n = n %% %d + 1
  return wrk.format("GET", "%s" .. n)
end
"""


class Load(NamedTuple):
    """A kind of request to a server; with `varied`, the path ends in a number up to that."""

    name: str
    server: Running
    path: str
    headers: tuple[str, ...] = ()
    varied: int = 0


def rates(loads: Sequence[Load], rounds: int, seconds: float, folder: Path) -> Iterator[Figure]:
    """Yield the medians of several rounds, each of which measures every load once."""
    found: dict[str, list[_Round]] = {load.name: [] for load in loads}
    for _ in range(rounds):
        for load in loads:
            sent = sum(round.count for round in found[load.name])
            found[load.name].append(_once(load, sent, seconds, folder))
    for name, measured in found.items():
        rate, cpu_us = (median(round[index] for round in measured) for index in (1, 2))
        yield Figure(name, rate, "requests/s", cpu_us)


class _Round(NamedTuple):
    """The number of requests, their rate, and the server's CPU time for each in microseconds."""

    count: int
    rate: float
    cpu_us: float


def _once(load: Load, sent: int, seconds: float, folder: Path) -> _Round:
    # wrk counts whole seconds only.
    arguments = ["wrk", "-t1", "-c16", f"-d{max(1, round(seconds))}s"]
    arguments += [word for header in load.headers for word in ("-H", header)]
    if load.varied:
        script = folder / "varied.lua"
        script.write_text(_VARIED % (sent % load.varied, load.varied, load.path))
        arguments += ["-s", str(script)]
    used = load.server.cpu_s()
    said = subprocess.run(
        ["taskset", "-c", LOAD_CORE, *arguments, load.server.url + load.path],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    used = load.server.cpu_s() - used
    rate = re.search(r"Requests/sec:\s+([0-9.]+)", said)
    count = re.search(r"(\d+) requests in", said)
    if rate is None or count is None or "Non-2xx" in said:
        sys.exit(f"wrk did not get good answers to {load.path}:\n{said}")
    return _Round(int(count[1]), float(rate[1]), used / max(1, int(count[1])) * 1e6)


# ---------------------------------------------------------------- delays


def delays(url: str, paths: Iterator[str], seconds: float, per_second: int = 200) -> list[float]:
    """Return the delay of each answer in milliseconds, from the time its request was due.

    So a late answer delays the next ones, as it would delay other clients.
    """
    taken = []
    connection = _connected(url)
    started = time.perf_counter()
    for number in range(round(seconds * per_second)):
        due = started + number / per_second
        time.sleep(max(0.0, due - time.perf_counter()))
        connection.request("GET", next(paths))
        answer = connection.getresponse()
        answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{url} answered {answer.status}")
        taken.append((time.perf_counter() - due) * 1000)
    connection.close()
    return taken


@contextmanager
def asking(url: str, paths: Sequence[Iterator[str]]) -> Iterator[list[float]]:
    """Send requests on several threads, and yield the list of their times in milliseconds."""
    over = threading.Event()
    taken: list[float] = []

    def ask(wanted: Iterator[str]) -> None:
        connection = _connected(url)
        while not over.is_set():
            started = time.perf_counter()
            connection.request("GET", next(wanted))
            connection.getresponse().read()
            taken.append((time.perf_counter() - started) * 1000)
        connection.close()

    threads = [threading.Thread(target=ask, args=(path,)) for path in paths]
    for thread in threads:
        thread.start()
    try:
        yield taken
    finally:
        over.set()
        for thread in threads:
            thread.join()


def stream(url: str, path: str) -> tuple[int, float]:
    """Read a whole answer and return its number of lines and the seconds it took."""
    connection = _connected(url, timeout=600)
    started = time.perf_counter()
    connection.request("GET", path)
    answer = connection.getresponse()
    lines = 0
    while piece := answer.read(256 * 1024):
        lines += piece.count(b"\n")
    connection.close()
    return lines, time.perf_counter() - started


def _connected(url: str, timeout: float = 60) -> http.client.HTTPConnection:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=timeout)
    connection.connect()
    return connection
