"""The lifecycle of a process: open the database, build the container, close both."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from adapters.sql.accounts.generations import begin_generations
from adapters.sql.schema.migrate import database_id_of, migrate
from application.datasets.registry import Registry
from application.operations.health import HealthReport
from domain.retention import RetainedKind
from entrypoints.config.settings import Settings
from entrypoints.wiring.container import Container

#: How long running jobs may take after the signal to stop.
DRAIN_S = 15.0
#: How long fetches without a waiting caller may then take, before other processes run them.
LAST_S = 5.0
_STOPPING = (signal.SIGTERM, signal.SIGINT)
#: The names of the kinds on the command line.
_NAMES = {
    RetainedKind.QUARANTINE: "records in quarantine",
    RetainedKind.PAYLOADS: "payloads",
    RetainedKind.JOBS: "jobs",
    RetainedKind.KEYS: "idempotency keys",
    RetainedKind.SESSIONS: "expired sessions",
    RetainedKind.TOKENS: "expired API tokens",
    RetainedKind.GUESSES: "password attempts",
    RetainedKind.CLIENTS: "request counts of clients",
}

BackgroundTask = Callable[[], Coroutine[Any, Any, None]]


@asynccontextmanager
async def running(settings: Settings, **overrides: Any) -> AsyncIterator[Container]:
    """Yield a container over a migrated database; providers can be overridden by name."""
    container = Container(settings=settings)
    container.override_providers(**overrides)
    database, registry = container.database(), container.registry()
    try:
        await migrate(database, registry.current.datasets)
        await begin_generations(database, container.key_id())
        container.database_id.override(await database_id_of(database))
        yield container
        # Only a graceful stop waits; an exception does not.
        await _drained(registry)
        await container.token_use().drain()
    finally:
        await registry.close()
        if (repository_lookup := container.repository_lookup()) is not None:
            await repository_lookup.close()
        await container.queue().close()
        await container.client().close()
        await database.close()
        # What was recorded until here is exported; that may take seconds.
        await asyncio.to_thread(container.tracer().close)


async def migrated(settings: Settings) -> list[str]:
    """Migrate the database; return what was done."""
    container = Container(settings=settings)
    database = container.database()
    try:
        return await migrate(database, container.registry().current.datasets)
    finally:
        await database.close()


async def pruned(settings: Settings) -> list[str]:
    """Remove expired rows; return what was removed."""
    async with running(settings) as container:
        removed = await container.prune()()
    lines = [f"{_NAMES[kept]}: {count} removed" for kept, count in removed.items() if count]
    return lines or ["Nothing has expired."]


async def verified(settings: Settings) -> tuple[int, list[tuple[int, ...]]]:
    """Read every stored payload back; return their number, and the receipts of damaged ones."""
    checked, damaged = 0, []
    async with running(settings) as container:
        async for body in container.receipts().verify():
            checked += 1
            if body.damaged:
                damaged.append(body.receipts)
    return checked, damaged


async def health_of(settings: Settings) -> HealthReport:
    """Return the health of the configured database and queue; change nothing."""
    container = Container(settings=settings)
    try:
        report: HealthReport = await container.check_health()()
        return report
    finally:
        await container.queue().close()
        await container.database().close()


def maintenance(container: Container) -> list[BackgroundTask]:
    """Return the maintenance tasks: pruning and, if configured, alerts."""
    alerts = [container.alert_monitor()] if container.settings().alert_url else []
    return [container.prune_loop(), *alerts]


async def _drained(registry: Registry) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(LAST_S):
            await registry.drain()


@contextmanager
def signals() -> Iterator[asyncio.Future[int]]:
    """Yield a future of the first signal to stop; a second one ends the process.

    The hang-up of a terminal stops the process as SIGTERM does, unless hang-ups are ignored.
    """
    loop = asyncio.get_running_loop()
    received: asyncio.Future[int] = loop.create_future()
    handled = {number: number for number in _STOPPING}
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        handled[signal.SIGHUP] = signal.SIGTERM

    def receive(number: int) -> None:
        for each in handled:
            loop.remove_signal_handler(each)
        received.set_result(number)

    for number, meaning in handled.items():
        loop.add_signal_handler(number, receive, meaning)
    try:
        yield received
    finally:
        for number in handled:
            loop.remove_signal_handler(number)


async def run_until(stop: Awaitable[Any], background: Iterable[BackgroundTask]) -> None:
    """Run all tasks until `stop`, or until one of them fails; then raise its error.

    Running jobs may end first, for at most DRAIN_S.
    """
    tasks = [asyncio.create_task(task()) for task in background]
    stopping = asyncio.ensure_future(stop)
    try:
        await asyncio.wait([stopping, *tasks], return_when=asyncio.FIRST_COMPLETED)
        failed = [task for task in tasks if task.done()]
    finally:
        stopping.cancel()
        await _ended(tasks)
    for task in failed:
        task.result()


async def _ended(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    if tasks:
        _, unfinished = await asyncio.wait(tasks, timeout=DRAIN_S)
        for task in unfinished:
            task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
