"""Concurrency: tasks that keep running when their caller is cancelled, and pools of tasks."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class ShieldedTasks(Generic[T]):
    """Pieces of work, each waited for by one caller, whose leaving breaks none of them off."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[T]] = set()

    async def __call__(self, work: Coroutine[Any, Any, T]) -> T:
        """What comes of the work."""
        task = asyncio.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        task.add_done_callback(heard)
        return await end_of(task)

    @property
    def is_busy(self) -> bool:
        """Whether anything is running."""
        return bool(self._running)

    async def drain(self) -> None:
        """Return when nothing is running any more."""
        while self._running:
            await asyncio.wait(self._running)

    async def close(self) -> None:
        """Break off what is running."""
        for task in self._running:
            task.cancel()
        await self.drain()


class SingleFlight(Generic[T]):
    """Work that is done once at a time for each key, for all who want it meanwhile."""

    def __init__(self) -> None:
        self._running: dict[str, asyncio.Task[T]] = {}

    async def __call__(self, key: str, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """What comes of the work that is under way for this key, or is begun now."""
        shared = self._running.get(key)
        if shared is None:
            shared = self._running[key] = asyncio.create_task(self._done(key, work))
            shared.add_done_callback(heard)
        return await end_of(shared)

    async def close(self) -> None:
        """Break off what is running."""
        running = list(self._running.values())
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    async def _done(self, key: str, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        try:
            return await work()
        finally:
            # Not in a callback: who came in between would wait for work that is over, for ever.
            del self._running[key]


async def end_of(task: asyncio.Task[T]) -> T:
    """What comes of a task, which goes on when whoever waits for it leaves."""
    # `shield` would throw an error into the waiting coroutine, of which CPython 3.11 tells tracers
    # too little: coverage then misses lines that ran.
    await asyncio.wait([task])
    return task.result()


def heard(task: asyncio.Task[Any]) -> None:
    """Hear how a task has ended: whoever waited knows it already, and nobody may be left to."""
    if not task.cancelled():
        task.exception()


@asynccontextmanager
async def task_pool(
    inbox: asyncio.Queue[T], deal: Callable[[T], Awaitable[None]], at_once: int
) -> AsyncIterator[None]:
    """Deal with what comes into the inbox, at most `at_once` at a time, while the block lasts.

    Leaving the block, also by being cancelled, takes nothing more and waits for what is in hand;
    cancelled meanwhile, it cancels that too.
    """
    free = asyncio.Semaphore(at_once)
    in_hand: set[asyncio.Task[None]] = set()

    async def dealt(item: T) -> None:
        try:
            await deal(item)
        finally:
            free.release()

    async def take() -> None:
        while True:
            await free.acquire()
            task = asyncio.create_task(dealt(await inbox.get()))
            in_hand.add(task)
            task.add_done_callback(in_hand.discard)

    taking = asyncio.create_task(take())
    try:
        yield
    finally:
        taking.cancel()
        # Cancelling this wait cancels what it waits for.
        await asyncio.gather(taking, *in_hand, return_exceptions=True)
