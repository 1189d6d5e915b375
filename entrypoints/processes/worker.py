"""The worker process: runs jobs."""

from collections.abc import Callable

from entrypoints.config.settings import Settings
from entrypoints.processes.lifecycle import run_until, running, signals


async def work(settings: Settings, announce: Callable[[], None]) -> None:
    """Run jobs until SIGTERM or SIGINT, then let running ones end."""
    async with running(settings) as container:
        announce()
        with signals() as stop:
            await run_until(stop, [container.worker()])
