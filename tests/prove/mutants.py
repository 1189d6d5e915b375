"""Mutation testing of `domain/`: of the small mistakes one could make there, how many are noticed?

`python -m tests.prove.mutants` tries a sample, drawn by `--seed`, of `--limit` mutants, and prints
those that survive all of `tests/domain`; `--limit 0` tries all, which takes an hour or two, and
`--module jobs` or `--module builtin.posts` those of one module. The score is the share of mutants
that some test has noticed.
"""

import argparse
import contextlib
import importlib.abc
import importlib.machinery
import io
import os
import resource
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import hypothesis  # noqa: F401 - loaded here, it need not be loaded again for every mutant
import pytest

from adapters.memory.system import SeededRandom
from tests.prove.mutations import Mutant, mutants_of

ROOT = Path(__file__).parents[2]
LIMIT, BAR = 100, 0.85
#: Whoever computes for longer goes round in circles, which is noticed.
_LONGEST_S = 60


class Tried(NamedTuple):
    """A mutant of a module."""

    module: str
    mutant: Mutant


def modules_there() -> list[str]:
    """The modules of the domain, by their names below it."""
    paths = sorted(path.relative_to(ROOT / "domain") for path in (ROOT / "domain").rglob("*.py"))
    return [".".join(path.with_suffix("").parts) for path in paths if path.stem != "__init__"]


def _file_of(module: str) -> Path:
    return ROOT.joinpath("domain", *module.split(".")).with_suffix(".py")


def every_mutant(modules: Sequence[str]) -> list[Tried]:
    """All mutants of these modules of the domain."""
    return [
        Tried(module, mutant)
        for module in modules
        for mutant in mutants_of(_file_of(module).read_text(encoding="utf-8"))
    ]


def sample(tried: list[Tried], limit: int, seed: int) -> list[Tried]:
    """So many of them, chosen by chance; all of them without a limit."""
    random = SeededRandom(seed)
    shuffled = sorted(tried, key=lambda _: random.fraction())
    return shuffled[:limit] if limit else tried


class _Instead(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Gives a mutant in place of its module."""

    def __init__(self, tried: Tried) -> None:
        self._name = f"domain.{tried.module}"
        self._source = tried.mutant.source

    def find_spec(
        self, fullname: str, path: object, target: object = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != self._name:
            return None
        return importlib.machinery.ModuleSpec(fullname, self)

    def exec_module(self, module: ModuleType) -> None:
        exec(compile(self._source, self._name, "exec"), module.__dict__)  # noqa: S102


def is_noticed(tried: Tried) -> bool:
    """Whether any test of the domain fails, or never ends, with the mutant in place."""
    *rooms, name = tried.module.split(".")
    own = ROOT.joinpath("tests", "domain", *rooms, f"test_{name}.py")
    first = [str(own)] if own.exists() else []
    return any(_fails(tried, tests) for tests in (first, ["tests/domain"]) if tests)


def _fails(tried: Tried, tests: list[str]) -> bool:
    child = os.fork()
    if child == 0:
        resource.setrlimit(resource.RLIMIT_CPU, (_LONGEST_S, _LONGEST_S))
        os._exit(_tested(tried, tests))
    _, status = os.waitpid(child, 0)
    return status != 0


def _tested(tried: Tried, tests: list[str]) -> int:
    for name in [name for name in sys.modules if name.split(".")[0] in ("domain", "tests")]:
        if name not in ("tests", "tests.prove") and not name.startswith("tests.prove."):
            del sys.modules[name]
    sys.meta_path.insert(0, _Instead(tried))
    options = ["-q", "-x", "-p", "no:cacheprovider", "--hypothesis-profile=quick"]
    # That Hypothesis is loaded already is what we want.
    options += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        try:
            return int(pytest.main([*options, *tests]))
        except BaseException:  # whatever it is, it was noticed
            return 1


def main() -> bool:
    """Run what the command line asks for; whether the score reaches its bar."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--limit", type=int, default=LIMIT)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--module", default="")
    given = parser.parse_args()
    os.chdir(ROOT)
    every = every_mutant([m for m in modules_there() if given.module in ("", m)])
    if not every:
        sys.exit(f"the domain has no module {given.module!r}")
    tried = sample(every, given.limit, given.seed)
    sound = Mutant(0, "nothing", _file_of("jobs").read_text(encoding="utf-8"))
    if is_noticed(Tried("jobs", sound)):
        sys.exit("tests/domain is red without any mutant; mend that first")
    survivors = []
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # each waits for a process of its own
        for one, noticed in zip(tried, pool.map(is_noticed, tried), strict=True):
            if not noticed:
                survivors.append(one)
                file = _file_of(one.module).relative_to(ROOT)
                print(f"{file}:{one.mutant.line}: {one.mutant.what}", flush=True)
    score = 1 - len(survivors) / max(1, len(tried))
    ok = score >= BAR
    print(
        f"promise=mutants value={score:.3f} bar={BAR} {'ok' if ok else 'FAIL'}"
        f" tried={len(tried)} of={len(every)} survived={len(survivors)} seed={given.seed}"
    )
    return ok


if __name__ == "__main__":
    sys.exit(not main())
