"""The demo: the sample upstream and the service on a temporary database, and a tour of them."""

import asyncio
import contextlib
import json
import secrets
import socket
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from adapters.system.logs import configure
from entrypoints.config.loading import load
from entrypoints.config.settings import InvalidSetting, Settings
from entrypoints.processes.api import embedded, ensure_configured_admin
from entrypoints.processes.lifecycle import run_until, running, signals
from entrypoints.processes.server import address_of, listen, serving
from entrypoints.sample_upstream import ASSETS_FILE, SampleUpstream, settings_for


class DemoClient:
    """A client of the service at one address."""

    def __init__(self, url: str, admin: str, password: str) -> None:
        self.url = url
        self.password = password
        self._admin = admin

    async def get(self, path: str, token: str = "") -> Any:
        """Return the response to a GET."""
        return await self._call("GET", path, token)

    async def post(self, path: str, body: dict[str, str] | None = None) -> Any:
        """Return the response to a POST, with a JSON body if given."""
        return await self._call("POST", path, "", body)

    async def status(self, path: str) -> int:
        """Return the status of an anonymous request."""
        try:
            await self.get(path)
        except urllib.error.HTTPError as refused:
            refused.close()
            return refused.code
        return 200

    async def log_in(self) -> str:
        """Return an access token of the admin."""
        return await self._token(self._admin, self.password)

    async def sign_up(self, name: str) -> str:
        """Create a user and return an access token."""
        password = secrets.token_urlsafe(12)
        await self.post("/auth/signup", {"username": name, "password": password})
        return await self._token(name, password)

    async def _token(self, name: str, password: str) -> str:
        granted = await self.post("/auth/login", {"username": name, "password": password})
        return str(granted["access_token"])

    async def _call(
        self, method: str, path: str, token: str, body: dict[str, str] | None = None
    ) -> Any:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        data = None
        if body is not None:
            data, headers["Content-Type"] = json.dumps(body).encode(), "application/json"
        request = urllib.request.Request(  # noqa: S310 - our own address
            self.url + path, data=data, headers=headers, method=method
        )

        def call() -> Any:
            with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
                return json.load(answer)

        return await asyncio.to_thread(call)


_INTERVAL_S = 5
_ADMIN = "admin"

Echo = Callable[[str], Any]


async def run(port: int, once: bool, echo: Echo) -> None:
    """Show every dataset, with fetches, filters, a login, and a task with its stars."""
    with tempfile.TemporaryDirectory(prefix="catchment-demo-") as directory:
        async with SampleUpstream() as upstream:
            settings = _settings(Path(directory), upstream)
            configure("error", "console")
            with _bound(port, echo) as bound:
                async with running(settings) as container:
                    await ensure_configured_admin(container)
                    async with serving(container.app(), bound):
                        caller = DemoClient(address_of(bound), _ADMIN, settings.admin_password)
                        tour = _tour(caller, upstream, once, echo)
                        with signals() as stop:
                            await run_until(stop, [*embedded(container), lambda: tour])


def _settings(directory: Path, upstream: SampleUpstream) -> Settings:
    return load(
        {
            **settings_for(upstream.url("")),
            "CATCHMENT_ASSETS_CSV": str(ASSETS_FILE),
            "CATCHMENT_DATABASE_URL": f"sqlite:///{directory / 'demo.db'}",
            "CATCHMENT_ADMIN_USERNAME": _ADMIN,
            "CATCHMENT_ADMIN_PASSWORD": secrets.token_urlsafe(12),
            "CATCHMENT_MIN_FETCH_INTERVAL": f"{_INTERVAL_S}s",
            "CATCHMENT_FETCH_EVERY": "off",
            "CATCHMENT_FETCH_ON_START": "false",
        }
    )


async def _tour(caller: DemoClient, upstream: SampleUpstream, once: bool, echo: Echo) -> None:
    await _show_posts(caller, upstream, echo)
    await _show_assets(caller, echo)
    await _show_points(caller, upstream, echo)
    await _show_task(caller, echo)
    if not once:
        _invite(caller, echo)
        await asyncio.Event().wait()


def _bound(port: int, echo: Echo) -> socket.socket:
    with contextlib.suppress(InvalidSetting):
        return listen("127.0.0.1", port)
    echo(f"Port {port} is taken; using another one.")
    return listen("127.0.0.1", 0)


