"""The database that the memory adapters share."""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from application.ports.ingest import Quarantined
from application.ports.jobs import SavedAnswer
from domain.alerts import AlertState, Kind
from domain.checkpoints import Checkpoint, Freshness
from domain.dataset import Dataset, Key
from domain.errors import LeaseLost, StoreUnavailable
from domain.jobs import AHEAD, FetchJob, JobStatus
from domain.layouts import Layout
from domain.payloads import Payload
from domain.politeness import Host
from domain.reports import Rejection
from domain.repositories import KnownRepository
from domain.schedules import Schedule
from domain.sessions import ApiToken, Session
from domain.throttling import Attempts
from domain.totals import SourceTotals
from domain.users import User

#: The identity of a rejection: its source, its page, and the rejection itself.
Rejected = tuple[str, int, Rejection]


NEVER = datetime(1, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class StoredRow:
    """A stored record, and the receipt of its payload."""

    record: Any
    receipt: int


@dataclass
class Table:
    """The records of one dataset, and their state."""

    rows: dict[Key, StoredRow] = field(default_factory=dict)
    seq: int = 0
    changed_at: datetime = NEVER
    checkpoints: dict[str, Checkpoint] = field(default_factory=dict)
    layout: Layout | None = None

    def changes_at(self, now: datetime) -> datetime:
        """Return the time of the next change: now, but always later than the last one."""
        return max(now, self.changed_at + timedelta(microseconds=1))


@dataclass
class RefreshToken:
    """The session of a refresh token, and when the token was used."""

    session: str
    used_at: datetime | None = None


@dataclass
class KnownKey:
    """An idempotency key, with the request and the response it belongs to."""

    request: str
    job_id: str
    begun_at: datetime
    answer: SavedAnswer | None = None


class MemoryDatabase:
    """Everything stored, for the lifetime of the process."""

    def __init__(self) -> None:
        self.id = "a database"
        #: The database and the key of each session and API token, by its identifier.
        self.generations: dict[str, str] = {}
        self.tables: defaultdict[str, Table] = defaultdict(Table)
        self.jobs: dict[str, FetchJob] = {}
        self.totals: dict[tuple[str, str], SourceTotals] = {}
        self.schedules: dict[str, Schedule] = {}
        self.keys: dict[str, KnownKey] = {}
        self.alarms: dict[tuple[Kind, str, str], AlertState] = {}
        self.hosts: dict[str, Host] = {}
        self.repositories: dict[str, KnownRepository] = {}
        self.bodies: dict[bytes, bytes] = {}
        self.kept: defaultdict[tuple[str, str], list[Payload]] = defaultdict(list)
        self.quarantine: defaultdict[str, dict[Rejected, Quarantined]] = defaultdict(dict)
        self.rejections = 0
        self.merged: set[int] = set()
        #: The receipts whose payloads are to be taken for damaged.
        self.damaged: set[int] = set()
        self.users: dict[str, User] = {}
        self.sessions: dict[str, Session] = {}
        self.refresh_tokens: dict[str, RefreshToken] = {}
        self.api_tokens: dict[str, ApiToken] = {}
        self.attempts: dict[tuple[str, str], Attempts] = {}
        self.full_at_s: dict[str, float] = {}
        self.receipts = 0
        #: The job that each payload arrived for, by receipt.
        self.fetched_by: dict[int, str] = {}
        self.writes = 0

    def table_of(self, dataset: Dataset[Any]) -> Table:
        """Return the table of a dataset; raise StoreUnavailable if its layout does not fit."""
        table, layout = self.tables[dataset.name], Layout.of(dataset)
        table.layout = table.layout or layout
        if not table.layout.serves(layout):
            raise StoreUnavailable(f"the fields of {dataset.name} have been changed; try again")
        return table

    def freshness(self, dataset: str) -> Freshness:
        """Return the state of a dataset now."""
        table = self.tables[dataset]
        ended = [
            job.status
            for job in self.jobs.values()
            if job.dataset == dataset and job.status.is_final and job.mode.asks
        ]
        checkpoints = tuple(table.checkpoints[source] for source in sorted(table.checkpoints))
        schedule = self.schedules.get(dataset)
        return Freshness(
            table.seq,
            checkpoints,
            ended[-1] if ended else None,
            schedule.next_run_at if schedule else None,
        )

    def requested(self, job: FetchJob) -> FetchJob:
        """Store a queued job and return it, or its dataset's unfinished job if there is one."""
        if job.id in self.jobs:
            return self.jobs[job.id]
        for known in self.jobs.values():
            if known.dataset == job.dataset and not known.status.is_final:
                return known
        self.jobs[job.id] = job
        return job

    def bound_ends(self, dataset: str, ended_at: datetime) -> None:
        """Move ends that a clock has put far ahead of a later one to just before that."""
        for job in list(self.jobs.values()):
            if job.dataset == dataset and job.finished_at and job.finished_at > ended_at + AHEAD:
                before = ended_at - timedelta(microseconds=1)
                self.jobs[job.id] = msgspec.structs.replace(job, finished_at=before)

    def require_held(self, job: FetchJob) -> None:
        """Raise LeaseLost unless the worker with this fence still holds the job."""
        known = self.jobs.get(job.id)
        if known is None or known.status is not JobStatus.RUNNING or known.fence != job.fence:
            raise LeaseLost(f"job {job.id} has ended or was claimed by another worker")
