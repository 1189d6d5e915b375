"""Brokers for tests: the one that is there, and private nodes that can be killed."""

import fcntl
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from signal import SIGCONT, SIGSTOP

from yarl import URL

NAMED = "CATCHMENT_TEST_RABBITMQ_URL"
USUAL = "amqp://guest:guest@127.0.0.1:5672/"
_PROGRAMS = "usr/lib/rabbitmq/lib/*/sbin/rabbitmq-server"
#: Ends, with all it has started, when nobody holds the lease any more: however they ended.
_KEEPER = """
setsid sh -c 'epmd -port "$ERL_EPMD_PORT" -address 127.0.0.1 & exec "$RABBITMQ_SERVER"' &
cat lease > /dev/null
kill -9 -$!
$WHEN_OVER
"""


def program() -> str | None:
    """The server's own start script; the one on the PATH may change the user."""
    installed = sorted(Path("/").glob(_PROGRAMS))
    return str(installed[-1]) if installed else shutil.which("rabbitmq-server")


def answers(url: str) -> bool:
    """Whether a broker is there."""
    place = URL(url)
    with suppress(OSError), socket.create_connection((place.host, place.port or 5672), 1) as broker:
        broker.settimeout(1)
        broker.sendall(b"AMQP\x00\x00\x09\x01")
        return broker.recv(1) == b"\x01"
    return False


@cache
def is_available() -> bool:
    """Whether there is a broker, or one can be started."""
    named = os.environ.get(NAMED)  # noqa: TID251 - tests may ask
    return bool(named) or answers(USUAL) or program() is not None


@cache
def broker_url() -> str:
    """The broker to test with: the one that is named, the usual one, or a private one."""
    named = os.environ.get(NAMED)  # noqa: TID251 - tests may ask
    if named or answers(USUAL):
        return named or USUAL
    assert program(), f"no broker: set {NAMED}, or install rabbitmq-server"
    return _shared_url()


class RabbitNode:
    """A private broker with its data in a folder of its own."""

    def __init__(self, folder: Path, *config: str, when_over: str = "") -> None:
        self._folder = folder
        self._config = config
        self._when_over = when_over
        self._keeper: subprocess.Popen[str] | None = None
        self._lease: int | None = None
        self._ports = _free_ports(3)

    @property
    def url(self) -> str:
        """Where the node is."""
        return f"amqp://guest:guest@127.0.0.1:{self._ports[0]}/"

    def start(self) -> None:
        """Start, also again on the data there is; return when clients are served."""
        folder = self._folder
        folder.joinpath("plugins").write_text("[].")
        folder.joinpath("rabbitmq.conf").write_text("\n".join(self._config) + "\n")
        folder.joinpath("lease").unlink(missing_ok=True)
        os.mkfifo(folder / "lease")
        self._lease = os.open(folder / "lease", os.O_RDWR)  # it waits for nobody
        self._keeper = subprocess.Popen(
            ["/bin/sh", "-c", _KEEPER],
            cwd=folder,
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            text=True,
        )
        assert self._keeper.stdout is not None
        printed = []
        for line in self._keeper.stdout:
            printed.append(line)
            if "completed with" in line:
                return
        raise AssertionError("the node did not start:\n" + "".join(printed))

    def kill(self) -> None:
        """SIGKILL; the data stays."""
        if self._keeper is None or self._lease is None:
            return
        os.close(self._lease)
        self._keeper.communicate()
        self._keeper = self._lease = None

    def pause(self) -> None:
        """SIGSTOP: it is there, and does nothing."""
        os.kill(self._pid, SIGSTOP)

    def resume(self) -> None:
        """SIGCONT."""
        os.kill(self._pid, SIGCONT)

    def settle(self) -> None:
        """Have it write down which queues there are.

        By itself it does so seconds later; killed before, RabbitMQ 3.10 knows the name of a new
        quorum queue afterwards, but elects it no leader.
        """
        self.control("eval", "[dets:sync(Table) || Table <- dets:all()].")

    def control(self, *arguments: str) -> str:
        """What `rabbitmqctl` says to these arguments."""
        command = [Path(program() or "").with_name("rabbitmqctl"), "--quiet", *arguments]
        return subprocess.check_output(command, env=self._environment(), text=True, timeout=60)

    @property
    def _pid(self) -> int:
        return int(self._folder.joinpath("pid").read_text())

    def _environment(self) -> dict[str, str]:
        port, dist, epmd = map(str, self._ports)
        return {
            "PATH": os.environ["PATH"],  # noqa: TID251 - the programs are found on it
            "HOME": str(self._folder),  # of the cookie
            "LANG": "C.UTF-8",
            "ERL_EPMD_PORT": epmd,
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "WHEN_OVER": self._when_over,
            "RABBITMQ_SERVER": program() or "",
            "RABBITMQ_NODENAME": f"catchment{port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": port,
            "RABBITMQ_DIST_PORT": dist,
            "RABBITMQ_MNESIA_BASE": str(self._folder / "data"),
            "RABBITMQ_LOG_BASE": str(self._folder / "log"),
            "RABBITMQ_CONFIG_FILE": str(self._folder / "rabbitmq.conf"),
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self._folder / "plugins"),
            "RABBITMQ_PID_FILE": str(self._folder / "pid"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": (
                "+S 1:1 -start_epmd false -kernel inet_dist_use_interface {127,0,0,1}"
            ),
        }


@contextmanager
def private_node(*config: str) -> Iterator[RabbitNode]:
    """A running node of one's own; nothing of it is left behind."""
    with tempfile.TemporaryDirectory(prefix="catchment-rabbitmq-") as folder:
        node = RabbitNode(Path(folder), *config)
        try:
            node.start()
            yield node
        finally:
            node.kill()


def _shared_url() -> str:
    """A private node that all workers of a test run share; it ends with the last of them."""
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID", str(os.getpid()))  # noqa: TID251
    folder = Path(tempfile.gettempdir(), f"catchment-rabbitmq-{run}")
    folder.mkdir(exist_ok=True)
    url = folder / "url"
    with open(folder / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if url.exists():
            _held.append(os.open(folder / "lease", os.O_WRONLY | os.O_NONBLOCK))
        else:
            node = RabbitNode(folder, when_over=f"rm -rf {folder}")
            node.start()
            _held.append(node)
            url.write_text(node.url)
    return url.read_text()


#: What keeps the shared node alive: held until this process ends.
_held: list[object] = []


def _free_ports(count: int) -> Sequence[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports
