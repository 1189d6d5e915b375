"""Processes under measurement: started on a core of their own, watched, and stopped."""

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

#: The server has one core, and the load the other.
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
        """Return the CPU time of all threads."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def anonymous_bytes(self) -> int:
        """Return the anonymous memory."""
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
    """Start a process with a free PORT, wait until it answers at `path`, and stop it at the end."""
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
    """Start a process, with its port in place of PORT in command and settings."""
    words = [str(word).replace("PORT", str(port)) for word in command]
    values = {name: value.replace("PORT", str(port)) for name, value in settings.items()}
    environment = {"PATH": os.environ["PATH"], **values}  # noqa: TID251 - programs are found by it
    if words[0] == sys.executable:
        environment["PYTHONPATH"] = str(ROOT)
    with (folder / "processes.log").open("ab") as log:
        process = subprocess.Popen(
            ["taskset", "-c", cores, *words], env=environment, cwd=folder, stdout=log, stderr=log
        )
    return Running(process, port)


def wait_for(started: Running, path: str = "/", patience_s: float = 60.0) -> None:
    """Return once the process answers at this path without a server error."""
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
    """Yield a list of the process's memory, sampled during the block."""
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
    """Return a command that runs this Python with these arguments."""
    return [sys.executable, *map(str, arguments)]
