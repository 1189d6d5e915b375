"""The HTTP server: a bound port, and uvicorn on it."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import uvicorn
from uvicorn.server import Server

from adapters.http.protocol.asgi import App
from adapters.http.protocol.http1 import Http1Protocol
from entrypoints.config.settings import InvalidSetting

#: How long responses in progress may take after the signal to stop.
GRACE_S = 20


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


def listen(host: str, port: int, setting: str = "PORT") -> socket.socket:
    """Bind the port; raise InvalidSetting if that is not possible."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise InvalidSetting(
            f"cannot listen on {host}:{port} ({error.strerror}); choose another CATCHMENT_{setting}"
        ) from error


def address_of(bound: socket.socket) -> str:
    """Return the URL of a bound socket."""
    host, port, *_ = bound.getsockname()
    shown = f"[{host}]" if ":" in host else host
    return f"http://{shown}:{port}"


@asynccontextmanager
async def serving(app: App, bound: socket.socket) -> AsyncIterator[None]:
    """Serve an application inside the block; responses in progress end before it is left."""
    config = uvicorn.Config(
        app,
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
