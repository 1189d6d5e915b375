"""Concurrency: tasks that keep running when their caller is cancelled, and pools of tasks."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class ShieldedTasks(Generic[T]):
    """Tasks that run to their end even if the caller that waits for them is cancelled."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[T]] = set()

    async def __call__(self, work: Coroutine[Any, Any, T]) -> T:
        """Run the work and return its result."""
        task = asyncio.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        task.add_done_callback(retrieve_exception)
        return await result_of(task)

    @property
    def is_busy(self) -> bool:
        """Return whether a task is running."""
        return bool(self._running)

    async def drain(self) -> None:
        """Wait until no task is running."""
        while self._running:
            await asyncio.wait(self._running)

    async def close(self) -> None:
        """Cancel the running tasks."""
        for task in self._running:
            task.cancel()
        await self.drain()


class SingleFlight(Generic[T]):
    """Work that runs once at a time for each key; concurrent callers share its result."""

    def __init__(self) -> None:
        self._running: dict[str, asyncio.Task[T]] = {}

    async def __call__(self, key: str, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Return the result of the work that runs for this key, or is started now."""
        shared = self._running.get(key)
        if shared is None:
            shared = self._running[key] = asyncio.create_task(self._done(key, work))
            shared.add_done_callback(retrieve_exception)
        return await result_of(shared)

    async def close(self) -> None:
        """Cancel the running tasks."""
        running = list(self._running.values())
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    async def _done(self, key: str, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        try:
            return await work()
        finally:
            # Not in a callback: a caller in between would wait for finished work, for ever.
            del self._running[key]


async def result_of(task: asyncio.Task[T]) -> T:
    """Return the result of a task, which keeps running if the caller is cancelled."""
    # `shield` would throw an error into the waiting coroutine, which CPython 3.11 does not report
    # to tracers completely: coverage then misses lines that ran.
    await asyncio.wait([task])
    return task.result()


def retrieve_exception(task: asyncio.Task[Any]) -> None:
    """Retrieve the exception so asyncio does not log it as never retrieved."""
    if not task.cancelled():
        task.exception()


@asynccontextmanager
async def task_pool(
    inbox: asyncio.Queue[T], handle: Callable[[T], Awaitable[None]], at_once: int
) -> AsyncIterator[None]:
    """Handle the items of the inbox, at most `at_once` at a time, during the block.

    On leaving the block, also by cancellation, no more items are taken, and the running handlers
    are waited for; a second cancellation cancels them.
    """
    free = asyncio.Semaphore(at_once)
    handling: set[asyncio.Task[None]] = set()

    async def handle_and_release(item: T) -> None:
        try:
            await handle(item)
        finally:
            free.release()

    async def take() -> None:
        while True:
            await free.acquire()
            task = asyncio.create_task(handle_and_release(await inbox.get()))
            handling.add(task)
            task.add_done_callback(handling.discard)

    taking = asyncio.create_task(take())
    try:
        yield
    finally:
        taking.cancel()
        # Cancelling this wait cancels the running handlers.
        await asyncio.gather(taking, *handling, return_exceptions=True)
