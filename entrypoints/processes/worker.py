"""The worker process: runs jobs that others have asked for."""

from collections.abc import Callable

from entrypoints.config.settings import Settings
from entrypoints.processes.lifecycle import doing, running, signals


async def work(settings: Settings, announce: Callable[[], None]) -> None:
    """Work until SIGTERM or SIGINT, then end what is in hand."""
    async with running(settings) as container:
        announce()
        with signals() as signalled:
            await doing([container.work()], signalled)
