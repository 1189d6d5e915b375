"""The worker process: runs jobs that others have asked for."""

from collections.abc import Callable

from entrypoints.service import doing, running, signals
from entrypoints.settings import Settings


async def work(settings: Settings, announce: Callable[[], None]) -> None:
    """Work until SIGTERM or SIGINT, then end what is in hand."""
    async with running(settings) as container:
        announce()
        with signals() as told:
            await doing([container.work()], told)
