"""`make bench`: reads beside the bare limit, as ratios of one run.

The server is pinned to one core and the load to another. Every round measures everything once, in
turns, and the medians of the rounds are compared: the machine may drift, the ratios stay.
"""

import asyncio
import json
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from entrypoints.upstream import SampleUpstream

POSTS = 100_000
ROUNDS = 5
SECONDS = 3
HERE = Path(__file__).parent
CATCHMENT = str(Path(sys.executable).with_name("catchment"))

#: Another user with every request, one after the other: ten thousand pages are more than are kept
#: ready, so that each has been forgotten when it is asked for again.
VARIED = """
local n = 0
request = function()
  n = n % 10000 + 1
  return wrk.format("GET", "/data?user_id=" .. n)
end
"""


def main() -> None:
    """Run everything and print the table."""
    if not shutil.which("wrk"):
        sys.exit("wrk makes the load and is not installed. On Debian: apt-get install wrk")
    with tempfile.TemporaryDirectory() as directory:
        settings = {"CATCHMENT_DATABASE_URL": f"sqlite:///{directory}/bench.db"}
        ingested = asyncio.run(_load(settings, directory))
        print(f"{POSTS} posts fetched, kept and merged in {ingested:.1f} s", flush=True)
        with _bare(directory) as bare, _service(settings, directory) as ours:
            table = _measure(bare, ours, Path(directory))
    limit = table["bare ASGI function"]
    print(f"\n{'what':34} {'requests/s':>10} {'ratio':>6}")
    for name, rate in table.items():
        print(f"{name:34} {rate:10.0f} {rate / limit:6.2f}")
    print(json.dumps({name: round(rate / limit, 3) for name, rate in table.items()}))


def _measure(bare: str, ours: str, directory: Path) -> dict[str, float]:
    script = directory / "varied.lua"
    script.write_text(VARIED)
    page = ours + "/data?user_id=5"
    etag = urllib.request.urlopen(page).headers["ETag"]  # noqa: S310 - our own address
    loads = {
        "bare ASGI function": [bare],
        "repeated page": [page],
        "If-None-Match that still matches": ["-H", f"If-None-Match: {etag}", page],
        "first page": ["-s", str(script), ours],
        "one record": [ours + "/data/posts/5"],
    }
    rates: dict[str, list[float]] = {name: [] for name in loads}
    for number in range(ROUNDS):
        print(f"round {number + 1} of {ROUNDS} ...", flush=True)
        for name, arguments in loads.items():
            rates[name].append(_wrk(arguments))
    return {name: statistics.median(found) for name, found in rates.items()}


def _wrk(arguments: list[str]) -> float:
    command = ["taskset", "-c", "1", "wrk", "-t1", "-c16", f"-d{SECONDS}s", *arguments]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    match = re.search(r"Requests/sec:\s+([0-9.]+)", said)
    if match is None or "Non-2xx" in said:
        sys.exit(f"wrk did not get good answers:\n{said}")
    return float(match[1])


async def _load(settings: dict[str, str], directory: str) -> float:
    async with SampleUpstream(posts=POSTS) as upstream:
        host, port = upstream.address
        settings["CATCHMENT_COINPAPRIKA_URL"] = ""
        settings["CATCHMENT_POSTS_URL"] = upstream.url("/posts?_page=1&_limit=1000")
        settings["CATCHMENT_RATE_LIMITS"] = f"{host}:{port}=100000/1s"
        began = time.perf_counter()
        process = await asyncio.create_subprocess_exec(
            CATCHMENT, "fetch", "posts", env={"PATH": os.defpath, **settings}, cwd=directory
        )
        if await process.wait():
            sys.exit("the posts could not be fetched")
        return time.perf_counter() - began


@contextmanager
def _bare(directory: str) -> Iterator[str]:
    port = _free_port()
    with _running([sys.executable, str(HERE / "bare.py"), str(port)], {}, directory, port):
        yield f"http://127.0.0.1:{port}/"


@contextmanager
def _service(settings: dict[str, str], directory: str) -> Iterator[str]:
    port = _free_port()
    quiet = {
        "CATCHMENT_PORT": str(port),
        "CATCHMENT_FETCH_EVERY": "off",
        "CATCHMENT_FETCH_ON_START": "false",
    }
    with _running([CATCHMENT, "serve"], {**settings, **quiet}, directory, port):
        yield f"http://127.0.0.1:{port}"


@contextmanager
def _running(
    command: list[str], settings: dict[str, str], directory: str, port: int
) -> Iterator[None]:
    process = subprocess.Popen(
        ["taskset", "-c", "0", *command],
        env={"PATH": os.defpath, **settings},
        cwd=directory,
        stdout=subprocess.DEVNULL,
    )
    try:
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


if __name__ == "__main__":
    main()
