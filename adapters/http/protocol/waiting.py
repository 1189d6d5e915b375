"""Waiting: a limit of waiting requests for each client, which end when it disconnects."""

import asyncio
from collections import Counter
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from litestar import Request

from adapters.http.protocol.asgi import Gone, disconnected
from adapters.http.protocol.rate_limits import client_of
from domain.errors import TooManyWaiting

T = TypeVar("T")

#: Waiting requests of one client in one process.
MAX_WAITING = 100


class WaitingRoom:
    """The waiting requests of each client, up to a limit.

    Users are counted by name and other clients by network, so that none takes another's places.
    """

    def __init__(self, most: int = MAX_WAITING) -> None:
        self._most = most
        self._waiting: Counter[str] = Counter()

    @contextmanager
    def place(self, scope: Any) -> Iterator[None]:
        """Hold one of the client's places; raise TooManyWaiting if all are taken."""
        client = client_of(scope)
        if self._waiting[client] >= self._most:
            raise TooManyWaiting(f"{self._most} requests of this client already wait for a fetch")
        self._waiting[client] += 1
        try:
            yield
        finally:
            self._waiting[client] -= 1
            if not self._waiting[client]:
                del self._waiting[client]

    async def wait(self, request: Request[Any, Any, Any], work: Coroutine[Any, Any, T]) -> T:
        """Return the result of `work`, for which the client waits in one of its places.

        Raise TooManyWaiting if all are taken, and Gone when the client disconnects first.
        """
        try:
            with self.place(request.scope):
                return await while_connected(request, work)
        finally:
            work.close()


async def while_connected(request: Request[Any, Any, Any], work: Coroutine[Any, Any, T]) -> T:
    """Return the result of `work`; cancel it and raise Gone when the client disconnects first.

    The rest of the request's body is dropped.
    """
    working = asyncio.ensure_future(work)
    leaving = asyncio.ensure_future(disconnected(request.receive))  # type: ignore[arg-type]
    try:
        await asyncio.wait([working, leaving], return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        raise Gone
    finally:
        working.cancel()
        leaving.cancel()
        await asyncio.gather(working, leaving, return_exceptions=True)
