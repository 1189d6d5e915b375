"""The service under fuzzing: the real container over SQLite, with the sample upstream."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from adapters.memory.accounts import MemoryPasswordHasher
from adapters.memory.system import SeededRandom
from domain.dataset import Role
from domain.users import OPERATOR
from entrypoints.config.loading import load
from entrypoints.config.setting_readers import CLIENT_LIMITS
from entrypoints.config.units import rates
from entrypoints.processes.lifecycle import run_until, running
from entrypoints.sample_upstream import SampleUpstream
from entrypoints.sample_upstream.subjects import settings_for
from entrypoints.wiring.container import Container

PASSWORD = "long enough for every role"
#: No rate limit may hide the code behind it.
_ENDLESS = "1000000/1s"


def bearer(role: Role) -> dict[str, str]:
    """Return the header of a request in a role; the service replaces it by a real token."""
    return {} if role is Role.ANYONE else {"Authorization": f"Bearer {role.value}"}


class Service:
    """An ASGI application whose lifespan opens the service and closes it afterwards."""

    def __init__(self) -> None:
        self._app: Any = None
        self._container: Any = None
        self._tokens: dict[bytes, bytes] = {}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer a request, or run the lifespan from its first message to the second."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        headers = [
            (name, await self._real(value) if name == b"authorization" else value)
            for name, value in scope["headers"]
        ]
        await self._app({**scope, "headers": headers}, receive, send)
        if scope["method"] != "GET" and scope["path"].startswith(("/auth/", "/users")):
            self._tokens.clear()

    async def _live(self, receive: Any, send: Any) -> None:
        await receive()
        async with _container() as container:
            self._container, self._app = container, container.app()
            await send({"type": "lifespan.startup.complete"})
            await run_until(receive(), [container.worker()])
        await send({"type": "lifespan.shutdown.complete"})

    async def _real(self, value: bytes) -> bytes:
        """Return the header of a session in a role, a new one if a logout has ended the last."""
        role = value.removeprefix(b"Bearer ")
        if role not in (b"user", b"admin"):
            return value
        if role not in self._tokens:
            # Any user, this one too, may just have been disabled, or made another's.
            manage_users, name = self._container.manage_users(), role.decode()
            await manage_users.change(name, OPERATOR, role=Role(name), disabled=False)
            log_in = self._container.session_use_cases().log_in
            granted = await log_in(role.decode(), PASSWORD, "the fuzzer")
            self._tokens[role] = f"Bearer {granted.access_token}".encode()
        return self._tokens[role]


@asynccontextmanager
async def _container() -> AsyncIterator[Container]:
    with tempfile.TemporaryDirectory(prefix="catchment-fuzz-") as folder:
        async with SampleUpstream(posts=20) as upstream:
            settings = load(_settings(upstream, Path(folder, "catchment.db")))
            replaced = {"random": SeededRandom(), "hasher": MemoryPasswordHasher()}
            async with running(settings, **replaced) as container:
                await _fill(container)
                yield container


def _settings(upstream: SampleUpstream, database: Path) -> Mapping[str, str]:
    host, port = upstream.address
    return {
        **settings_for(upstream.url("")),
        "CATCHMENT_DATABASE_URL": f"sqlite:///{database}",
        "CATCHMENT_RATE_LIMITS": f"{host}:{port}={_ENDLESS}",
        "CATCHMENT_CLIENT_LIMITS": ",".join(f"{name}={_ENDLESS}" for name in rates(CLIENT_LIMITS)),
        "CATCHMENT_ACCESS_TOKEN_TTL": "1d",
        # The name by which Schemathesis asks.
        "CATCHMENT_ALLOWED_HOSTS": "testserver",
    }


async def _fill(container: Container) -> None:
    """Create a user of every role, and a few records of every dataset."""
    for role in (Role.USER, Role.ADMIN):
        await container.add_user()(role.value, PASSWORD, role)
    await asyncio.gather(*(fetch(Role.ADMIN) for fetch in container.registry().fetches.values()))
