"""The how-tos are followed literally in a copy of the product, which is then used."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import httpx
import pytest

from tests.docs.edits import copy_product, follow
from tests.docs.markdown import DOCS
from tests.docs.processes import run, started

STATIONS = json.dumps(
    [
        {"id": "g-1", "water": "Isar", "level_cm": 183, "time": "2026-01-31T12:00:00Z"},
        {"id": "g-2", "water": "Isar", "level_cm": 90, "time": "2026-01-31T12:00:00Z"},
        {"id": "g-3", "water": "Loisach", "level_cm": None, "time": "2026-01-31T12:00:00Z"},
    ]
).encode()
BULLETIN = b"""station;time;river;level_m
Ache;2026-01-31T12:00:00+01:00;Saalach;2.42
Mill;today;Saalach;high
"""
BODIES = {b"/stations": STATIONS, b"/bulletin": BULLETIN}


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer one request with the body of its path, and hang up."""
    head = await reader.readuntil(b"\r\n\r\n")
    body = BODIES[head.split()[1]]
    kind = b"application/json" if body is STATIONS else b"text/plain"
    writer.write(
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: %b\r\nContent-Length: %d\r\n\r\n%b"
        % (kind, len(body), body)
    )
    await writer.drain()
    writer.close()
    await writer.wait_closed()


@contextmanager
def serving() -> Iterator[str]:
    """Return the authority's two files on a real port, as a URL."""
    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(asyncio.start_server(answer, "127.0.0.1", 0))
    thread = Thread(target=loop.run_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        server.close()
        loop.run_until_complete(server.wait_closed())
        loop.close()


@pytest.fixture
def product(tmp_path: Path) -> Path:
    """Return a copy of the product that may be edited."""
    copy_product(tmp_path)
    return tmp_path


def test_a_dataset_is_added_as_the_how_to_says(product: Path) -> None:
    added = follow(DOCS / "how-to" / "add-a-dataset.md", product)
    tests = [path for path in added if path.startswith("tests/")]

    assert "2 passed" in run("pytest", "-q", "-p", "no:cacheprovider", *tests, at=product)
    with serving() as authority:
        settings = {"CATCHMENT_RIVERS_URL": f"{authority}/stations"}
        output = run("entrypoints.cli.main", "fetch", "rivers", at=product, **settings)
    assert "rivers: changed" in output
    assert "gauges: 3 received, 3 inserted" in output
    quiet = {
        "CATCHMENT_POSTS_URL": "",
        "CATCHMENT_COINPAPRIKA_URL": "",
        "CATCHMENT_FETCH_EVERY": "off",
        "CATCHMENT_PORT": "0",
    }
    with started("entrypoints.cli.main", "serve", at=product, **quiet) as lines:
        url = next(lines).split(" serves ")[1].split(",")[0]
        high = httpx.get(f"{url}/data/rivers?level_m__gt=1.5&sort=-level_m").json()
        one = httpx.get(f"{url}/data/rivers/gauges/g-1").json()
        dry = httpx.get(f"{url}/data/rivers?level_m__isnull=true").json()
    assert [record["station"] for record in high["data"]] == ["g-1"]
    assert one["data"]["level_m"] == 1.83
    assert [record["station"] for record in dry["data"]] == ["g-3"]


def test_a_source_is_added_as_the_how_to_says(product: Path) -> None:
    follow(DOCS / "how-to" / "add-a-dataset.md", product)
    added = follow(DOCS / "how-to" / "add-a-source.md", product)
    tests = [path for path in added if path.startswith("tests/")]

    assert "1 passed" in run("pytest", "-q", "-p", "no:cacheprovider", *tests, at=product)
    with serving() as authority:
        settings = {
            "CATCHMENT_RIVERS_URL": f"{authority}/stations",
            "CATCHMENT_BULLETIN_URL": f"{authority}/bulletin",
        }
        output = run("entrypoints.cli.main", "fetch", "rivers", at=product, **settings)
    assert "rivers: partial" in output
    assert "gauges: 3 received, 3 inserted" in output
    assert "bulletin: 2 received, 1 inserted, 1 quarantined" in output
    checked = run("entrypoints.cli.main", "config", "check", at=product, **settings)
    host = authority.removeprefix("http://")
    assert checked.count(f"rivers calls {host} about 2880 times a month.") == 2
    assert "line 3: time: expected a time with its zone" in output
