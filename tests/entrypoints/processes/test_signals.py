"""Signals: which of them stop a process, and which are ignored."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from entrypoints.processes.lifecycle import signals

_HANGS_UP = """
import asyncio, os, signal
from entrypoints.cli.commands import run
async def hang_up():
    os.kill(os.getpid(), signal.SIGHUP)
    await asyncio.sleep(0)
    return "still here"
print(run(hang_up()))
"""


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    """Put the handler of hang-ups back."""
    before = signal.getsignal(signal.SIGHUP)
    yield
    signal.signal(signal.SIGHUP, before)


async def test_the_hang_up_of_a_terminal_stops_a_process_as_sigterm_does() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

    with signals() as stop:
        os.kill(os.getpid(), signal.SIGHUP)

        assert await asyncio.wait_for(stop, 5) == signal.SIGTERM


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_hang_up_that_is_ignored_stops_nothing(number: int) -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)

    with signals() as stop:
        os.kill(os.getpid(), signal.SIGHUP)
        os.kill(os.getpid(), number)

        assert await asyncio.wait_for(stop, 5) == number


def test_a_process_without_a_terminal_outlives_a_hang_up() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", _HANGS_UP],
        start_new_session=True,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (ran.returncode, ran.stdout) == (0, "still here\n")
