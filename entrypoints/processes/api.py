"""The API process: the HTTP server and, without a broker, worker and scheduler."""

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

from adapters.http.protocol.http1 import Http1Protocol
from application.datasets.registry import Generation
from domain.dataset import Role
from domain.errors import InvalidInput
from domain.events import AdminRoleMissing
from entrypoints.config.settings import InvalidSetting, Settings
from entrypoints.processes.lifecycle import (
    BackgroundTask,
    maintenance,
    run_until,
    running,
    signals,
)
from entrypoints.wiring.container import Container

#: How long responses in progress may take after the signal to stop.
GRACE_S = 20
#: How long requests are still accepted while `/health/ready` reports the stop.
NOTICE_S = 1.0
SWITCH_S = 0.0002


class _Server(Server):
    """A uvicorn server without signal handlers, because more must be closed after it."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and set `listening` afterwards."""
        await super().startup(sockets)
        self.listening.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Install no signal handlers."""
        yield


def listen(host: str, port: int) -> socket.socket:
    """Bind the port; raise InvalidSetting if that is not possible."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise InvalidSetting(
            f"cannot listen on {host}:{port} ({error.strerror}); choose another CATCHMENT_PORT"
        ) from error


def address_of(bound: socket.socket) -> str:
    """Return the URL of a bound socket."""
    host, port, *_ = bound.getsockname()
    shown = f"[{host}]" if ":" in host else host
    return f"http://{shown}:{port}"


async def serve(settings: Settings, announce: Callable[[str, Generation], None]) -> None:
    """Serve until SIGTERM or SIGINT; without a broker, run worker and scheduler as well.

    `announce` is called with the URL and the registered datasets, once the port is open.
    """
    with listen(settings.host, settings.port) as bound:
        async with running(settings) as container:
            await ensure_configured_admin(container)
            async with serving(container, bound):
                # A reader releases the GIL at every row, and must not wait 5 ms to get it back.
                sys.setswitchinterval(SWITCH_S)
                # Objects of the start live as long as the process: exclude them from collection.
                gc.collect()
                gc.freeze()
                announce(address_of(bound), container.registry().current)
                with signals() as stop:
                    await run_until(_drained(container, stop), embedded(container))


async def ensure_configured_admin(container: Container) -> None:
    """Create the admin of the settings, unless the account exists."""
    settings = container.settings()
    if settings.admin_username:
        try:
            found = await container.ensure_admin()(settings.admin_username, settings.admin_password)
        except InvalidInput as error:
            raise InvalidSetting(f"CATCHMENT_ADMIN_PASSWORD: {error.detail}") from error
        if found.role is not Role.ADMIN:
            container.events().publish(AdminRoleMissing(username=found.name))


def embedded(container: Container) -> list[BackgroundTask]:
    """Return the background tasks of the API process; with a broker there are none."""
    if container.settings().broker_url:
        return []
    return [container.worker(), container.scheduler(), *maintenance(container)]


async def _drained(container: Container, stop: asyncio.Future[int]) -> None:
    """Wait for the signal to stop; after SIGTERM, report `draining` for a second first."""
    number = await stop
    container.app().drain()
    if number == signal.SIGTERM:
        await asyncio.sleep(NOTICE_S)


@asynccontextmanager
async def serving(container: Container, bound: socket.socket) -> AsyncIterator[None]:
    """Serve HTTP inside the block; responses in progress end before it is left."""
    config = uvicorn.Config(
        container.app(),
        http=Http1Protocol,
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
    task = asyncio.create_task(server.serve(sockets=[bound]))
    try:
        await server.listening.wait()
        yield
    finally:
        server.should_exit = True
        with contextlib.suppress(asyncio.CancelledError):
            await task
