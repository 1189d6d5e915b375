"""Processes that are killed and stopped, and the ports as they reach them."""

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from contextvars import copy_context
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from domain.dataset import Dataset
from domain.errors import CatchmentError, StoreUnavailable
from domain.jobs import FetchJob
from tests.simulation.fate import Fate
from tests.simulation.loop import TASKS_OF
from tests.simulation.witness import Witness


class Process:
    """What is killed together: all tasks that were started within it."""

    def __init__(self, fate: Fate, name: str) -> None:
        self.fate = fate
        self.name = name
        self.is_alive = True
        self.stopped_until: datetime | None = None
        self._tasks: list[asyncio.Task[Any]] = []
        self._context = copy_context()
        self._context.run(TASKS_OF.set, self._tasks)

    def start(self, work: Coroutine[Any, Any, Any]) -> "asyncio.Task[Any]":
        """Do something in this process."""
        loop = asyncio.get_running_loop()
        return loop.create_task(work, context=self._context.copy())

    async def breathe(self) -> None:
        """Go on, unless it was killed; while it is stopped, later."""
        while self.is_alive and self.stopped_until is not None:
            left_s = -self.fate.since(self.stopped_until)
            if left_s <= 0:
                self.stopped_until = None
            else:
                await self.fate.clock.sleep(left_s)
        if not self.is_alive:
            raise asyncio.CancelledError

    def stop(self, seconds: float) -> None:
        """Let it stand still for so long, and go on then as if nothing had been."""
        self.stopped_until = self.fate.clock.steady + timedelta(seconds=seconds)

    async def kill(self) -> None:
        """End it at once: nothing it does from now on is seen by anybody."""
        self.is_alive = False
        while tasks := [task for task in self._tasks if not task.done()]:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    @property
    def unheard(self) -> list["asyncio.Task[Any]"]:
        """The tasks that have failed, of which nobody has heard: they would be logged as bugs."""
        return [t for t in self._tasks if t.done() and getattr(t, "_log_traceback", False)]


@dataclass(frozen=True)
class Line:
    """What a process reaches its ports over: the machine that does the work, and who looks on."""

    process: Process
    machine: Process
    witness: Witness


class Wire:
    """A port as one process reaches it: what is called may fail, before it is done or after.

    What is on its way when the process is killed is done to its end, or not at all.
    """

    def __init__(
        self,
        adapter: Any,
        port: str,
        line: Line,
        error: type[CatchmentError] = StoreUnavailable,
        about: Any = None,
    ) -> None:
        self._adapter = adapter
        self._port = port
        self._line = line
        self._error = error
        self._about = about

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._adapter, name)
        if not inspect.iscoroutinefunction(found):
            return found
        wired = partial(self._call, name, found)
        setattr(self, name, wired)
        return wired

    async def _call(self, verb: str, method: Callable[..., Any], *given: Any, **named: Any) -> Any:
        process, fate = self._line.process, self._line.process.fate
        if fate.stops(verb):
            process.stop(fate.between(5.0, 9.0))
        await process.breathe()
        if verb == "commit":
            fate.critical.set()
        fault = fate.fault()
        fate.note(process.name, self._port, verb, fault or "")
        if fault == "before":
            raise self._error("this call fails before it is done")
        inner = self._line.machine.start(self._done(verb, method, given, named))
        inner.add_done_callback(_heard)
        try:
            await asyncio.wait([inner])
        except asyncio.CancelledError:
            if process.is_alive:
                inner.cancel()
                await asyncio.wait([inner])
            elif fate.toss():
                inner.cancel()
            raise
        await process.breathe()
        result = inner.result()
        if fault == "after":
            raise self._error("this call failed, but it was done")
        return result

    async def _done(
        self, verb: str, method: Callable[..., Any], given: Any, named: dict[str, Any]
    ) -> Any:
        fate = self._line.process.fate
        begun = fate.clock.steady
        if fate.toss(0.2):
            await fate.clock.sleep(fate.moment_s())
        result = await method(*given, **named)
        self._line.witness.saw(self._port, verb, (given, self._about), result, begun)
        return result


def _heard(inner: "asyncio.Task[Any]") -> None:
    if not inner.cancelled():
        inner.exception()


class WiredIntakes(Wire):
    """Intakes that are reached the same way."""

    @asynccontextmanager
    async def open(self, dataset: Dataset[Any], source: str, job: FetchJob) -> AsyncIterator[Any]:
        """An intake of a process that may not live to its commit."""
        async with self._adapter.open(dataset, source, job) as intake:
            yield Wire(intake, "intake", self._line, about=job)
