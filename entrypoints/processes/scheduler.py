"""The scheduler process: asks for jobs when their time has come, and keeps house beside it."""

from collections.abc import Callable

from entrypoints.config.settings import Settings
from entrypoints.processes.lifecycle import doing, keeping, running, signals


async def scheduler(settings: Settings, announce: Callable[[], None]) -> None:
    """Keep the schedules until SIGTERM or SIGINT."""
    async with running(settings) as container:
        announce()
        with signals() as signalled:
            await doing([container.scheduler(), *keeping(container)], signalled)
