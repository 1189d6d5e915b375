"""The workbench: what every measurement needs."""

import json
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from tests.bench.databases import Databases
from tests.bench.processes import LOAD_CORE, SERVER_CORE, Running, python, running
from tests.bench.scale import Scale
from tests.bench.upstream import PAGE

HERE = Path(__file__).parent
_SECRET = "a secret for benchmarks, of 32 bytes"


class Bench:
    """A run: its scale, its folder, its databases, and the upstream to fetch from."""

    def __init__(
        self, scale: Scale, folder: Path, cache: Path, engines: tuple[str, ...], upstream: Running
    ) -> None:
        self.scale = scale
        self.folder = folder
        self.cache = cache
        self.engines = engines
        self.upstream = upstream
        self.databases = Databases(folder)
        #: The peers that cannot be installed, and why.
        self.missing: dict[str, str] = {}
        self._loaded: dict[str, str] = {}

    def say(self, what: str) -> None:
        """Print the progress."""
        print(f"  {what}", file=sys.stderr, flush=True)

    def steer(self, **parameters: int) -> None:
        """Configure the records of the upstream."""
        plain = {"every": 1, "salt": 0, "first": 1, "spaces": 0}
        get(f"{self.upstream.url}/set?{urlencode({**plain, **parameters})}")

    @contextmanager
    def service(
        self, url: str, cores: str = SERVER_CORE, command: str = "serve", **settings: str
    ) -> Iterator[Running]:
        """Run `catchment serve` over a database, and yield it once it answers."""
        with running(
            catchment(command), {**self.settings(url), **settings}, self.folder, "/data", cores
        ) as service:
            yield service

    def settings(self, url: str) -> dict[str, str]:
        """Return the settings of a process over a database."""
        return {
            "CATCHMENT_DATABASE_URL": url,
            "CATCHMENT_SECRET_KEY": _SECRET,
            "CATCHMENT_PORT": "PORT",
            "CATCHMENT_POSTS_URL": self.posts_url,
            "CATCHMENT_COINPAPRIKA_URL": "",
            "CATCHMENT_MIN_FETCH_INTERVAL": "0s",
            "CATCHMENT_FETCH_EVERY": "off",
            "CATCHMENT_FETCH_ON_START": "false",
            "CATCHMENT_FETCH_DEADLINE": "30m",
            "CATCHMENT_CLIENT_LIMITS": "fetch=100000/1s,login=30/1m",
            "CATCHMENT_RATE_LIMITS": f"{self.upstream.url.removeprefix('http://')}=100000/1s",
            "CATCHMENT_LOG_LEVEL": "warning",
        }

    @property
    def posts_url(self) -> str:
        """The URL of the posts."""
        return f"{self.upstream.url}/posts?_page=1&_limit={PAGE}"

    def loaded(self, engine: str) -> str:
        """Return the URL of a database with all the posts, loaded once."""
        if engine not in self._loaded:
            url = self.databases.make(engine)
            self.steer(count=self.scale.posts)
            with self.service(url) as service:
                fetch(service)
            self._loaded[engine] = url
        return self._loaded[engine]


Measure = Callable[[Bench], Iterator[Any]]


@contextmanager
def workbench(scale: Scale, folder: Path, cache: Path, engines: tuple[str, ...]) -> Iterator[Bench]:
    """Yield a workbench with a running upstream, and drop its databases at the end."""
    serving = python("-m", "tests.bench.upstream", "PORT")
    with running(["nice", "-n", "5", *serving], {"PYTHONPATH": str(HERE.parents[1])}, folder,
                 "/set", LOAD_CORE) as upstream:  # fmt: skip
        bench = Bench(scale, folder, cache, engines, upstream)
        try:
            yield bench
        finally:
            bench.databases.drop_all()


def catchment(*arguments: str) -> list[str]:
    """Return a command of the product in this folder."""
    return python("-c", "from entrypoints.cli.main import main; main()", *arguments)


def get(url: str) -> Any:
    """Return the JSON at a URL."""
    with urllib.request.urlopen(url, timeout=1800) as answer:  # noqa: S310 - our own addresses
        return json.load(answer)


def post(url: str) -> Any:
    """Return the JSON answer to a POST."""
    request = urllib.request.Request(url, method="POST")  # noqa: S310
    with urllib.request.urlopen(request, timeout=1800) as answer:  # noqa: S310
        return json.load(answer)


def fetch(service: Running) -> dict[str, int]:
    """Make a service fetch the posts, and return the counts of its report."""
    report = post(service.url + "/fetch/posts")
    if report["status"] != "succeeded":
        raise RuntimeError(f"the posts could not be fetched: {report}")
    counts: dict[str, int] = report["counts"]
    return counts
