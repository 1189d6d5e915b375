"""Jobs in memory: jobs, their history, the queue, schedules and idempotency keys."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime, timedelta
from functools import partial
from typing import NamedTuple

import msgspec

from adapters.memory.database import KnownKey, MemoryDatabase
from application.concurrency import task_pool
from application.jobs.announcements import handle_announcement
from application.ports.jobs import (
    ABANDONED,
    KEPT,
    Begun,
    Handle,
    Idempotency,
    JobFilter,
    JobHistory,
    Jobs,
    Queue,
    SavedAnswer,
    Schedules,
    SourceHistory,
)
from application.ports.operations import Events, Probe
from application.ports.system import Clock
from domain.errors import KeyInUse, KeyReused
from domain.events import AnnouncementDropped
from domain.jobs import AHEAD, LEASE, LOST, FetchJob, JobStatus
from domain.schedules import Schedule
from domain.totals import SourceTotals


class MemoryJobs(Jobs):
    """Jobs in a memory database."""

    def __init__(self, database: MemoryDatabase, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def request(self, job: FetchJob) -> FetchJob:
        """Store a queued job and return it, or its dataset's unfinished job if there is one."""
        return self._database.requested(job)

    async def claim(self, job_id: str) -> FetchJob | None:
        """Claim a queued or abandoned job, with a lease and the next fence; None if impossible."""
        now = self._clock.now()
        job = self._database.jobs.get(job_id)
        if job is None or not job.is_claimable(now):
            return None
        self._database.jobs[job_id] = job.claimed(now)
        return self._database.jobs[job_id]

    async def renew(self, job: FetchJob) -> None:
        """Extend the lease; raise LeaseLost if the worker no longer holds the job."""
        self._database.require_held(job)
        lease_until = self._clock.now() + LEASE
        held = msgspec.structs.replace(self._database.jobs[job.id], lease_until=lease_until)
        self._database.jobs[job.id] = held

    async def release(self, job: FetchJob) -> None:
        """Store the new state of a held job; raise LeaseLost as `renew` does."""
        self._database.require_held(job)
        self._database.writes += 1
        self._database.jobs[job.id] = job
        if job.finished_at is not None:
            self._database.bound_ends(job.dataset, job.finished_at)
        if job.report is not None and job.finished_at is not None:
            for source in job.report.sources:
                key = job.dataset, source.source
                known = self._database.totals.get(key, SourceTotals(dataset=key[0], source=key[1]))
                self._database.totals[key] = known.after(source, job.finished_at)

    async def cancel(self, job_id: str) -> FetchJob | None:
        """Cancel an unfinished job, even if a worker holds it; None if there is none."""
        job = self._database.jobs.get(job_id)
        if job is None or job.status.is_final:
            return None
        self._database.writes += 1
        cancelled = self._database.jobs[job_id] = job.cancelled(self._clock.now())
        self._database.bound_ends(job.dataset, self._clock.now())
        return cancelled


