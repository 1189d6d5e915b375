"""Checkpoints: the state of a source after its last successful fetch, for the next one."""

from datetime import datetime
from functools import cached_property

import msgspec

from domain.jobs import JobStatus
from domain.reports import Counts

#: After so many "not modified" responses in a row a full one is requested, in case they are wrong.
MAX_CONFIRMATIONS = 19


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True):
    """The state of one source after its last successful fetch.

    `etag` and `last_modified` belong to exactly `url`. `digest` is the hash of all received bodies,
    `normaliser_version` the fingerprint of record type and normaliser. `confirmations` counts the
    "not modified" responses since the last full one; `counts` are those of its records, or of the
    records that were reprocessed since.
    """

    source: str
    fetched_at: datetime
    job_id: str
    url: str = ""
    etag: str | None = None
    last_modified: str | None = None
    digest: str = ""
    normaliser_version: str = ""
    confirmations: int = 0
    counts: Counts = Counts()


class Freshness(msgspec.Struct, frozen=True, dict=True):
    """The state of a dataset: `seq` increases with every change of a stored record.

    `next_fetch_at` is the time of its next scheduled fetch, if there is a schedule.
    """

    seq: int = 0
    checkpoints: tuple[Checkpoint, ...] = ()
    last_status: JobStatus | None = None
    next_fetch_at: datetime | None = None

    @cached_property
    def fetched_at(self) -> datetime | None:
        """Return when a source last answered; None if none has."""
        return max((c.fetched_at for c in self.checkpoints), default=None)

    def of(self, source: str) -> Checkpoint | None:
        """Return the checkpoint of one source, if it has ever answered."""
        return next((c for c in self.checkpoints if c.source == source), None)

    def only(self, source: str) -> "Freshness":
        """Return the state of the dataset reduced to one source."""
        own = tuple(c for c in self.checkpoints if c.source == source)
        return msgspec.structs.replace(self, checkpoints=own)
