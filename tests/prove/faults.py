"""The tests are tested: each deliberate fault must turn its test red.

`python -m tests.prove.faults` applies all of `fault_list`, one at a time, in a copy of the tree,
and prints a table; `--only fence` takes those whose name or file holds a word. The exit status is
1 when a fault went unnoticed, or when a test was red before.
"""

import argparse
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.prove.fault_list import FAULTS, Fault

ROOT = Path(__file__).parents[2]
#: pytest's own words for "some failed" and "all passed"; anything else is a mistake of the list.
_RED, _GREEN = 1, 0
_LEFT_BEHIND = (".git", ".venv", ".*_cache", "__pycache__", ".hypothesis", "var", ".coverage*")


def applied(tree: Path, fault: Fault) -> str:
    """Bring a fault into a tree; what its file held before."""
    path = tree / fault.file
    sound = path.read_text(encoding="utf-8")
    assert sound.count(fault.old) == 1, f"{fault.file} does not hold {fault.old!r} once"
    path.write_text(sound.replace(fault.old, fault.new), encoding="utf-8")
    return sound


def outcome_of(tree: Path, tests: str) -> int:
    """Run some tests in a tree, up to the first that fails; pytest's exit status."""
    options = ["-q", "-x", "-p", "no:cacheprovider", "--hypothesis-profile=quick"]
    command = [sys.executable, "-m", "pytest", *options, *shlex.split(tests)]
    with (tree / "pytest.log").open("w") as log:
        return subprocess.run(command, cwd=tree, stdout=log, stderr=log, check=False).returncode


def noticed(tree: Path, fault: Fault) -> bool:
    """Whether the fault's test turns red, and by nothing but the fault."""
    began = time.monotonic()
    sound = applied(tree, fault)
    faulty = outcome_of(tree, fault.test)
    (tree / fault.file).write_text(sound, encoding="utf-8")
    verdict = {_RED: "red", _GREEN: "UNNOTICED"}.get(faulty, f"BROKEN LIST ({faulty})")
    took_s = time.monotonic() - began
    print(f"{verdict:10} {took_s:5.1f} s  {fault.file:42} {fault.name}", flush=True)
    return faulty == _RED


def main() -> bool:
    """Run what the command line asks for; whether every fault was noticed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="a word in the name or the file of a fault")
    only = parser.parse_args().only
    wanted = [fault for fault in FAULTS if only in fault.name or only in fault.file]
    with TemporaryDirectory(prefix="catchment-faults-") as folder:
        tree = Path(folder, "tree")
        shutil.copytree(ROOT, tree, ignore=shutil.ignore_patterns(*_LEFT_BEHIND))
        tests = dict.fromkeys(fault.test for fault in wanted)
        red_before = [test for test in tests if outcome_of(tree, test) != _GREEN]
        for test in red_before:
            print(f"red before anything was changed: {test}", flush=True)
        red = sum(noticed(tree, fault) for fault in wanted)
    ok = red == len(wanted) > 0 and not red_before
    verdict = "ok" if ok else "FAIL"
    print(f"promise=tests value={red}/{len(wanted)} bar=all {verdict} red_before={len(red_before)}")
    return ok


if __name__ == "__main__":
    sys.exit(not main())
