"""The service: open the database, build the container, and take it all down again."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from adapters.sql.migrate import migrate
from entrypoints.container import DATASETS, Container
from entrypoints.settings import Settings

#: A fetch that runs when we are told to stop may take this long to end.
DRAIN_S = 15.0


@asynccontextmanager
async def running(settings: Settings, **overrides: Any) -> AsyncIterator[Container]:
    """A container over a migrated database; providers can be overridden by name."""
    migrate(settings.database_path, DATASETS)
    container = Container(settings=settings)
    container.override_providers(**overrides)
    try:
        yield container
        # Only a stop in good order waits; whoever breaks off does not want to.
        await _drain(container)
    finally:
        for fetch in container.fetches().values():
            await fetch.close()
        await container.client().close()
        await container.database().close()


async def _drain(container: Container) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(DRAIN_S):
            for fetch in container.fetches().values():
                await fetch.drain()
