"""What one request may still use: time, whatever it is spent on, and bytes on the wire."""

import asyncio
from contextvars import ContextVar

from adapters.outbound.polite.failures import late, not_http, too_large

#: Everything before the body, interim answers included; a read takes 64 KiB at a time.
MAX_HEAD = 128 * 1024
MIB = 1024 * 1024


class Allowance:
    """Counts down while a request runs; the network asks it before and after every step."""

    def __init__(self, place: str, seconds: float, max_wire: int) -> None:
        self.place = place
        self.is_new_connection = False
        self.body_bytes = 0
        self._received = 0
        self._in_head = True
        self._max_wire = max_wire
        self._ends_at = asyncio.get_running_loop().time() + seconds

    @property
    def is_over(self) -> bool:
        """Whether the time is up."""
        return asyncio.get_running_loop().time() >= self._ends_at

    def seconds(self, longest: float) -> float:
        """How long the next step may take; SourceTimedOut when the time is up."""
        left = self._ends_at - asyncio.get_running_loop().time()
        if left <= 0:
            raise late(self.place)
        return min(longest, left)

    def take(self, received: int) -> None:
        """Count bytes that arrived; SourceError when they are too many."""
        self._received += received
        if self._in_head and self._received > MAX_HEAD:
            raise not_http(self.place)
        if self._received > self._max_wire:
            raise too_large(self.place, f"{self._max_wire / MIB:.3g} MiB")

    def begin_body(self) -> None:
        """From now on the bytes are the body's."""
        self._in_head = False


#: The allowance of the request that this task is making.
CURRENT: ContextVar[Allowance] = ContextVar("allowance")
