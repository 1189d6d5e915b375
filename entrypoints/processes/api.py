"""The API process: the HTTP server, and beside it the fetches that come by themselves."""

import asyncio
import contextlib
import gc
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

import uvicorn
from uvicorn.server import Server

from domain.dataset import Role
from domain.errors import InvalidInput
from domain.events import AdminRoleMissing
from entrypoints.config.settings import InvalidSetting, Settings
from entrypoints.processes.lifecycle import BackgroundTask, doing, keeping, running, signals
from entrypoints.wiring.container import Container

#: Answers under way when we have to stop may take this long to end.
GRACE_S = 20
#: So long we still take requests after saying that we stop, for those who have to hear of it.
NOTICE_S = 1.0
SWITCH_S = 0.0002


class _Server(Server):
    """uvicorn, but the signals are ours: after the server there are things to close."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and say when that is done."""
        await super().startup(sockets)
        self.listening.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals alone."""
        yield


def listen(host: str, port: int) -> socket.socket:
    """Take the port; InvalidSetting says it in one line when that is not possible."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise InvalidSetting(
            f"cannot listen on {host}:{port} ({error.strerror}); choose another CATCHMENT_PORT"
        ) from error


def address_of(taken: socket.socket) -> str:
    """The URL of a port that was taken."""
    host, port, *_ = taken.getsockname()
    shown = f"[{host}]" if ":" in host else host
    return f"http://{shown}:{port}"


async def serve(settings: Settings, announce: Callable[[str], None]) -> None:
    """Serve until SIGTERM or SIGINT; without a broker, be worker and scheduler as well."""
    with listen(settings.host, settings.port) as taken:
        async with running(settings) as container:
            await ensure_configured_admin(container)
            async with serving(container, taken):
                # A reader lets go of the interpreter at every row, and must not wait 5 ms for it.
                sys.setswitchinterval(SWITCH_S)
                # What the start has made lives as long as the process: no need to look at it again.
                gc.collect()
                gc.freeze()
                announce(address_of(taken))
                with signals() as signalled:
                    await doing(embedded(container), _noticed(container, signalled))


async def ensure_configured_admin(container: Container) -> None:
    """Make the admin whom the settings name, unless there is somebody of that name."""
    settings = container.settings()
    if settings.admin_username:
        try:
            found = await container.ensure_admin()(settings.admin_username, settings.admin_password)
        except InvalidInput as error:
            raise InvalidSetting(f"CATCHMENT_ADMIN_PASSWORD: {error.detail}") from error
        if found.role is not Role.ADMIN:
            container.events().publish(AdminRoleMissing(username=found.name))


def embedded(container: Container) -> list[BackgroundTask]:
    """What a process does beside serving: without a broker, the work of all the others."""
    if container.settings().broker_url:
        return []
    return [container.work(), container.scheduler(), *keeping(container)]


async def _noticed(container: Container, signalled: asyncio.Future[int]) -> None:
    """Return when it is time to stop: clients are informed before."""
    number = await signalled
    container.app().drain()
    if number == signal.SIGTERM:
        await asyncio.sleep(NOTICE_S)


@asynccontextmanager
async def serving(container: Container, taken: socket.socket) -> AsyncIterator[None]:
    """Serve HTTP inside the block; leaving it lets the answers under way come to their end."""
    config = uvicorn.Config(
        container.app(),
        http="httptools",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=GRACE_S,
    )
    server = _Server(config)
    task = asyncio.create_task(server.serve(sockets=[taken]))
    try:
        await server.listening.wait()
        yield
    finally:
        server.should_exit = True
        with contextlib.suppress(asyncio.CancelledError):
            await task
