"""The tests are tested: each deliberate fault must turn its test red.

`python -m tests.prove.faults` applies all of `fault_list`, one at a time, in a copy of the tree,
and prints a table; `--only fence` takes those whose name or place holds a word, and `--check` only
says which no longer apply. The exit status is 1 when a fault went unnoticed or does not apply, or
when a test was red before.
"""

import argparse
import shlex
import shutil
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.prove.edits import DoesNotApplyError, changed
from tests.prove.fault_list import FAULTS, Fault

ROOT = Path(__file__).parents[2]
#: pytest's own words for "some failed" and "all passed"; anything else is a mistake of the list.
_RED, _GREEN = 1, 0
_LEFT_BEHIND = (".git", ".venv", ".*_cache", "__pycache__", ".hypothesis", "var", ".coverage*")


def defects() -> list[str]:
    """Say what is wrong with the list: faults that do not apply, tests that are not there."""
    names = Counter(fault.name for fault in FAULTS)
    found = [f"{name}: listed {count} times" for name, count in names.items() if count > 1]
    for fault in FAULTS:
        try:
            changed(ROOT, fault.where, fault.edit)
        except DoesNotApplyError as error:
            found.append(f"{fault.name}: {error}")
        named = [word for word in shlex.split(fault.test) if word.startswith("tests/")]
        lost = [name for name in named if not (ROOT / name).exists()]
        if lost or not named:
            found.append(f"{fault.name}: there is no test {' '.join(lost) or fault.test}")
    return found


def outcome_of(tree: Path, tests: str) -> int:
    """Run some tests in a tree, up to the first that fails; pytest's exit status."""
    options = ["-q", "-x", "-p", "no:cacheprovider", "--hypothesis-profile=quick"]
    command = [sys.executable, "-m", "pytest", *options, *shlex.split(tests)]
    with (tree / "pytest.log").open("w") as log:
        return subprocess.run(command, cwd=tree, stdout=log, stderr=log, check=False).returncode


def noticed(tree: Path, fault: Fault) -> bool:
    """Whether the fault's test turns red, and by nothing but the fault."""
    began = time.monotonic()
    try:
        path, faulty = changed(tree, fault.where, fault.edit)
    except DoesNotApplyError:
        return False
    sound = path.read_text(encoding="utf-8")
    path.write_text(faulty, encoding="utf-8")
    outcome = outcome_of(tree, fault.test)
    path.write_text(sound, encoding="utf-8")
    verdict = {_RED: "red", _GREEN: "UNNOTICED"}.get(outcome, f"BROKEN LIST ({outcome})")
    took_s = time.monotonic() - began
    print(f"{verdict:10} {took_s:5.1f} s  {fault.where:42} {fault.name}", flush=True)
    return outcome == _RED


def main() -> bool:
    """Run what the command line asks for; whether every fault was noticed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="a word in the name or the place of a fault")
    parser.add_argument("--check", action="store_true", help="apply all of them, and run no test")
    arguments = parser.parse_args()
    wrong = defects()
    for each in wrong:
        print(f"does not apply: {each}", flush=True)
    if arguments.check:
        print(f"{len(FAULTS)} faults, {len(wrong)} of them to be mended")
        return not wrong
    only = arguments.only
    wanted = [fault for fault in FAULTS if only in fault.name or only in fault.where]
    with TemporaryDirectory(prefix="catchment-faults-") as folder:
        tree = Path(folder, "tree")
        shutil.copytree(ROOT, tree, ignore=shutil.ignore_patterns(*_LEFT_BEHIND))
        tests = dict.fromkeys(fault.test for fault in wanted)
        red_before = [test for test in tests if outcome_of(tree, test) != _GREEN]
        for test in red_before:
            print(f"red before anything was changed: {test}", flush=True)
        red = sum(noticed(tree, fault) for fault in wanted)
    ok = red == len(wanted) > 0 and not red_before and not wrong
    verdict = "ok" if ok else "FAIL"
    print(f"promise=tests value={red}/{len(wanted)} bar=all {verdict} red_before={len(red_before)}")
    return ok


if __name__ == "__main__":
    sys.exit(not main())
