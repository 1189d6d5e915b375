"""A broker that loses announcements, repeats them, and brings them late and in any order."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import Context, copy_context
from dataclasses import dataclass, field
from typing import Any

from adapters.memory.system import SteerableClock
from application.ports.jobs import Handle, Queue
from application.ports.system import Random
from domain.errors import QueueUnavailable

_LONGEST_DELAY_S = 3.0


@dataclass(eq=False)
class _Listener:
    """Somebody who deals with announcements, in a process of their own."""

    handle: Handle
    context: Context
    in_hand: list["asyncio.Task[Any]"] = field(default_factory=list)

    def hand_over(self, job_id: str) -> "asyncio.Task[Any]":
        """Have it dealt with."""
        task = asyncio.get_running_loop().create_task(
            _dealt(self.handle, job_id), context=self.context.copy()
        )
        self.in_hand.append(task)
        return task


class Broker(Queue):
    """Shared by all processes; while `storming` nothing about it can be relied on."""

    def __init__(self, clock: SteerableClock, random: Random) -> None:
        self.is_away = False
        self.storming = True
        self._clock = clock
        self._random = random
        self._context = copy_context()
        self._listeners: list[_Listener] = []
        self._waiting: list[str] = []

    async def announce(self, job_id: str) -> None:
        """Promise to tell somebody, and keep it or not."""
        if self.is_away:
            raise QueueUnavailable("the broker is away")
        drawn = self._random.fraction() if self.storming else 0.5
        for _ in range(0 if drawn < 0.2 else 2 if drawn > 0.8 else 1):
            self._later(job_id)

    @asynccontextmanager
    async def listening(self, handle: Handle) -> AsyncIterator[None]:
        """Hand announcements to `handle` while the block lasts."""
        listener = _Listener(handle, copy_context())
        self._listeners.append(listener)
        waiting, self._waiting = self._waiting, []
        for job_id in waiting:
            self._later(job_id)
        try:
            yield
        finally:
            self._listeners.remove(listener)
            await asyncio.gather(*listener.in_hand, return_exceptions=True)

    def _later(self, job_id: str) -> None:
        asyncio.get_running_loop().create_task(self._deliver(job_id), context=self._context.copy())

    async def _deliver(self, job_id: str) -> None:
        drawn = self._random.fraction()
        await self._clock.sleep(_LONGEST_DELAY_S * drawn**4 if self.storming else 0.001)
        if not self._listeners:
            self._waiting.append(job_id)
            return
        listener = self._listeners[int(self._random.fraction() * len(self._listeners))]
        task = listener.hand_over(job_id)
        await asyncio.wait([task])
        listener.in_hand.remove(task)
        # Nobody has acknowledged it: it comes again.
        if task.cancelled() or task.exception() is not None:
            self._later(job_id)


async def _dealt(handle: Handle, job_id: str) -> None:
    await handle(job_id)