async def _show_posts(caller: DemoClient, upstream: SampleUpstream, echo: Echo) -> None:
    echo(f"The sample upstream is at {upstream.url('')}, Catchment at {caller.url}\n")

    echo("1. A first fetch:          POST /fetch")
    echo(f"   {_summary(await caller.post('/fetch'))}")

    echo("2. Filtered:               GET /data?user_id=1&fields=title")
    page = await caller.get("/data?user_id=1&fields=title")
    echo(f"   {page['count']} posts by user 1, the first: {page['data'][0]['title']!r}")

    echo(f"3. Again, {_INTERVAL_S} seconds later: POST /fetch")
    await asyncio.sleep(_INTERVAL_S + 0.1)
    again = await caller.post("/fetch")
    sent = upstream.requests[-1].headers.get("if-none-match", "nothing")
    echo(f"   {_summary(again)}")
    echo(f"   sent If-None-Match: {sent}, the response was {upstream.requests[-1].status}")

    echo("4. Once more, too soon:    POST /fetch")
    before = upstream.count()
    echo(f"   {_summary(await caller.post('/fetch'))}")
    echo(f"   requests to the upstream: {upstream.count() - before}")


async def _show_assets(caller: DemoClient, echo: Echo) -> None:
    echo("5. One dataset, two sources: POST /fetch/crypto_assets")
    fetched = await caller.post("/fetch/crypto_assets")
    for source in fetched["sources"]:
        echo(f"   {source['source']}: {_counted(source['counts'])}")
    query = "/data/crypto_assets?sort=-market_cap_usd&limit=3&fields=symbol"
    echo(f"6. Sorted:                 GET {query}")
    page = await caller.get(query)
    largest = [f"{asset['symbol']} ({asset['source']})" for asset in page["data"]]
    echo(f"   {', '.join(largest)}")


async def _show_points(caller: DemoClient, upstream: SampleUpstream, echo: Echo) -> None:
    tags: list[list[str]] = [[], ["suspect"], []]
    now = int(time.time())
    upstream.set_points(
        [{"time": now, "value": [0, 0, n, 65], "tags": each} for n, each in enumerate(tags)]
    )
    echo("7. Logged in as admin:     POST /auth/login, then GET /api/populate three times")
    token = await caller.log_in()
    points = [await caller.get("/api/populate", token) for _ in range(3)]
    valid = sum(point["valid"] for point in points)
    echo(f"   3 points, {valid} of them valid, the last: {points[-1]['value']:.3f}")

    echo("8. As a user:              POST /auth/signup, /auth/login, then GET /api/data")
    user = await caller.sign_up("visitor")
    seen = [len(await caller.get("/api/data", who)) for who in (token, user)]
    echo(f"   the admin sees {seen[0]} points, a user the {seen[1]} valid ones,")
    echo(f"   and an anonymous request gets {await caller.status('/api/data')}")


async def _show_task(caller: DemoClient, echo: Echo) -> None:
    task = {"title": "Read the release notes", "repository": "litestar-org/litestar"}
    echo(f"9. A task:                 POST /tasks about {task['repository']}")
    made = await caller.post("/tasks", task)
    echo(f"   {made['enrichment']}: {made['repo_stars']} stars, {made['repo_language']}")


def _summary(answer: dict[str, Any]) -> str:
    if answer["outcome"] == "fresh":
        return f"fresh: {answer['detail']}"
    not_modified = sum(source["not_modified"] for source in answer["sources"])
    if not_modified:
        return f"{answer['outcome']}: the upstream reports no change"
    return f"{answer['outcome']}: {_counted(answer['counts'])}"


def _counted(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.items() if count)


def _invite(caller: DemoClient, echo: Echo) -> None:
    url = caller.url
    echo(f"\nTry it, also as {_ADMIN!r} with the password {caller.password!r} (Ctrl-C stops it):")
    echo(f"  curl '{url}/data?title__icontains=a&sort=-id&limit=3'")
    echo(f"  curl -X POST '{url}/fetch'")
    echo(f"  curl '{url}/data/crypto_assets?symbol=BTC'")
    echo(f"  curl '{url}/tasks?repo_stars__gte=1000'")
    echo(f"  or in a browser: {url}/docs")
