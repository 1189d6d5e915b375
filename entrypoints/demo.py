"""The demo: sample upstream, service and fetches in one process, on a throw-away database."""

import asyncio
import contextlib
import json
import socket
import tempfile
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from entrypoints.api import address_of, embedded, listen, serving
from entrypoints.logs import configure
from entrypoints.service import doing, running, signals
from entrypoints.settings import InvalidSetting, load
from entrypoints.upstream import SampleUpstream

_INTERVAL_S = 5

Echo = Callable[[str], Any]


async def run(port: int, once: bool, echo: Echo) -> None:
    """Show a first fetch, a filtered read, a refetch that finds nothing new, and a fresh one."""
    with tempfile.TemporaryDirectory(prefix="catchment-demo-") as directory:
        async with SampleUpstream() as upstream:
            settings = load(
                {
                    "CATCHMENT_DATABASE_URL": f"sqlite:///{Path(directory) / 'demo.db'}",
                    "CATCHMENT_POSTS_URL": upstream.url("/posts"),
                    "CATCHMENT_COINPAPRIKA_URL": "",
                    "CATCHMENT_MIN_FETCH_INTERVAL": f"{_INTERVAL_S}s",
                    "CATCHMENT_FETCH_EVERY": "off",
                    "CATCHMENT_FETCH_ON_START": "false",
                }
            )
            configure("warning", "console")
            with _taken(port, echo) as taken:
                async with running(settings) as container, serving(container, taken):
                    showing = _shown(address_of(taken), upstream, once, echo)
                    with signals() as told:
                        await doing([*embedded(container), lambda: showing], told)


async def _shown(url: str, upstream: SampleUpstream, once: bool, echo: Echo) -> None:
    await _show(url, upstream, echo)
    if not once:
        _invite(url, echo)
        await asyncio.Event().wait()


def _taken(port: int, echo: Echo) -> socket.socket:
    with contextlib.suppress(InvalidSetting):
        return listen("127.0.0.1", port)
    echo(f"Port {port} is taken, so another one is used.")
    return listen("127.0.0.1", 0)


async def _show(url: str, upstream: SampleUpstream, echo: Echo) -> None:
    echo(f"The sample upstream answers at {upstream.url('/posts')}, Catchment at {url}\n")

    echo("1. A first fetch:          POST /fetch")
    echo(f"   {_summary(await _call('POST', url + '/fetch'))}")

    echo("2. Filtered:               GET /data?user_id=1&fields=title")
    page = await _call("GET", url + "/data?user_id=1&fields=title")
    echo(f"   {page['count']} posts by user 1, the first: {page['data'][0]['title']!r}")

    echo(f"3. Again, {_INTERVAL_S} seconds later: POST /fetch")
    await asyncio.sleep(_INTERVAL_S + 0.1)
    again = await _call("POST", url + "/fetch")
    sent = upstream.requests[-1].headers.get("if-none-match", "nothing")
    echo(f"   {_summary(again)}")
    echo(f"   we sent If-None-Match: {sent}, the answer was {upstream.requests[-1].status}")

    echo("4. Once more, too soon:    POST /fetch")
    before = upstream.count()
    echo(f"   {_summary(await _call('POST', url + '/fetch'))}")
    echo(f"   requests to the upstream: {upstream.count() - before}")


def _summary(answer: dict[str, Any]) -> str:
    counts = {name: count for name, count in answer["counts"].items() if count}
    told = ", ".join(f"{count} {name}" for name, count in counts.items())
    if answer["outcome"] == "fresh":
        return f"fresh: {answer['detail']}"
    not_modified = sum(source["not_modified"] for source in answer["sources"])
    if not_modified:
        return f"{answer['outcome']}: the upstream says that nothing has changed"
    return f"{answer['outcome']}: {told}"


def _invite(url: str, echo: Echo) -> None:
    echo("\nTry it (Ctrl-C stops):")
    echo(f"  curl '{url}/data?title__icontains=a&sort=-id&limit=3'")
    echo(f"  curl -X POST '{url}/fetch'")
    echo(f"  curl '{url}/data?user_id__in=1,2&format=csv'")
    echo(f"  and in a browser: {url}/docs")


async def _call(method: str, url: str) -> dict[str, Any]:
    def call() -> dict[str, Any]:
        request = urllib.request.Request(url, method=method)  # noqa: S310 - our own address
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            read: dict[str, Any] = json.load(answer)
            return read

    return await asyncio.to_thread(call)
