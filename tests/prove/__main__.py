"""`make prove`: every promise that needs real processes, held against kills and crowds.

Name some to run only those: `python -m tests.prove ticks rate`. Each line tells what was found
beside what was promised; the exit status is 1 when a promise was broken.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable

from tests.prove import duplicates, kills, rate, stopped, ticks
from tests.prove.servers import Servers, servers

PROOFS: dict[str, Callable[[Servers], Awaitable[bool]]] = {
    "duplicates": duplicates.prove,
    "stopped": stopped.prove,
    "ticks": ticks.prove,
    "rate": rate.prove,
    "kills": kills.prove,
}


async def main(wanted: list[str]) -> bool:
    """Run the wanted proofs, or all of them, one after the other."""
    unknown = [name for name in wanted if name not in PROOFS]
    if unknown:
        sys.exit(f"there is no proof {unknown[0]!r}; there are: {', '.join(PROOFS)}")
    print("starting PostgreSQL and RabbitMQ ...", flush=True)
    async with servers() as found:
        return all([await PROOFS[name](found) for name in wanted or PROOFS])


if __name__ == "__main__":
    sys.exit(not asyncio.run(main(sys.argv[1:])))
