"""Jobs: one unit of work, its states from request to report, and their transitions."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum

import msgspec

from domain.errors import IllegalTransition
from domain.reports import FetchReport, Outcome

#: A lease that is not renewed for this long expires.
LEASE = timedelta(seconds=5)
HEARTBEAT_S = 1.5
MAX_ATTEMPTS = 5
#: Clocks differ by less than this: a time further ahead is of a clock that was set back since.
AHEAD = timedelta(minutes=1)
LONGEST_LEASE = LEASE + AHEAD
#: From this number of attempts on, a job may have killed its workers, and runs alone.
SUSPECTED_FROM = 2
#: A job that is queued for longer than this has probably lost its announcement.
LOST = timedelta(seconds=1)
#: A job that was requested longer ago than this is not deferred again: it fails.
PATIENCE = timedelta(hours=24)


class JobStatus(StrEnum):
    """The state of a job; the last four are final."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    PARTIAL = "partial"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        """Return whether no transition leaves this state."""
        return not _NEXT[self]


_ENDS = frozenset({JobStatus.SUCCEEDED, JobStatus.PARTIAL, JobStatus.FAILED, JobStatus.CANCELLED})
_NEXT: Mapping[JobStatus, frozenset[JobStatus]] = {
    JobStatus.QUEUED: frozenset({JobStatus.RUNNING, JobStatus.CANCELLED}),
    # A running job runs again when its lease expires and another worker claims it, and is queued
    # again when its source must be left alone for long.
    JobStatus.RUNNING: frozenset({JobStatus.RUNNING, JobStatus.QUEUED}) | _ENDS,
    **dict.fromkeys(_ENDS, frozenset[JobStatus]()),
}


class Mode(StrEnum):
    """How a job was started: by a caller that waits, in the background, or by a schedule.

    The last two send no requests: they reprocess stored payloads, those with records in quarantine
    or all of them.
    """

    SYNC = "sync"
    TASK = "task"
    SCHEDULE = "schedule"
    REPLAY = "replay"
    REBUILD = "rebuild"

    @property
    def asks(self) -> bool:
        """Return whether such a job is a fetch, and sends requests to the sources."""
        return self not in (Mode.REPLAY, Mode.REBUILD)


class FetchJob(msgspec.Struct, frozen=True, kw_only=True):
    """One fetch, replay or rebuild of one dataset; `force` ignores the minimum interval.

    `fence` rises with every claim, which distinguishes a worker that lost its lease from its
    successor. `attempts` counts the claims since a worker last deferred the job, `run_at` is the
    earliest time at which a deferred job may run. `receipt` identifies the payload of a replay;
    without it a replay covers all payloads with records in quarantine. `traceparent` is the span in
    which it was requested.
    """

    id: str
    dataset: str
    mode: Mode = Mode.SYNC
    force: bool = False
    receipt: int | None = None
    status: JobStatus = JobStatus.QUEUED
    fence: int = 0
    attempts: int = 0
    queued_at: datetime
    run_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    lease_until: datetime | None = None
    report: FetchReport | None = None
    traceparent: str | None = None

    @property
    def outcome(self) -> Outcome | None:
        """Return the effect on the stored records; None without a report."""
        return self.report.outcome if self.report else None

    @property
    def may_wait(self) -> bool:
        """Return whether the job may be deferred: no client waits for it."""
        return self.mode in (Mode.TASK, Mode.SCHEDULE)

    @property
    def is_suspected(self) -> bool:
        """Return whether a worker that ran it was lost, which the job may have caused."""
        return self.status is JobStatus.RUNNING and self.attempts >= SUSPECTED_FROM

    def serves(self, wanted: "FetchJob") -> bool:
        """Return whether this job does the work of the requested one; all fetches are equal."""
        if self.id == wanted.id or (self.mode.asks and wanted.mode.asks):
            return True
        return (self.mode, self.receipt) == (wanted.mode, wanted.receipt)

    def is_claimable(self, now: datetime) -> bool:
        """Return whether a worker may claim the job: it is due, or its lease has expired.

        Times that lie ahead further than a clock can have set them say nothing.
        """
        if self.status is JobStatus.QUEUED:
            if self.started_at is not None and self.started_at > now + AHEAD:
                return True
            return self.run_at is None or self.run_at <= now
        if self.status is not JobStatus.RUNNING or self.lease_until is None:
            return False
        return not now < self.lease_until <= now + LONGEST_LEASE

    def claimed(self, now: datetime) -> "FetchJob":
        """Return the job claimed by a worker; the attempt counts even if the worker dies."""
        if not self.is_claimable(now):
            raise IllegalTransition(f"job {self.id} is {self.status} and cannot be claimed")
        return msgspec.structs.replace(
            self,
            status=JobStatus.RUNNING,
            fence=self.fence + 1,
            attempts=self.attempts + 1,
            run_at=None,
            started_at=now,
            lease_until=now + LEASE,
        )

    def ended(self, status: JobStatus, report: FetchReport, now: datetime) -> "FetchJob":
        """Return the job with its final status and its report."""
        if not status.is_final or status is JobStatus.CANCELLED:
            raise IllegalTransition(f"job {self.id} cannot end as {status}")
        self._check(status)
        return msgspec.structs.replace(
            self, status=status, report=report, finished_at=now, lease_until=None
        )

    def deferred(self, run_at: datetime) -> "FetchJob":
        """Return the job deferred to `run_at`; the worker survived, so its attempts are reset."""
        self._check(JobStatus.QUEUED)
        return msgspec.structs.replace(
            self, status=JobStatus.QUEUED, attempts=0, run_at=run_at, lease_until=None
        )

    def cancelled(self, now: datetime) -> "FetchJob":
        """Return the cancelled job; the higher fence locks out the worker that runs it."""
        self._check(JobStatus.CANCELLED)
        return msgspec.structs.replace(
            self,
            status=JobStatus.CANCELLED,
            fence=self.fence + 1,
            run_at=None,
            lease_until=None,
            finished_at=now,
        )

    def _check(self, status: JobStatus) -> None:
        if status not in _NEXT[self.status]:
            raise IllegalTransition(f"job {self.id} cannot change from {self.status} to {status}")
