"""The kinds of proof: real processes, tests by their names, and programs of their own."""

import asyncio
import importlib
import importlib.util
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import msgspec

from tests.prove.figures import Figure, reported
from tests.prove.servers import Servers

ROOT = Path(__file__).parents[2]
_ENDED = re.compile(r"(\d+) (passed|failed|error)")


class Proof(Protocol):
    """Something that finds figures."""

    @property
    def name(self) -> str:
        """What it is called by those who want only this."""

    @property
    def quick(self) -> bool:
        """Whether it starts no other process of ours."""

    @property
    def needs_servers(self) -> bool:
        """Whether it needs PostgreSQL and RabbitMQ of its own."""

    @property
    def is_there(self) -> bool:
        """Whether it can be run here."""

    async def run(self, servers: Servers | None) -> list[Figure]:
        """What it finds."""

    def __hash__(self) -> int: ...


class Real(msgspec.Struct, frozen=True):
    """A module here whose `prove` starts real processes, and harms them."""

    name: str
    quick: bool = False
    needs_servers: bool = True
    is_there: bool = True

    async def run(self, servers: Servers | None) -> list[Figure]:
        """What it finds: one figure or several."""
        found: Any = await importlib.import_module(f"tests.prove.{self.name}").prove(servers)
        return [found] if isinstance(found, Figure) else list(found)


class Tests(msgspec.Struct, frozen=True):
    """Tests of `make test`, which speak for a promise; what they print is their figure."""

    promise: str
    nodes: tuple[str, ...]
    needs_servers: bool = False
    is_there: bool = True

    @property
    def name(self) -> str:
        """Who they speak for."""
        return f"tests of {self.promise}"

    @property
    def quick(self) -> bool:
        """Whether they start no other process of ours."""
        return not any(node.startswith("tests/e2e") for node in self.nodes)

    async def run(self, servers: Servers | None) -> list[Figure]:
        """The figures they print, or else how many there are."""
        said, status = await _said("pytest", "-q", "-s", "-p", "no:cacheprovider", *self.nodes)
        counted = {word: int(count) for count, word in _ENDED.findall(said.splitlines()[-1])}
        figures = [f for f in _figures(said) if f.promise == self.promise]
        if status or not counted.get("passed"):
            print(said[-4000:], flush=True)
            bad = counted.get("failed", 0) + counted.get("error", 0)
            return [*figures, reported(self.promise, f"failed:{bad or '?'}", "failed:0", ok=False)]
        passed = counted["passed"]
        return figures or [reported(self.promise, f"tests:{passed},failed:0", "failed:0", ok=True)]


class Program(msgspec.Struct, frozen=True):
    """A program that prints figures of its own; it need not be there."""

    module: str
    arguments: tuple[str, ...] = ()
    quick: bool = False
    needs_servers: bool = False

    @property
    def name(self) -> str:
        """The last part of its module's name."""
        return self.module.rpartition(".")[2]

    @property
    def is_there(self) -> bool:
        """Whether this checkout has it."""
        return importlib.util.find_spec(self.module) is not None

    async def run(self, servers: Servers | None) -> list[Figure]:
        """The figure it prints, or how many of several are good; its exit status decides."""
        said, status = await _said(self.module, *self.arguments)
        figures = _figures(said)
        if status or not figures:
            print(said[-4000:], flush=True)
        promise, good = self.name.upper(), sum(figure.ok for figure in figures)
        if len(figures) == 1:
            return [figures[0]._replace(promise=promise, ok=figures[0].ok and not status)]
        kept = reported(promise, f"kept:{good}/{len(figures)}", "kept:all", not status and good > 0)
        return [kept]


async def _said(module: str, *arguments: str) -> tuple[str, int]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", module, *arguments),
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},  # noqa: TID251 - the tests look for servers
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        said, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    return said.decode(errors="replace").strip(), process.returncode or 0


def _figures(said: str) -> Sequence[Figure]:
    found = map(Figure.parse, said.splitlines())
    return [figure for figure in found if figure is not None]
