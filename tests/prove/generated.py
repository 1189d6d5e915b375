"""CLIENTS: the programs of a how-to, really run: data frames, and clients that are generated.

Every command of the page is run as it is there, with packages from the registries, so this needs
the network; and every program, against a demo. The OpenAPI document is validated, too.
"""

import asyncio
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx

from tests.docs.demo import Demo, demo, printed
from tests.docs.markdown import DOCS, Block, blocks
from tests.prove.figures import Figure, reported
from tests.prove.servers import Servers

PAGE = DOCS / "how-to/read-from-other-programs.md"
LONGEST_S = 300


async def prove(servers: Servers) -> Figure:
    """Follow the page from top to bottom, and compare what is printed."""
    return await asyncio.to_thread(_proven)


def _proven() -> Figure:
    with tempfile.TemporaryDirectory(prefix="catchment-clients-") as name, demo() as running:
        folder = Path(name)
        _ran([sys.executable, "-m", "venv", ".venv"], folder)
        right = {"openapi.json": _is_valid(running, folder), **dict(_followed(running, folder))}
    wrong = ",".join(title for title, is_right in right.items() if not is_right)
    found = f"right:{sum(right.values())}/{len(right)}"
    return reported("CLIENTS", found, "right:all", bool(right) and not wrong, wrong=wrong or "none")


def _is_valid(running: Demo, folder: Path) -> bool:
    """Return whether the validator of others finds nothing in the document."""
    document = httpx.get(f"{running.url}/openapi.json").raise_for_status()
    (folder / "openapi.json").write_bytes(document.content)
    _ran(["pip", "install", "openapi-spec-validator"], folder)
    return _ran(["openapi-spec-validator", "openapi.json"], folder) == "openapi.json: OK\n"


def _followed(running: Demo, folder: Path) -> Iterator[tuple[str, bool]]:
    """Run the page; yield the name of each program, and whether it prints what it should."""
    program: Block | None = None
    for block in blocks(PAGE):
        text = running.adapted(block.text)
        if block.title:
            (folder / block.title).write_text(text, encoding="utf-8")
            program = block
        if block.language == "ts":
            continue  # the commands below it translate and run it
        said = _ran(["python", block.title] if block.title else ["sh", "-ec", text], folder)
        if program is not None:
            yield program.title, said.splitlines() == printed(program.text)
            program = None


def _ran(command: list[str], folder: Path) -> str:
    """Return what a command prints, with what was installed into the folder at hand."""
    path = f"{folder / '.venv' / 'bin'}{os.pathsep}{os.environ['PATH']}"  # noqa: TID251
    ended = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "PATH": path},  # noqa: TID251 - registries may be set there
        capture_output=True,
        text=True,
        timeout=LONGEST_S,
        check=False,
    )
    if ended.returncode:
        print(ended.stdout[-2000:] + ended.stderr[-4000:], flush=True)
    return ended.stdout
