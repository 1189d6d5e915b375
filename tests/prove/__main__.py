"""`make prove`: every promise held against kills, crowds, floods and bad luck, with its figure.

`python -m tests.prove` proves them all and ends with a table; `python -m tests.prove 7 P11 kills`
only some, by number or by the name of a proof. The exit status is 1 when a promise was broken.
"""

import argparse
import asyncio
import contextlib
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from tests.prove.figures import Figure, reported
from tests.prove.promises import PROMISES, Promise, Proof
from tests.prove.servers import Servers, servers
from tests.prove.table import Proven, as_text, joined, measured, proven, read, write_page

#: No proof may take longer than this.
LONGEST_S = 1200.0


async def main(arguments: argparse.Namespace) -> bool:
    """Prove what is wanted, one after the other, and tell what was found."""
    promises = wanted(arguments.promises)
    async with contextlib.AsyncExitStack() as stack:
        ran: dict[Proof, tuple[list[Figure], float]] = {}
        found: list[Proven] = []
        running: Servers | None = None
        for promise in promises:
            proofs = [p for p in promise.proofs if p.is_there and (p.quick or not arguments.quick)]
            for proof in proofs:
                if proof in ran:
                    continue
                if proof.needs_servers and running is None:
                    print("starting PostgreSQL and RabbitMQ ...", flush=True)
                    running = await stack.enter_async_context(servers())
                ran[proof] = await _ran(promise, proof, running)
            if proofs:
                found.append(_judged(promise, [ran[proof] for proof in proofs]))
    run = measured(found, os.cpu_count() or 1)
    if arguments.json:
        Path(arguments.json).write_bytes(msgspec.json.format(msgspec.json.encode(run)))
    print("\n" + as_text(found), flush=True)
    return bool(found) and all(each.ok for each in found)


def wanted(names: Sequence[str]) -> list[Promise]:
    """The promises of these numbers, or those that proofs of these names are of; all for none."""
    chosen = []
    for name in names:
        number = f"P{name}" if name.isdecimal() else name.upper()
        found = [p for p in PROMISES if p.name == number or name in [q.name for q in p.proofs]]
        if not found:
            known = ", ".join(promise.name for promise in PROMISES)
            sys.exit(f"there is no promise or proof {name!r}; there are: {known}")
        chosen += [promise for promise in found if promise not in chosen]
    return chosen or list(PROMISES)


async def _ran(
    promise: Promise, proof: Proof, servers: Servers | None
) -> tuple[list[Figure], float]:
    print(f"{promise.name}: {proof.name} ...", flush=True)
    began = time.monotonic()
    try:
        async with asyncio.timeout(LONGEST_S):
            figures = await proof.run(servers)
    except Exception as error:
        # One proof that breaks must not keep us from the others.
        broke = f"broke:{type(error).__name__}:{str(error)[:80]}"
        figures = [reported(promise.name, broke.replace(" ", "_"), "-", False)]
    return figures, time.monotonic() - began


def _judged(promise: Promise, ran: Sequence[tuple[list[Figure], float]]) -> Proven:
    figures = [figure for each, _ in ran for figure in each if figure.promise == promise.name]
    return proven(promise.name, promise.says, figures, sum(seconds for _, seconds in ran))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.prove", description=main.__doc__)
    parser.add_argument("promises", nargs="*", help="such as 7, P7 or rate; all without any")
    parser.add_argument("--quick", action="store_true", help="only what runs within one process")
    parser.add_argument("--json", metavar="FILE", help="write what was found")
    parser.add_argument(
        "--page", nargs="+", metavar="FILE", help="only fill docs/promises.md from such files"
    )
    return parser.parse_args()


if __name__ == "__main__":
    given = _arguments()
    if given.page:
        page = Path(__file__).parents[2] / "docs" / "promises.md"
        write_page(page, joined([read(Path(name)) for name in given.page]))
    else:
        sys.exit(not asyncio.run(main(given)))
