"""P29: the document describes the response to every request of Schemathesis, for each role."""

import asyncio
import re
import sys

from tests.prove.figures import Figure, reported
from tests.prove.proofs import ROOT
from tests.prove.servers import Servers

MINUTES, ROLES = 1, 3
_ROLE = re.compile(r"^\w+: (\d+) requests, (\d+) findings$", re.MULTILINE)


async def prove(servers: Servers) -> Figure:
    """Run `python -m tests.fuzz` for a minute for each role."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.fuzz", "--minutes", str(MINUTES)),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        printed, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    said = printed.decode(errors="replace")
    asked = [(int(requests), int(findings)) for requests, findings in _ROLE.findall(said)]
    findings = sum(count for _, count in asked)
    if findings or process.returncode:
        print(said[-8000:], flush=True)
    ok = process.returncode == 0 and len(asked) == ROLES and findings == 0
    requests = sum(count for count, _ in asked)
    return reported(
        "P29", f"findings:{findings}", "findings:0", ok, requests=requests, roles=len(asked)
    )
