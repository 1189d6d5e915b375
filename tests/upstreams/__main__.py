"""`make upstreams`: real servers, which others wrote, added by URL, walked, and served.

`python -m tests.upstreams` takes every server, `python -m tests.upstreams drf gcs` only these;
`--install` installs them first. It ends with a table, and with 1 unless every endpoint is served
whole.
"""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.upstreams.servers import SERVERS, Server
from tests.upstreams.starting import DidNotStart, install
from tests.upstreams.walking import SURE, Walked, walk

HEAD = ("server", "path", "add", "pages", "key", "seeded", "served", "again", "requests", "s", "")


def main(arguments: argparse.Namespace) -> bool:
    """Walk the wanted servers, one after the other, and print what was found."""
    found: list[Walked] = []
    for server in wanted(arguments.servers):
        print(f"{server.name} ...", file=sys.stderr, flush=True)
        found += _of(server, arguments.install)
    print(as_text(found))
    sure = [each for each in found if each.added == SURE]
    wrong = sum(not each.ok and not each.error for each in sure)
    print(
        f"\n{sum(each.ok for each in found)} of {len(found)} endpoints are served whole."
        f" `catchment add` was sure of {len(sure)}; silently wrong: {wrong}."
    )
    return bool(found) and all(each.ok for each in found)


def wanted(names: Sequence[str]) -> list[Server]:
    """Return the servers of these names, or all of them for none."""
    known = {server.name: server for server in SERVERS}
    unknown = [name for name in names if name not in known]
    if unknown:
        sys.exit(f"there is no server {unknown[0]!r}; there are: {', '.join(known)}")
    return [known[name] for name in names or known]


def _of(server: Server, installing: bool) -> Iterator[Walked]:
    """Yield the rows of a server; one that cannot be had must not keep us from the others."""
    try:
        if installing:
            install(server.name)
        with tempfile.TemporaryDirectory(prefix="catchment-upstreams-") as folder:
            yield from walk(server, Path(folder))
    except (DidNotStart, OSError, RuntimeError, subprocess.SubprocessError) as error:
        yield Walked(server.name, "", "", error=str(error))


def as_text(found: Sequence[Walked]) -> str:
    """Return the table, a line for each endpoint, and below it why some are not served whole."""
    rows = [HEAD, *map(_cells, found)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    lines.insert(1, "-|-".join("-" * width for width in widths))
    return "\n".join(lines + [f"{e.server} {e.path}: {e.error}" for e in found if e.error])


def _cells(each: Walked) -> tuple[str, ...]:
    return (
        each.server,
        each.path,
        each.added,
        each.pages,
        each.key,
        str(each.records),
        "-" if each.served is None else str(each.served),
        each.again,
        each.requests,
        f"{each.seconds:.1f}",
        "ok" if each.ok else "FAIL",
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.upstreams", description=main.__doc__)
    parser.add_argument("servers", nargs="*", help="such as drf; all without any")
    parser.add_argument("--install", action="store_true", help="install them first")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(not main(_arguments()))
