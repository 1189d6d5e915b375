"""An event loop whose seconds pass two hundred times as fast: real sockets, hurried time-outs."""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

SPEED = 200


class _Selector(selectors.DefaultSelector):
    """Waits so much shorter than it is asked to."""

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        return super().select(timeout and timeout / SPEED)


class _Loop(asyncio.SelectorEventLoop):
    """A loop whose clock runs so fast."""

    def time(self) -> float:
        return super().time() * SPEED


def hurried(work: Coroutine[Any, Any, T]) -> T:
    """Run something that takes minutes in less than a second."""
    with asyncio.Runner(loop_factory=lambda: _Loop(_Selector())) as runner:
        return runner.run(work)
