"""The service: open the database, build the container, and take it all down again."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from adapters.sql.schema.migrate import database_id_of, migrate
from application.operations.health import HealthReport
from domain.retention import RetainedKind
from entrypoints.config.settings import Settings
from entrypoints.wiring.container import TABLES, Container

#: What is in hand when we have to stop may take this long to end.
DRAIN_S = 15.0
#: And so long what nobody waits for any more, before it is left to others.
LAST_S = 5.0
_STOPPING = (signal.SIGTERM, signal.SIGINT)
#: What is removed, as the person at the command line knows it.
_PLAINLY = {
    RetainedKind.QUARANTINE: "records in quarantine",
    RetainedKind.PAYLOADS: "payloads",
    RetainedKind.JOBS: "jobs",
    RetainedKind.KEYS: "idempotency keys",
    RetainedKind.SESSIONS: "sessions that had run out",
    RetainedKind.GUESSES: "guesses at passwords",
    RetainedKind.CLIENTS: "counts of what clients asked",
}

BackgroundTask = Callable[[], Coroutine[Any, Any, None]]


@asynccontextmanager
async def running(settings: Settings, **overrides: Any) -> AsyncIterator[Container]:
    """A container over a migrated database; providers can be overridden by name."""
    container = Container(settings=settings)
    container.override_providers(**overrides)
    database = container.database()
    try:
        await migrate(database, TABLES)
        container.database_id.override(await database_id_of(database))
        yield container
        # Only a stop in good order waits; whoever breaks off does not want to.
        await _drained(container)
    finally:
        for fetch in container.runnable().values():
            await fetch.close()
        if (repository_lookup := container.repository_lookup()) is not None:
            await repository_lookup.close()
        await container.queue().close()
        await container.client().close()
        await database.close()


async def migrated(settings: Settings) -> list[str]:
    """Migrate the database; says what was done."""
    database = Container(settings=settings).database()
    try:
        return await migrate(database, TABLES)
    finally:
        await database.close()


async def pruned(settings: Settings) -> list[str]:
    """Remove what is old; says what was removed."""
    async with running(settings) as container:
        removed = await container.prune()()
    said = [f"{_PLAINLY[kept]}: {count} removed" for kept, count in removed.items() if count]
    return said or ["Nothing is old enough to be removed."]


async def looked_at(settings: Settings) -> HealthReport:
    """The health of what the settings lead to; nothing is changed."""
    container = Container(settings=settings)
    try:
        report: HealthReport = await container.check_health()()
        return report
    finally:
        await container.queue().close()
        await container.database().close()


def keeping(container: Container) -> list[BackgroundTask]:
    """What goes on beside the schedules: removing what is old and, if wanted, alerts."""
    alerts = [container.alert_monitor()] if container.settings().alert_url else []
    return [container.prune_loop(), *alerts]


async def _drained(container: Container) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(LAST_S):
            for fetch in container.runnable().values():
                await fetch.drain()


@contextmanager
def signals() -> Iterator[asyncio.Future[int]]:
    """The first signal to stop that comes inside the block; a second one ends the process."""
    loop = asyncio.get_running_loop()
    signalled: asyncio.Future[int] = loop.create_future()

    def note(number: int) -> None:
        for each in _STOPPING:
            loop.remove_signal_handler(each)
        signalled.set_result(number)

    for number in _STOPPING:
        loop.add_signal_handler(number, note, number)
    try:
        yield signalled
    finally:
        for number in _STOPPING:
            loop.remove_signal_handler(number)


async def doing(works: Iterable[BackgroundTask], stop: Awaitable[Any]) -> None:
    """Do all of this until `stop` is done, or until some of it breaks and raises.

    What is in hand then may come to its end, but not for longer than DRAIN_S.
    """
    tasks = [asyncio.create_task(work()) for work in works]
    stopping = asyncio.ensure_future(stop)
    try:
        await asyncio.wait([stopping, *tasks], return_when=asyncio.FIRST_COMPLETED)
        broken = [task for task in tasks if task.done()]
    finally:
        stopping.cancel()
        await _ended(tasks)
    for task in broken:
        task.result()


async def _ended(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    if tasks:
        _, unfinished = await asyncio.wait(tasks, timeout=DRAIN_S)
        for task in unfinished:
            task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
