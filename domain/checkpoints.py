"""What we know of a dataset's sources: when each last answered, and what the next fetch needs."""

from datetime import datetime
from functools import cached_property

import msgspec

from domain.jobs import JobStatus
from domain.reports import Counts


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True):
    """What the next fetch from one source needs to know of the last successful one.

    `etag` and `last_modified` belong to exactly `url`. `digest` is the hash of everything received;
    `normaliser_version` the fingerprint of record type and reading code. `confirmations` counts the
    answers "not modified" since the last full one; `counts` are what became of its
    records, or of those that were read again since.
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
    """The state of a dataset: `seq` moves whenever a stored record changes.

    `next_fetch_at` is when it is next fetched by itself, if it is.
    """

    seq: int = 0
    checkpoints: tuple[Checkpoint, ...] = ()
    last_status: JobStatus | None = None
    next_fetch_at: datetime | None = None

    @cached_property
    def fetched_at(self) -> datetime | None:
        """When a source last answered, or None when none ever did."""
        return max((c.fetched_at for c in self.checkpoints), default=None)

    def of(self, source: str) -> Checkpoint | None:
        """The checkpoint of one source, if it has ever answered."""
        return next((c for c in self.checkpoints if c.source == source), None)

    def only(self, source: str) -> "Freshness":
        """The state of the dataset as if this were its only source."""
        own = tuple(c for c in self.checkpoints if c.source == source)
        return msgspec.structs.replace(self, checkpoints=own)
