"""The scheduler process: requests due jobs, prunes, and sends alerts."""

from collections.abc import Callable

from entrypoints.config.settings import Settings
from entrypoints.processes.lifecycle import maintenance, run_until, running, signals


async def scheduler(settings: Settings, announce: Callable[[], None]) -> None:
    """Run the schedules until SIGTERM or SIGINT."""
    async with running(settings) as container:
        announce()
        with signals() as stop:
            await run_until(stop, [container.scheduler(), *maintenance(container)])
