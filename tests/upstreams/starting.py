"""The starters: a server that others wrote, installed, started on free ports, and ended."""

import os
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

STARTERS = Path(__file__).parent / "starters"
#: A starter may take the port it is given and this many after it.
MORE_PORTS = 3
#: Until a server is up and filled.
STARTS_S = 180.0
ENDS_S = 20.0


class DidNotStart(Exception):
    """A server that is not installed, or ended while it started."""


def install(name: str) -> None:
    """Install what a starter needs."""
    subprocess.run(["bash", STARTERS / "install.sh", name], check=True, stdin=subprocess.DEVNULL)


@contextmanager
def started(name: str) -> Iterator[str]:
    """Start a server, yield its URL once it is filled, and end it and all its processes."""
    port = _free_ports()
    process = subprocess.Popen(
        ["bash", STARTERS / f"{name}.sh", str(port)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        _wait_until_ready(name, process)
        yield f"http://127.0.0.1:{port}"
    finally:
        _end(process)


def _wait_until_ready(name: str, process: "subprocess.Popen[str]") -> None:
    """Return once the starter says `ready`; what it says before explains a failure."""
    assert process.stdout is not None
    late = threading.Timer(STARTS_S, os.killpg, (process.pid, signal.SIGKILL))
    late.start()
    said = ["nothing"]
    try:
        for line in process.stdout:
            if line.startswith("ready "):
                return
            said.append(line.strip())
    finally:
        late.cancel()
    raise DidNotStart(f"{name} did not start; it last said: {said[-1]}")


def _end(process: "subprocess.Popen[str]") -> None:
    """End a starter as its user would, then whatever is left of its group."""
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(ENDS_S)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _free_ports() -> int:
    """Return a port that nobody listens on, nor on those after it that a starter may take."""
    while True:
        with ExitStack() as taken:
            first = taken.enter_context(socket.create_server(("127.0.0.1", 0)))
            port = int(first.getsockname()[1])
            try:
                for more in range(1, MORE_PORTS + 1):
                    taken.enter_context(socket.create_server(("127.0.0.1", port + more)))
            except (OSError, OverflowError):
                continue
            return port
