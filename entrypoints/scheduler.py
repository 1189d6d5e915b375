"""The scheduler process: asks for jobs when their time has come."""

from collections.abc import Callable

from entrypoints.service import doing, running, signals
from entrypoints.settings import Settings


async def keep_schedules(settings: Settings, announce: Callable[[], None]) -> None:
    """Keep the schedules until SIGTERM or SIGINT."""
    async with running(settings) as container:
        announce()
        with signals() as told:
            await doing([container.keep_schedules()], told)
