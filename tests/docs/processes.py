"""Commands, started as in the documentation."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LONGEST_S = 60


def environment(**settings: str) -> dict[str, str]:
    """Return the environment of a command: these settings, and none of this process."""
    wanted = ("PATH", "HOME")
    kept = {name: os.environ[name] for name in wanted if name in os.environ}  # noqa: TID251
    return {**kept, "PYTHONUNBUFFERED": "1", **settings}


def run(module: str, *arguments: str, at: Path, **settings: str) -> str:
    """Run a module to its end and return what it printed; it must succeed."""
    ended = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=at,
        env=environment(**settings),
        capture_output=True,
        text=True,
        timeout=LONGEST_S,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


@contextmanager
def started(module: str, *arguments: str, at: Path, **settings: str) -> Iterator[Iterator[str]]:
    """Start a module, yield the lines it prints, and stop it at the end."""
    process = subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        cwd=at,
        env=environment(**settings),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        assert process.stdout is not None
        yield process.stdout
    finally:
        process.terminate()
        try:
            process.communicate(timeout=LONGEST_S)
        finally:
            process.kill()
