"""Jobs: one unit of work, from being asked for to its report, and the only ways between."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum

import msgspec

from domain.errors import IllegalTransition
from domain.reports import FetchReport, Outcome

#: A worker that has not renewed its lease for this long is thought dead.
LEASE = timedelta(seconds=5)
HEARTBEAT_S = 1.5
MAX_ATTEMPTS = 5
#: A job taken up so often is not taken over together with another such one.
SUSPECTED_FROM = 2
#: A job that waits for longer than this has probably lost its announcement.
LOST = timedelta(seconds=1)
#: A job asked for longer ago than this is not put back any more: it fails.
PATIENCE = timedelta(hours=24)


class JobStatus(StrEnum):
    """Where a job stands; the last four are final."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    PARTIAL = "partial"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        """Whether nothing more can happen to the job."""
        return not _NEXT[self]


_ENDS = frozenset({JobStatus.SUCCEEDED, JobStatus.PARTIAL, JobStatus.FAILED, JobStatus.CANCELLED})
_NEXT: Mapping[JobStatus, frozenset[JobStatus]] = {
    JobStatus.QUEUED: frozenset({JobStatus.RUNNING, JobStatus.CANCELLED}),
    # A running job runs again when its worker is thought dead and another one claims it, and
    # waits again when its source may not be asked for so long that nobody should wait meanwhile.
    JobStatus.RUNNING: frozenset({JobStatus.RUNNING, JobStatus.QUEUED}) | _ENDS,
    **dict.fromkeys(_ENDS, frozenset[JobStatus]()),
}


class Mode(StrEnum):
    """Who waits for a fetch: its caller, somebody who asks later, or nobody.

    The last two ask no source: they read kept payloads again, those whose records wait in
    quarantine or all of them.
    """

    SYNC = "sync"
    TASK = "task"
    SCHEDULE = "schedule"
    REPLAY = "replay"
    REBUILD = "rebuild"

    @property
    def asks(self) -> bool:
        """Whether such a job is a fetch, and asks the sources."""
        return self not in (Mode.REPLAY, Mode.REBUILD)


class FetchJob(msgspec.Struct, frozen=True, kw_only=True):
    """One fetch, replay or rebuild of one dataset; `force` ignores the minimum interval.

    `fence` rises with every claim, so that a worker thought dead can be told from its successor.
    `attempts` counts the claims since the job last came back alive, and `run_at` is the moment
    before which a job that waits for its source may not run. `receipt` names the one payload that a
    replay is about; without it a replay is about all that waits.
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

    @property
    def outcome(self) -> Outcome | None:
        """What the job meant for the stored data; None as long as there is no report."""
        return self.report.outcome if self.report else None

    @property
    def may_wait(self) -> bool:
        """Whether the job may be put back to wait: nobody holds a connection open for it."""
        return self.mode in (Mode.TASK, Mode.SCHEDULE)

    @property
    def is_suspected(self) -> bool:
        """Whether it was taken over from a lost worker: that may have been its doing."""
        return self.status is JobStatus.RUNNING and self.attempts >= SUSPECTED_FROM

    def serves(self, wanted: "FetchJob") -> bool:
        """Whether this job does what the wanted one would; all fetches do the same."""
        if self.id == wanted.id or (self.mode.asks and wanted.mode.asks):
            return True
        return (self.mode, self.receipt) == (wanted.mode, wanted.receipt)

    def is_claimable(self, now: datetime) -> bool:
        """Whether a worker may take the job: it waits, or its worker's lease ran out."""
        if self.status is JobStatus.QUEUED:
            return self.run_at is None or self.run_at <= now
        expired = self.lease_until is not None and self.lease_until <= now
        return self.status is JobStatus.RUNNING and expired

    def claimed(self, now: datetime) -> "FetchJob":
        """The job in the hands of a new worker; the attempt counts even if the worker dies."""
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
        """The job with its report and the status that follows from it."""
        if not status.is_final or status is JobStatus.CANCELLED:
            raise IllegalTransition(f"job {self.id} cannot end as {status}")
        self._check(status)
        return msgspec.structs.replace(
            self, status=status, report=report, finished_at=now, lease_until=None
        )

    def deferred(self, run_at: datetime) -> "FetchJob":
        """The job put back to wait; its worker lived, so its attempts are forgotten."""
        self._check(JobStatus.QUEUED)
        return msgspec.structs.replace(
            self, status=JobStatus.QUEUED, attempts=0, run_at=run_at, lease_until=None
        )

    def cancelled(self, now: datetime) -> "FetchJob":
        """The job called off; the higher fence keeps out whoever runs it."""
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
            raise IllegalTransition(f"job {self.id} cannot go from {self.status} to {status}")
