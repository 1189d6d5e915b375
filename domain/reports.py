"""Reports: what a fetch did, source by source, to the last record."""

from datetime import datetime
from enum import StrEnum

import msgspec

from domain.fields import storable


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the records received.

    Always received = inserted + updated + unchanged + duplicates + quarantined.
    """

    received: int = 0
    inserted: int = 0
    updated: int = 0
    unchanged: int = 0
    duplicates: int = 0
    deleted: int = 0
    quarantined: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        """Both together."""
        mine, theirs = msgspec.structs.asdict(self), msgspec.structs.asdict(other)
        return Counts(**{name: mine[name] + theirs[name] for name in mine})

    @property
    def changed(self) -> bool:
        """Whether any stored record changed."""
        return bool(self.inserted or self.updated or self.deleted)


class Rejection(msgspec.Struct, frozen=True):
    """A record that cannot be kept: where it stood in the body, why, and how it began.

    What of these texts no store could keep is replaced.
    """

    pointer: str
    reason: str
    excerpt: str = ""

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            msgspec.structs.force_setattr(self, name, storable(getattr(self, name)))


class Failure(msgspec.Struct, frozen=True):
    """Why a source gave nothing, and when asking again may help."""

    code: str
    detail: str
    retry_at: datetime | None = None


class Traffic(msgspec.Struct):
    """What asking a source has cost so far, and until when it says that its answer will do.

    The source adds to it as it goes.
    """

    requests: int = 0
    not_modified: int = 0
    bytes: int = 0
    retries: int = 0
    wait_ms: int = 0
    fresh_until: datetime | None = None


class SourceStatus(StrEnum):
    """How the fetch from one source ended; partial means that some records were rejected.

    With an error it means that some of the work is done, and the rest can be done later.
    """

    SUCCEEDED = "succeeded"
    PARTIAL = "partial"
    FAILED = "failed"


class SourceReport(msgspec.Struct, frozen=True, kw_only=True):
    """What one source gave in one fetch."""

    source: str
    status: SourceStatus
    requests: int = 0
    not_modified: int = 0
    bytes: int = 0
    retries: int = 0
    wait_ms: int = 0
    fresh_until: datetime | None = None
    error: Failure | None = None
    counts: Counts = Counts()

    @property
    def not_before(self) -> datetime | None:
        """When asking this source again makes sense, if it said so."""
        return self.error.retry_at if self.error else self.fresh_until

    @property
    def is_stuck(self) -> bool:
        """Whether it could not be asked, or not to its end, and nothing need be done twice."""
        undone = not self.requests or self.status is SourceStatus.PARTIAL
        return self.error is not None and undone


class Outcome(StrEnum):
    """What a fetch meant for the stored data."""

    CHANGED = "changed"
    UNCHANGED = "unchanged"
    FRESH = "fresh"
    PARTIAL = "partial"
    FAILED = "failed"


class FetchReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a whole fetch did."""

    sources: tuple[SourceReport, ...] = ()

    @property
    def counts(self) -> Counts:
        """The counts of all sources together."""
        return sum((source.counts for source in self.sources), Counts())

    @property
    def outcome(self) -> Outcome:
        """What this fetch meant for the stored data."""
        statuses = {source.status for source in self.sources}
        if statuses == {SourceStatus.FAILED}:
            return Outcome.FAILED
        if statuses - {SourceStatus.SUCCEEDED}:
            return Outcome.PARTIAL
        return Outcome.CHANGED if self.counts.changed else Outcome.UNCHANGED

    @property
    def failures(self) -> list[Failure]:
        """Why the failed sources failed."""
        return [source.error for source in self.sources if source.error is not None]

    @property
    def not_before(self) -> datetime | None:
        """When asking again makes sense, if every source has said so."""
        times = [source.not_before for source in self.sources]
        known = [time for time in times if time is not None]
        return min(known) if known and len(known) == len(times) else None

    @property
    def waits_until(self) -> datetime | None:
        """When the fetch may begin or go on, if no source can be asked before a known time."""
        return self.not_before if all(source.is_stuck for source in self.sources) else None
