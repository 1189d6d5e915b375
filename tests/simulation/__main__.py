"""Simulate many seeds and print what became of each promise: `python -m tests.simulation`.

`--seeds 10000` says how many, `--first` where to begin, `--kind` memory or sqlite or both, and
`--jobs` how many at once. `--trace 7` prints all that happens with one seed.
"""

import argparse
import sys
from concurrent.futures import ProcessPoolExecutor
from functools import partial

from tests.simulation.promises import Findings
from tests.simulation.stores import STORAGES
from tests.simulation.story import Ending, tell

#: SQLite takes four times as long, so that it has fewer seeds.
_ONE_IN = {"memory": 1, "sqlite": 4}


def twice(kind: str, seed: int) -> tuple[Ending, str]:
    """A simulation, and the record of its repetition."""
    return tell(seed, kind), tell(seed, kind).record


def main() -> bool:
    """Run what the command line asks for; whether every promise was kept."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=1000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--kind", choices=[*STORAGES, "both"], default="both")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--trace", type=int)
    given = parser.parse_args()
    if given.trace is not None:
        ending = tell(given.trace, "memory" if given.kind == "both" else given.kind, keep=True)
        print("".join(ending.lines), *ending.broken, sep="\n")
        return not ending.broken
    findings = Findings()
    with ProcessPoolExecutor(given.jobs) as pool:
        for kind in STORAGES if given.kind == "both" else [given.kind]:
            share = _ONE_IN[kind] if given.kind == "both" else 1
            seeds = range(given.first, given.first + given.seeds // share)
            for ending, again in pool.map(partial(twice, kind), seeds, chunksize=5):
                findings.add(ending, again)
    print(*findings.lines(), sep="\n")
    return not findings.broken


if __name__ == "__main__":
    sys.exit(not main())