class MemoryJobHistory(JobHistory):
    """The job history of a memory database."""

    def __init__(self, database: MemoryDatabase, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def get(self, job_id: str) -> FetchJob | None:
        """Return one job, None if there is none."""
        return self._database.jobs.get(job_id)

    async def recent(
        self, filter: JobFilter, limit: int, before: str | None = None
    ) -> list[FetchJob]:
        """Return the matching jobs, newest first."""
        found = [
            job
            for job in self._database.jobs.values()
            if job.dataset in filter.datasets
            and filter.status in (None, job.status)
            and (before is None or job.id < before)
        ]
        return sorted(found, key=lambda job: job.id, reverse=True)[:limit]

    async def overdue(self, limit: int) -> list[str]:
        """Return the jobs that may run but that no worker runs."""
        now = self._clock.now()
        found = [job for job in self._database.jobs.values() if job.is_claimable(now)]
        lost = [
            job
            for job in found
            if job.status is JobStatus.RUNNING
            or job.run_at
            or not -AHEAD <= now - job.queued_at < LOST
        ]
        return [job.id for job in sorted(lost, key=lambda job: job.queued_at)][:limit]

    async def unfinished(self) -> list[FetchJob]:
        """Return every job that has not ended, oldest first."""
        jobs = [job for job in self._database.jobs.values() if not job.status.is_final]
        return sorted(jobs, key=lambda job: job.queued_at)


class MemorySourceHistory(SourceHistory):
    """The totals of sources in a memory database."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database

    async def totals(self, datasets: Sequence[str]) -> list[SourceTotals]:
        """Return the totals of every source of these datasets that has run."""
        known = self._database.totals
        return [known[key] for key in sorted(known) if key[0] in datasets]


class MemoryQueue(Queue, Probe):
    """The queue of a process without a broker: it announces jobs to the process's own listeners.

    A listener handles `at_once` announcements at a time; the newest `most_kept` wait while all
    listeners are busy. A failed announcement is handled `tries` times in all.
    """

    def __init__(
        self, events: Events, *, at_once: int = 4, tries: int = 5, most_kept: int = 10_000
    ) -> None:
        self._events = events
        self._at_once = at_once
        self._tries = tries
        self._waiting: asyncio.Queue[_Announcement] = asyncio.Queue(most_kept)

    async def announce(self, job_id: str) -> None:
        """Announce the job to a listener of this process; never raises."""
        self._put(_Announcement(job_id))

    def listening(self, handle: Handle) -> AbstractAsyncContextManager[None]:
        """Pass announced jobs to `handle` during the block."""
        return task_pool(self._waiting, partial(self._handle, handle), self._at_once)

    @property
    def works(self) -> str:
        """Return the status of a queue that is part of this process."""
        return "embedded"

    async def check(self) -> None:
        """Return: a queue in the same process is always available."""

    async def close(self) -> None:
        """Return: there is nothing to close."""

    def _put(self, announcement: "_Announcement") -> None:
        if self._waiting.full():
            self._waiting.get_nowait()  # the store still knows the job: the sweep finds it
        self._waiting.put_nowait(announcement)

    async def _handle(self, handle: Handle, announcement: "_Announcement") -> None:
        job_id, failures = announcement
        try:
            if await handle_announcement(handle, job_id, self._events):
                return
        except asyncio.CancelledError:
            self._put(announcement)  # others may listen
            raise
        if failures + 1 < self._tries:
            self._put(_Announcement(job_id, failures + 1))
        else:
            self._events.publish(AnnouncementDropped(job=job_id, tries=self._tries))


class _Announcement(NamedTuple):
    """An announced job, and how often handling it has failed."""

    job_id: str
    failures: int = 0


class MemorySchedules(Schedules):
    """Schedules in a memory database."""

    def __init__(self, database: MemoryDatabase, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def declare(self, periods: Mapping[str, timedelta]) -> None:
        """Store exactly the schedules of these datasets; existing ones continue."""
        now, known = self._clock.now(), self._database.schedules
        self._database.writes += 1
        self._database.schedules = {
            dataset: known[dataset].changed(every, now)
            if dataset in known
            else Schedule.starting(dataset, every, now)
            for dataset, every in periods.items()
        }

    async def current(self) -> tuple[datetime, list[Schedule]]:
        """Return the time, and every schedule."""
        known = self._database.schedules
        return self._clock.now(), [known[dataset] for dataset in sorted(known)]

    async def fire(self, seen: Schedule, following: Schedule, job: FetchJob) -> FetchJob | None:
        """Advance a schedule and store its job, both or neither."""
        return self._database.requested(job) if await self.move(seen, following) else None

    async def move(self, seen: Schedule, following: Schedule) -> bool:
        """Replace a schedule if it is still equal to `seen`; return whether it was."""
        if self._database.schedules.get(seen.dataset) != seen:
            return False
        self._database.writes += 1
        self._database.schedules[seen.dataset] = following
        return True


class MemoryIdempotency(Idempotency):
    """Idempotency keys in a memory database."""

    def __init__(self, database: MemoryDatabase, clock: Clock) -> None:
        self._keys = database.keys
        self._clock = clock

    async def begin(self, key: str, request: str, job_id: str) -> Begun:
        """Reserve a key for a request, or return the response it already has."""
        now = self._clock.now()
        for expired in [k for k, known in self._keys.items() if now >= known.begun_at + KEPT]:
            del self._keys[expired]
        known = self._keys.get(key)
        if known is None:
            self._keys[key] = KnownKey(request, job_id, now)
            return Begun(job_id)
        if known.request != request:
            raise KeyReused("this Idempotency-Key came with another request before")
        if known.answer is None and abs(now - known.begun_at) < ABANDONED:
            raise KeyInUse("the first request with this Idempotency-Key is being answered")
        if known.answer is None:
            known.begun_at = now
        return Begun(known.job_id, known.answer)

    async def end(self, key: str, answer: SavedAnswer) -> None:
        """Store the response."""
        if key in self._keys:
            self._keys[key].answer = answer

    async def abandon(self, key: str) -> None:
        """Delete a key whose request had no effect."""
        if key in self._keys and self._keys[key].answer is None:
            del self._keys[key]

    async def release(self, key: str) -> None:
        """Allow a request of unknown outcome to begin again, with the same job."""
        if key in self._keys:
            self._keys[key].begun_at -= ABANDONED
