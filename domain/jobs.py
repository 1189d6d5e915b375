"""Jobs: one unit of fetching, from being asked for to its report, and the only ways between."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum

import msgspec

from domain.errors import IllegalTransition
from domain.reports import FetchReport

#: A worker that has not renewed its lease for this long is thought dead.
LEASE = timedelta(seconds=5)
HEARTBEAT_S = 1.5
MAX_ATTEMPTS = 5


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
    # A running job runs again when its worker is thought dead and another one claims it.
    JobStatus.RUNNING: frozenset({JobStatus.RUNNING}) | _ENDS,
    **dict.fromkeys(_ENDS, frozenset[JobStatus]()),
}


class FetchJob(msgspec.Struct, frozen=True, kw_only=True):
    """One fetch of one dataset.

    `fence` rises with every claim, so that a worker thought dead can be told from its successor.
    """

    id: str
    dataset: str
    mode: str = "sync"
    status: JobStatus = JobStatus.QUEUED
    fence: int = 0
    queued_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    lease_until: datetime | None = None
    report: FetchReport | None = None

    @property
    def attempts(self) -> int:
        """How often the job was claimed; counted at the claim, so that a killed worker counts."""
        return self.fence

    def is_claimable(self, now: datetime) -> bool:
        """Whether a worker may take the job: it waits, or its worker's lease ran out."""
        if self.status is JobStatus.QUEUED:
            return True
        expired = self.lease_until is not None and self.lease_until <= now
        return self.status is JobStatus.RUNNING and expired

    def claimed(self, now: datetime) -> "FetchJob":
        """The job in the hands of a new worker."""
        if not self.is_claimable(now):
            raise IllegalTransition(f"job {self.id} is {self.status} and cannot be claimed")
        return msgspec.structs.replace(
            self,
            status=JobStatus.RUNNING,
            fence=self.fence + 1,
            started_at=now,
            lease_until=now + LEASE,
        )

    def ended(self, status: JobStatus, report: FetchReport, now: datetime) -> "FetchJob":
        """The job with its final status and report."""
        if status not in _NEXT[self.status] or not status.is_final:
            raise IllegalTransition(f"job {self.id} cannot go from {self.status} to {status}")
        return msgspec.structs.replace(
            self, status=status, report=report, finished_at=now, lease_until=None
        )
