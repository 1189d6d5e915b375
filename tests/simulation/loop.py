"""An event loop whose time is a clock's: when nothing can run, it jumps to the next moment."""

import asyncio
import itertools
import math
import selectors
from collections.abc import Awaitable, Callable, Coroutine, Generator
from contextvars import Context, ContextVar, copy_context
from datetime import timedelta
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from adapters.memory.system import SteerableClock
from application.ports.system import Random

T = TypeVar("T")

_MICROSECOND = timedelta(microseconds=1)
#: A call to a thread takes so long at most; most take no time at all.
_LONGEST_CALL_S = 0.004
_SLOW_SHARE = 0.15

#: The tasks of the process that runs now: what it starts is added to them.
TASKS_OF: ContextVar[list["asyncio.Task[Any]"]] = ContextVar("tasks_of")


class Stuck(Exception):
    """Everything waits for something that will never come."""


class VirtualLoop(asyncio.SelectorEventLoop):
    """Runs what is ready in an order that the seed chooses; nobody ever waits for real time.

    Nothing runs on threads: what is handed to one is done by the loop, a moment later and in the
    order in which it came, so that a store on its own threads is as repeatable as all the rest.
    There is no network.
    """

    def __init__(self, clock: SteerableClock, random: Random) -> None:
        self._clock = clock
        self._random = random
        self._began = clock.steady
        self._numbers = itertools.count()
        self._busy_until: WeakKeyDictionary[Any, float] = WeakKeyDictionary()
        super().__init__(_Jumping(self._jump))
        self._clock_resolution = _MICROSECOND.total_seconds()
        self.set_task_factory(_numbered)

    def time(self) -> float:
        """Seconds since the loop was made."""
        return (self._clock.steady - self._began).total_seconds()

    def number(self) -> int:
        """The number of the next task or future."""
        return next(self._numbers)

    def create_future(self) -> "asyncio.Future[Any]":
        """A future that sets keep in the order of creation."""
        return _Future(loop=self)

    def run_in_executor(  # type: ignore[override]
        self, executor: Any, func: Callable[..., T], *args: Any
    ) -> "asyncio.Future[T]":
        """Do a thread's work on the loop."""
        future = self.create_future()
        slow = self._random.fraction()
        delay_s = _LONGEST_CALL_S * slow / _SLOW_SHARE if slow < _SLOW_SHARE else 0.0
        begins = self.time() + delay_s
        if executor is not None:
            begins = max(begins, self._busy_until.get(executor, 0.0))
            self._busy_until[executor] = begins
        self.call_at(begins, _done, future, func, args)
        return future

    async def create_connection(self, *_: Any, **__: Any) -> Any:
        """Refuse."""
        raise AssertionError("a simulation asks nobody")

    async def create_server(self, *_: Any, **__: Any) -> Any:
        """Refuse."""
        raise AssertionError("a simulation serves nobody")

    async def getaddrinfo(self, *_: Any, **__: Any) -> Any:
        """Refuse."""
        raise AssertionError("a simulation knows no addresses")

    # ------------------------------------------------------------ instead of waiting

    def _jump(self, timeout: float | None) -> None:
        """Move the clock to the next moment when nothing is ready, then shuffle what is."""
        if timeout is None or timeout > 0:
            self._pass_time(timeout)
        ready: list[Any] = list(self._ready)  # type: ignore[attr-defined]
        if len(ready) > 1:
            self._ready.clear()  # type: ignore[attr-defined]
            while ready:
                self._ready.append(ready.pop(self._drawn(len(ready))))  # type: ignore[attr-defined]

    def _pass_time(self, timeout: float | None) -> None:
        now, wakes_at = self._clock.steady, self._clock.wakes_at
        if timeout is None and wakes_at is None:
            raise Stuck("everything waits, and nothing will ever happen")
        until = wakes_at
        if timeout is not None:
            timer = now + timedelta(microseconds=math.ceil(timeout * 1e6))
            until = timer if until is None else min(timer, until)
        assert until is not None
        self._clock.advance(until - now)

    def _drawn(self, below: int) -> int:
        return int(self._random.fraction() * below)


class _Jumping(selectors.SelectSelector):
    """Never waits: the network is silent, and time is somebody else's matter."""

    def __init__(self, jump: Callable[[float | None], None]) -> None:
        super().__init__()
        self._jump = jump

    def select(self, timeout: float | None = None) -> list[Any]:
        self._jump(timeout)
        return []


class _Task(asyncio.Task[Any]):
    """A task whose place in a set does not depend on where it lies in memory."""

    def __new__(cls, *args: Any, loop: VirtualLoop, **named: Any) -> "_Task":
        task = super().__new__(cls)
        task._number = loop.number()
        return task

    _number: int

    def __hash__(self) -> int:
        return self._number


class _Future(asyncio.Future[Any]):
    """The same for futures."""

    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__(loop=loop)
        self._number = loop.number()

    def __hash__(self) -> int:
        return self._number


def _numbered(
    loop: asyncio.AbstractEventLoop,
    coroutine: Coroutine[Any, Any, T] | Generator[Any, None, T],
    context: Context | None = None,
) -> "asyncio.Future[T]":
    assert isinstance(loop, VirtualLoop)
    task = _Task(coroutine, loop=loop, context=context)  # type: ignore[arg-type]
    (context or copy_context()).get(TASKS_OF, []).append(task)
    return task


def _done(future: "asyncio.Future[T]", func: Callable[..., T], args: tuple[Any, ...]) -> None:
    if future.cancelled():
        return
    try:
        result = func(*args)
    except BaseException as error:
        if not isinstance(error, Exception):
            raise
        future.set_exception(error)
    else:
        future.set_result(result)


def run(clock: SteerableClock, random: Random, main: Callable[[], Awaitable[T]]) -> T:
    """Run something to its end in no time."""
    loop = VirtualLoop(clock, random)
    asyncio.set_event_loop(loop)
    try:
        return loop.run_until_complete(main())
    finally:
        asyncio.set_event_loop(None)
        loop.close()
