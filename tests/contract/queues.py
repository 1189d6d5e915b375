"""The queues that the contract runs on, and a listener."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Protocol

import aio_pika

from adapters.memory.jobs import MemoryQueue
from adapters.memory.operations import MemoryEvents
from adapters.memory.system import SeededRandom
from adapters.queue.rabbitmq import RabbitQueue
from application.ports.jobs import Queue
from application.ports.operations import Probe
from tests.services.rabbitmq import broker_url

AT_ONCE = 3
TRIES = 4


class ProbedQueue(Queue, Probe, Protocol):
    """What both adapters are."""


Open = Callable[[], AbstractAsyncContextManager[ProbedQueue]]


@asynccontextmanager
async def embedded() -> AsyncIterator[ProbedQueue]:
    """Return the queue within a process."""
    yield MemoryQueue(MemoryEvents(), at_once=AT_ONCE, tries=TRIES)


@asynccontextmanager
async def rabbitmq() -> AsyncIterator[ProbedQueue]:
    """Return the queue through a broker, which forgets it in the end."""
    async with own_queues(broker_url()) as prefix:
        queue = RabbitQueue(
            broker_url(), MemoryEvents(), prefix=prefix, at_once=AT_ONCE, tries=TRIES
        )
        try:
            yield queue
        finally:
            await queue.close()


@asynccontextmanager
async def own_queues(url: str) -> AsyncIterator[str]:
    """Yield a unique prefix of queue names; the queues are deleted in the end."""
    prefix = f"catchment-test-{uuid.uuid4().hex}"  # noqa: TID251 - other runs use this broker too
    yield prefix
    async with await aio_pika.connect(url) as connection, connection.channel() as channel:
        for name in (f"{prefix}.jobs", f"{prefix}.dead"):
            await channel.queue_delete(name)
        await channel.exchange_delete(f"{prefix}.dead")


def job_ids(count: int) -> list[str]:
    """So many identifiers of jobs."""
    random = SeededRandom()
    return [random.identifier() for _ in range(count)]


class Listener:
    """Writes down what it is handed; what it is asked to hold stays in hand until released."""

    def __init__(self, *, holds: bool = False) -> None:
        self.handed: list[str] = []
        self.done: list[str] = []
        #: The most that were in hand at a time.
        self.peak = 0
        self._in_hand = 0
        self._released = asyncio.Event()
        self._changed = asyncio.Condition()
        if not holds:
            self._released.set()

    async def __call__(self, job_id: str) -> None:
        """Deal with one announcement."""
        self.handed.append(job_id)
        self._in_hand += 1
        self.peak = max(self.peak, self._in_hand)
        try:
            await self._tell()
            await self._released.wait()
            await self.end(job_id)
            self.done.append(job_id)
        finally:
            self._in_hand -= 1
            await self._tell()

    async def end(self, job_id: str) -> None:
        """Return what dealing with one announcement comes to."""

    def release(self) -> None:
        """Let go of what is in hand, and hold nothing any more."""
        self._released.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Return when something is true that only this listener changes."""
        async with self._changed:
            await self._changed.wait_for(condition)

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()


class Failing(Listener):
    """Fails at some jobs, each time it is handed them."""

    def __init__(self, *job_ids: str, error: type[BaseException] = RuntimeError) -> None:
        super().__init__()
        self._failing = job_ids
        self._error = error

    async def end(self, job_id: str) -> None:
        """Fail, or do not."""
        if job_id in self._failing:
            raise self._error
