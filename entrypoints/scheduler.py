"""The scheduler process: asks for jobs when their time has come, and keeps house beside it."""

from collections.abc import Callable

from entrypoints.service import doing, keeping, running, signals
from entrypoints.settings import Settings


async def keep_schedules(settings: Settings, announce: Callable[[], None]) -> None:
    """Keep the schedules until SIGTERM or SIGINT."""
    async with running(settings) as container:
        announce()
        with signals() as told:
            await doing([container.keep_schedules(), *keeping(container)], told)
