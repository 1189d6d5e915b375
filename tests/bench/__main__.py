"""`make bench`: one run of every measurement, beside the limits and the peers; ten minutes.

The server has one core and the load the other. Values to be compared are measured alternately, and
the medians of the rounds are compared: the machine may drift, but the ratios stay.
"""

import argparse
import json
import os
import platform
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.bench import depth, exports, growth, ingest, jobs, latency, memory, reads, starting
from tests.bench.bench import Bench, workbench
from tests.bench.databases import ENGINES, has_postgres
from tests.bench.figures import Figure, Figures
from tests.bench.scale import FULL, QUICK
from tests.bench.table import printed, write_page
from tests.bench.wrk import find_wrk

MEASURES: Mapping[str, Callable[[Bench], Iterator[Figure]]] = {
    "reads": reads.measure,
    "depth": depth.measure,
    "exports": exports.measure,
    "ingest": ingest.measure,
    "untouched": ingest.untouched,
    "latency": latency.measure,
    "jobs": jobs.measure,
    "starting": starting.measure,
    "memory": memory.measure,
    "growth": growth.measure,
}
_WRITTEN = Path("var", "bench.json")
_LARGEST = 10_000_000


def main() -> None:
    """Run the measurements that the command line names."""
    arguments = _arguments()
    if arguments.page is not None:
        write_page(json.loads(arguments.page.read_text()))
        return
    find_wrk(arguments.cache)
    engines = ENGINES if has_postgres() else ("sqlite",)
    if engines != ENGINES:
        print("There is no PostgreSQL, so its rows are left out.", file=sys.stderr)
    scale = QUICK if arguments.quick else FULL
    if arguments.huge:
        scale = scale._replace(growth=(*scale.growth, _LARGEST))
    with tempfile.TemporaryDirectory(prefix="catchment-bench-") as folder:
        with workbench(scale, Path(folder), arguments.cache, engines) as bench:
            run = _measured(bench, arguments.only or list(MEASURES))
    arguments.json.parent.mkdir(parents=True, exist_ok=True)
    arguments.json.write_text(json.dumps(run, indent=1, ensure_ascii=False) + "\n")
    print(printed(Figures.from_json(run["figures"])))
    file = arguments.json
    print(f"\nAll of it is in {file}; --page {file} puts it into docs/performance.md.")
    for name, problem in run["failed"].items():
        print(f"{name} could not be measured to its end: {problem}", file=sys.stderr)
    sys.exit(bool(run["failed"]))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    cached = Path.home() / ".cache" / "catchment-bench"
    parser.add_argument("--only", action="append", choices=MEASURES, help="this measure alone")
    parser.add_argument("--quick", action="store_true", help="small sizes, to see that it works")
    parser.add_argument("--huge", action="store_true", help=f"grow to {_LARGEST} records as well")
    parser.add_argument("--json", type=Path, default=_WRITTEN, help="where to write the figures")
    parser.add_argument("--cache", type=Path, default=cached, help="where peers are installed")
    parser.add_argument(
        "--page", type=Path, help="measure nothing; put these figures into the page"
    )
    return parser.parse_args()


def _measured(bench: Bench, names: list[str]) -> dict[str, Any]:
    figures, took, failed = Figures(), {}, {}
    for name in names:
        began = time.monotonic()
        print(f"{name} ...", file=sys.stderr, flush=True)
        try:
            for figure in MEASURES[name](bench):
                figures.add(figure)
        except Exception as error:  # the other measurements are useful all the same
            traceback.print_exc()
            failed[name] = str(error)
        took[name] = round(time.monotonic() - began)
    machine = f"{os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}"
    return {
        "quick": bench.scale.quick,
        "machine": machine,
        "missing": bench.missing,
        "failed": failed,
        "took_s": took,
        "figures": figures.as_json(),
    }


if __name__ == "__main__":
    main()
