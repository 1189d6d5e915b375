"""The worker process: runs jobs."""

from collections.abc import Callable

from entrypoints.config.settings import Settings
from entrypoints.processes.lifecycle import run_until, signals
from entrypoints.processes.metrics import running_with_metrics


async def work(settings: Settings, announce: Callable[[str | None], None]) -> None:
    """Run jobs until SIGTERM or SIGINT, then let running ones end."""
    async with running_with_metrics(settings) as (container, url):
        announce(url)
        with signals() as stop:
            await run_until(stop, [container.worker()])
