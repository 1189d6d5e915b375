"""The API process: the HTTP server and, without a broker, worker and scheduler."""

import asyncio
import gc
import signal
import sys
from collections.abc import Callable

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
from entrypoints.processes.server import address_of, listen, serving
from entrypoints.wiring.container import Container

#: How long requests are still accepted while `/health/ready` reports the stop.
NOTICE_S = 1.0
SWITCH_S = 0.0002


async def serve(settings: Settings, announce: Callable[[str, Generation], None]) -> None:
    """Serve until SIGTERM or SIGINT; without a broker, run worker and scheduler as well.

    `announce` is called with the URL and the registered datasets, once the port is open.
    """
    with listen(settings.host, settings.port) as bound:
        async with running(settings) as container:
            await ensure_configured_admin(container)
            async with serving(container.app(), bound):
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
