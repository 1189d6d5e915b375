"""One server's endpoints through the product: added by URL, fetched twice, and served."""

import os
import re
import subprocess
import time
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import msgspec

from tests.prove.crew import CATCHMENT, free_port
from tests.upstreams.servers import Endpoint, Server
from tests.upstreams.starting import started

SURE, BY_HAND = "sure", "by hand"
#: For one command, and for one fetch.
PATIENCE_S = 120.0
#: A report is partial where a source failed, which is looked at, or records were rejected.
_WHOLE = ("changed", "unchanged", "partial")
_ADMIN = {"username": "ann", "password": "upstreams for ann"}


@dataclass(frozen=True)
class Walked:
    """What became of one endpoint."""

    server: str
    path: str
    added: str
    pages: str = ""
    key: str = ""
    records: int = 0
    served: int | None = None
    again: str = ""
    requests: str = ""
    seconds: float = 0.0
    error: str = ""

    @property
    def ok(self) -> bool:
        """Whether all that was put in is served, and a second fetch found nothing new."""
        return not self.error and self.served == self.records and self.again == "unchanged"


def walk(server: Server, folder: Path) -> Iterator[Walked]:
    """Start a server and yield what became of each of its endpoints."""
    blocks = folder / "datasets"
    blocks.mkdir()
    with started(server.name) as url:
        named = {f"things_{number}": each for number, each in enumerate(server.endpoints, 1)}
        settings = _settings(url, folder, blocks, named)
        added = {name: _add(url, name, named[name], blocks, settings) for name in named}
        with _serving(settings, folder) as catchment:
            for name, endpoint in named.items():
                yield _walked(server, endpoint, name, added[name], blocks, catchment)


def _settings(url: str, folder: Path, blocks: Path, named: dict[str, Endpoint]) -> dict[str, str]:
    host = url.removeprefix("http://")
    return {
        "PATH": os.defpath,
        "CATCHMENT_DATABASE_URL": f"sqlite:///{folder}/catchment.db",
        "CATCHMENT_DATASETS": str(blocks),
        "CATCHMENT_PORT": str(free_port()),
        "CATCHMENT_POSTS_URL": "",
        "CATCHMENT_COINPAPRIKA_URL": "",
        "CATCHMENT_GITHUB_URL": "",
        "CATCHMENT_FETCH_EVERY": "off",
        "CATCHMENT_FETCH_ON_START": "false",
        "CATCHMENT_MIN_FETCH_INTERVAL": "0s",
        # What was fetched with a secret is for those who have logged in.
        "CATCHMENT_ADMIN_USERNAME": _ADMIN["username"],
        "CATCHMENT_ADMIN_PASSWORD": _ADMIN["password"],
        "CATCHMENT_RATE_LIMITS": f"{host}=100/1s",
        **{_variable(name): each.secret for name, each in named.items() if each.secret},
    }


def _variable(name: str) -> str:
    """Return the variable that holds the secret of an endpoint; those of one server differ."""
    return f"SECRET_{name.upper()}"


# ---------------------------------------------------------------- catchment add


@dataclass(frozen=True)
class _Added:
    said: str
    requests: int = 0
    error: str = ""


def _add(url: str, name: str, endpoint: Endpoint, blocks: Path, settings: dict[str, str]) -> _Added:
    """Write a block for the endpoint and return how sure `catchment add` was of it."""
    file = blocks / f"{name}.toml"
    if endpoint.block:
        block = endpoint.block.format(name=name, url=url)
        file.write_text(block.replace('"SECRET"', f'"{_variable(name)}"'))
        return _Added(BY_HAND)
    words = [CATCHMENT, "add", url + endpoint.path, "--name", name, "--file", str(file)]
    if endpoint.auth:
        words += ["--auth", endpoint.auth.replace("SECRET", _variable(name))]
    said = SURE
    ran = _ran(words, settings)
    if ran.returncode == 2 and (asked := re.findall(r"^  .* \[(--\S+).*\]$", ran.stderr, re.M)):
        said = f"asks {' '.join(dict.fromkeys(asked))}"
        ran = _ran([*words, *endpoint.answers, "--yes"], settings)
    if ran.returncode != 0:
        return _Added(f"refused, {said}", error=_last(ran.stderr))
    requests = re.search(r"\((\d+) requests", ran.stdout)
    return _Added(said, int(requests[1]) if requests else 0)


