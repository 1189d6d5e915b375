"""Processes that are measured: started on a core of their own, watched, and ended."""

import os
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.prove.crew import free_port

#: The server has one core, and whoever asks it the other.
SERVER_CORE = "0"
LOAD_CORE = "1"
_TICKS = os.sysconf("SC_CLK_TCK")
ROOT = Path(__file__).parents[2]


class Running:
    """A process that serves at `url`."""

    def __init__(self, process: "subprocess.Popen[bytes]", port: int) -> None:
        self.process = process
        self.url = f"http://127.0.0.1:{port}"

    def cpu_s(self) -> float:
        """The processor time it has used, with all its threads."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def anonymous_bytes(self) -> int:
        """The memory that is its own, and not a file's."""
        for line in Path(f"/proc/{self.process.pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Anonymous:"):
                return int(line.split()[1]) * 1024
        raise AssertionError("the kernel does not tell what is anonymous")


@contextmanager
def running(
    command: Sequence[str | Path],
    settings: Mapping[str, str],
    folder: Path,
    path: str = "/",
    cores: str = SERVER_CORE,
    port: int | None = None,
) -> Iterator[Running]:
    """A process whose command has PORT in it, once it answers at `path`; ended with the block."""
    port = port or free_port()
    started = launch(command, settings, folder, port, cores)
    try:
        wait_for(started, path)
        yield started
    finally:
        started.process.terminate()
        try:
            started.process.wait(30)
        except subprocess.TimeoutExpired:
            started.process.kill()
            started.process.wait()


def launch(
    command: Sequence[str | Path],
    settings: Mapping[str, str],
    folder: Path,
    port: int,
    cores: str = SERVER_CORE,
) -> Running:
    """Start a process; PORT in its command and settings is where it is to serve."""
    words = [str(word).replace("PORT", str(port)) for word in command]
    told = {name: value.replace("PORT", str(port)) for name, value in settings.items()}
    environment = {"PATH": os.environ["PATH"], **told}  # noqa: TID251 - programs are found by it
    if words[0] == sys.executable:
        environment["PYTHONPATH"] = str(ROOT)
    with (folder / "processes.log").open("ab") as log:
        process = subprocess.Popen(
            ["taskset", "-c", cores, *words], env=environment, cwd=folder, stdout=log, stderr=log
        )
    return Running(process, port)


def wait_for(started: Running, path: str = "/", patience_s: float = 60.0) -> None:
    """Return when the process answers at this path with anything that is no server's error."""
    until = time.monotonic() + patience_s
    while time.monotonic() < until:
        if started.process.poll() is not None:
            raise RuntimeError(f"{started.process.args} ended by itself; see processes.log")
        try:
            with urllib.request.urlopen(started.url + path, timeout=5):  # noqa: S310 - our own
                return
        except urllib.error.HTTPError as error:
            if error.code < 500:
                return
        except OSError:
            pass
        time.sleep(0.005)
    raise RuntimeError(f"{started.process.args} did not answer at {path}")


@contextmanager
def watched(process: Running) -> Iterator[list[int]]:
    """The memory that a process takes while the block lasts: its peak is the list's largest."""
    seen = [process.anonymous_bytes()]
    over = threading.Event()

    def look() -> None:
        while not over.wait(0.02):
            seen.append(process.anonymous_bytes())

    looking = threading.Thread(target=look)
    looking.start()
    try:
        yield seen
    finally:
        over.set()
        looking.join()


def python(*arguments: str | Path) -> list[str]:
    """A command that runs our Python with these arguments."""
    return [sys.executable, *map(str, arguments)]
