"""The log of received requests, for tests that count them or wait for them."""

import asyncio
import time
from collections import Counter

import msgspec

from entrypoints.sample_upstream.wire import WireRequest

MOST_KEPT = 10_000


class ReceivedRequest(msgspec.Struct, frozen=True):
    """One received request; `status` is None until a status line was sent."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    at: float
    """Monotonic seconds."""
    status: int | None = None


class RequestLog:
    """The number of requests, and the last 10 000 of them."""

    def __init__(self) -> None:
        self._kept: dict[int, ReceivedRequest] = {}
        self._per_path: Counter[str] = Counter()
        self._next_number = 0
        self._next_arrival = asyncio.Event()

    @property
    def kept(self) -> list[ReceivedRequest]:
        """Return the last requests, oldest first."""
        return list(self._kept.values())

    def count(self, path: str | None = None) -> int:
        """Return the number of requests since `forget`, for one path or for all."""
        return self._per_path.total() if path is None else self._per_path[path]

    def arrive(self, request: WireRequest) -> int:
        """Record a request and return its number, for `note_status`."""
        number = self._next_number
        self._next_number += 1
        self._kept[number] = ReceivedRequest(
            method=request.method,
            path=request.path,
            query=request.query,
            headers=request.headers,
            at=time.monotonic(),
        )
        self._per_path[request.path] += 1
        self._kept.pop(number - MOST_KEPT, None)
        self._next_arrival.set()
        self._next_arrival = asyncio.Event()
        return number

    def note_status(self, number: int, status: int) -> None:
        """Record the sent status, unless the request was forgotten."""
        if number in self._kept:
            self._kept[number] = msgspec.structs.replace(self._kept[number], status=status)

    async def arrived(self, number: int) -> None:
        """Wait until that many requests have arrived since `forget`."""
        while self.count() < number:
            await self._next_arrival.wait()

    def forget(self) -> None:
        """Start counting from zero."""
        self._kept.clear()
        self._per_path.clear()