def _ran(words: list[str], settings: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        words,
        env=settings,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )


def _last(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1].strip() if lines else "it said nothing"


# ---------------------------------------------------------------- catchment serve


@contextmanager
def _serving(settings: dict[str, str], folder: Path) -> Iterator[httpx.Client]:
    """Start `catchment serve`, yield a client of it once it is ready, and end it."""
    log = folder / "catchment.log"
    with log.open("wb") as written:
        process = subprocess.Popen(
            [CATCHMENT, "serve"], env=settings, cwd=folder, stdout=written, stderr=written
        )
    try:
        url = f"http://127.0.0.1:{settings['CATCHMENT_PORT']}"
        with httpx.Client(base_url=url, timeout=PATIENCE_S) as client:
            until = time.monotonic() + PATIENCE_S
            while not _is_ready(client):
                if process.poll() is not None or time.monotonic() > until:
                    raise RuntimeError(f"catchment serve did not start: {_last(log.read_text())}")
                time.sleep(0.05)
            login = client.post("/auth/login", json=_ADMIN).raise_for_status().json()
            client.headers["Authorization"] = f"Bearer {login['access_token']}"
            yield client
    finally:
        process.kill()
        process.wait()


def _is_ready(client: httpx.Client) -> bool:
    try:
        return client.get("/health/ready").status_code == 200
    except httpx.TransportError:
        return False


def _walked(
    server: Server,
    endpoint: Endpoint,
    name: str,
    added: _Added,
    blocks: Path,
    catchment: httpx.Client,
) -> Walked:
    if added.error:
        return Walked(
            server.name, endpoint.path, added.said, records=endpoint.records, error=added.error
        )
    block = tomllib.loads((blocks / f"{name}.toml").read_text())["datasets"][name]
    began = time.monotonic()
    first = catchment.post(f"/fetch/{name}").json()
    seconds = time.monotonic() - began
    second = catchment.post(f"/fetch/{name}").json()
    counted = catchment.get(f"/data/{name}", params={"limit": 1, "count": "exact"}).json()
    return Walked(
        server=server.name,
        path=endpoint.path,
        added=added.said,
        pages=_short(block.get("pages", "none")),
        key=_short(block.get("key", "")),
        records=endpoint.records,
        served=counted.get("page", {}).get("total"),
        again=_again(second),
        requests=f"{added.requests} + {_requests(first)} + {_requests(second)}",
        seconds=seconds,
        error=_error(first, endpoint.rejected) or _error(second, endpoint.rejected),
    )


def _again(report: dict[str, Any]) -> str:
    """Return what a second fetch found; a record that is new, changed or gone is one too many."""
    counts = report.get("counts", {})
    changed = {name: counts.get(name, 0) for name in ("inserted", "updated", "deleted")}
    found = ", ".join(f"{number} {name}" for name, number in changed.items() if number)
    return found or ("unchanged" if report.get("outcome") in _WHOLE else "no report")


def _requests(report: dict[str, Any]) -> int:
    return sum(source["requests"] for source in report.get("sources", ()))


def _error(report: dict[str, Any], rejected: int) -> str:
    """Return why a fetch was not whole: a problem, a failed source, or too many rejections."""
    errors = [s["error"]["detail"] for s in report.get("sources", ()) if s.get("error")]
    if errors or report.get("outcome") not in _WHOLE:
        return "; ".join(errors) or str(report.get("detail", "there was no report"))
    found = report["counts"]["quarantined"]
    return "" if found == rejected else f"{found} rejected, and not {rejected}"


def _short(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
