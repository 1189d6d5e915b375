"""Ports that count their calls and fail one of them."""

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from domain.dataset import Dataset
from domain.errors import CatchmentError, StoreUnavailable
from domain.jobs import FetchJob


class Countdown:
    """A counter of calls that fails one of them, before or after it is done."""

    def __init__(self, failing: int = 0, after: bool = False) -> None:
        self.left = failing
        self.after = after
        self.failed = ""
        self.calls = 0

    async def call(
        self,
        error: type[CatchmentError],
        method: Callable[..., Awaitable[Any]],
        *given: Any,
        **named: Any,
    ) -> Any:
        """Make the call, or fail if it is the chosen one."""
        self.left -= 1
        self.calls += 1
        fails = self.left == 0
        if fails:
            self.failed = method.__qualname__
            if not self.after:
                raise error("this call fails")
        result = await method(*given, **named)
        if fails:
            raise error("this call failed, but it was done")
        return result


class Counted:
    """Any adapter, with its calls counted."""

    def __init__(
        self,
        adapter: Any,
        countdown: Countdown,
        error: type[CatchmentError] = StoreUnavailable,
    ) -> None:
        self._adapter = adapter
        self._countdown = countdown
        self._error = error

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._adapter, name)
        if not inspect.iscoroutinefunction(method):
            return method
        return partial(self._countdown.call, self._error, method)


class CountedIntakes(Counted):
    """Intakes, with their calls counted."""

    @asynccontextmanager
    async def open(
        self, dataset: Dataset[Any], source: str, job: FetchJob
    ) -> AsyncIterator[Counted]:
        """Open an intake whose calls are counted."""
        async with self._adapter.open(dataset, source, job) as intake:
            yield Counted(intake, self._countdown)
