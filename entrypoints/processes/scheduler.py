"""The scheduler process: requests due jobs, prunes, and sends alerts."""

from collections.abc import Callable

from entrypoints.config.settings import Settings
from entrypoints.processes.lifecycle import maintenance, run_until, signals
from entrypoints.processes.metrics import running_with_metrics


async def scheduler(settings: Settings, announce: Callable[[str | None], None]) -> None:
    """Run the schedules until SIGTERM or SIGINT."""
    async with running_with_metrics(settings) as (container, url):
        announce(url)
        with signals() as stop:
            await run_until(stop, [container.scheduler(), *maintenance(container)])
