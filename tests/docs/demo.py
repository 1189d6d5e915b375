"""The demo, started as a user does, and the programs of the documentation that run against it."""

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

import httpx

from tests.docs.markdown import ROOT
from tests.docs.processes import started

#: How the pages name what differs from one service to the next.
ADDRESS = "http://127.0.0.1:8000"
TOKEN, PASSWORD = "YOUR TOKEN", "YOUR PASSWORD"

_PRINTED = re.compile(r"^ *(?:print|console\.log)\(.*\);? +(?:#|//) (.*)$", re.MULTILINE)


class Demo:
    """A demo that has printed its tour and goes on serving."""

    def __init__(self, lines: Iterator[str]) -> None:
        self.shown = ""
        for line in lines:
            if line.startswith("Try it"):
                break
            self.shown += line
        self.url = re.findall(r"Catchment at (\S+)", self.shown)[0]
        self.password = re.findall(r"the password '([^']+)'", line)[0]
        self.invitation = "".join(next(lines) for _ in range(4))

    @cached_property
    def token(self) -> str:
        """Return an API token of the admin that may read."""
        login = {"username": "admin", "password": self.password}
        granted = httpx.post(f"{self.url}/auth/login", json=login).raise_for_status().json()
        headers = {"Authorization": f"Bearer {granted['access_token']}"}
        named = {"name": "a program of the documentation", "scope": "read"}
        made = httpx.post(f"{self.url}/auth/tokens", json=named, headers=headers)
        return str(made.raise_for_status().json()["token"])

    def adapted(self, text: str) -> str:
        """Return a program or a command of a page as it is for this demo."""
        text = text.replace(ADDRESS, self.url)
        return text.replace(TOKEN, self.token).replace(PASSWORD, self.password)


@contextmanager
def demo() -> Iterator[Demo]:
    """Yield `catchment demo` on a free port."""
    with tempfile.TemporaryDirectory() as folder:
        command = "entrypoints.cli.main", "demo", "--port", "0"
        with started(*command, at=Path(folder), PYTHONPATH=str(ROOT)) as lines:
            yield Demo(lines)


def printed(program: str) -> list[str]:
    """Return what a program of a page says that it prints: the comments behind that."""
    return _PRINTED.findall(program)
