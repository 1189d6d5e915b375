"""Crew: deals with what comes in, so many things at once, and ends in good order."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

import structlog

from application.ports.jobs import Handle

T = TypeVar("T")

_log = structlog.get_logger("catchment.queue")


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


async def managed(handle: Handle, job_id: str) -> bool:
    """Whether the handler returned; what it raises is written down, and ends nothing else."""
    try:
        with structlog.contextvars.bound_contextvars(job=job_id):
            await handle(job_id)
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        _log.exception("an announced job could not be dealt with", job=job_id)
    except Exception:
        _log.exception("an announced job could not be dealt with", job=job_id)
    else:
        return True
    return False
