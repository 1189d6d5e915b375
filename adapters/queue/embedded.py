"""EmbeddedQueue: announcements within one process, for when there is no broker."""

import asyncio
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import NamedTuple

import structlog

from adapters.queue.task_pool import managed, task_pool
from application.ports.jobs import Handle, Queue
from application.ports.operations import Probe

_log = structlog.get_logger("catchment.queue")


class EmbeddedQueue(Queue, Probe):
    """Hands announcements to whoever listens in this process, `at_once` to each at a time.

    While nobody has time the newest `most_kept` are kept. What a handler fails at is handed over
    `tries` times altogether.
    """

    def __init__(self, *, at_once: int = 4, tries: int = 5, most_kept: int = 10_000) -> None:
        self._at_once = at_once
        self._tries = tries
        self._waiting: asyncio.Queue[_Announcement] = asyncio.Queue(most_kept)

    async def announce(self, job_id: str) -> None:
        """Tell a listener of this process; it never fails."""
        self._put(_Announcement(job_id))

    def listening(self, handle: Handle) -> AbstractAsyncContextManager[None]:
        """Hand announced jobs to `handle` while the block lasts."""
        return task_pool(self._waiting, partial(self._deal, handle), self._at_once)

    @property
    def works(self) -> str:
        """The word for a queue that is part of this process."""
        return "embedded"

    async def check(self) -> None:
        """Return: what is part of this process is always there."""

    async def close(self) -> None:
        """Return: there is nothing to let go of."""

    def _put(self, announcement: "_Announcement") -> None:
        if self._waiting.full():
            self._waiting.get_nowait()  # the store still knows the job: the sweep finds it
        self._waiting.put_nowait(announcement)

    async def _deal(self, handle: Handle, announcement: "_Announcement") -> None:
        job_id, failures = announcement
        try:
            if await managed(handle, job_id):
                return
        except asyncio.CancelledError:
            self._put(announcement)  # others may listen
            raise
        if failures + 1 < self._tries:
            self._put(_Announcement(job_id, failures + 1))
        else:
            _log.error("an announcement is given up", job=job_id, tries=self._tries)


class _Announcement(NamedTuple):
    """A job that waits, and how often handling it has failed."""

    job_id: str
    failures: int = 0
