"""Reports: the results of a fetch by source; every received record is counted."""

from datetime import datetime
from enum import StrEnum

import msgspec

from domain.fields import storable


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """The numbers of received records, by what became of them.

    Always received = inserted + updated + unchanged + duplicates + quarantined + held. The held
    ones could be read, and were not merged because too much beside them was rejected.
    """

    received: int = 0
    inserted: int = 0
    updated: int = 0
    unchanged: int = 0
    duplicates: int = 0
    deleted: int = 0
    quarantined: int = 0
    held: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        """Return the sums."""
        mine, theirs = msgspec.structs.asdict(self), msgspec.structs.asdict(other)
        return Counts(**{name: mine[name] + theirs[name] for name in mine})

    @property
    def repeated(self) -> "Counts":
        """Return what becomes of the same records when they come again."""
        unchanged = self.inserted + self.updated + self.unchanged
        return msgspec.structs.replace(self, inserted=0, updated=0, unchanged=unchanged, deleted=0)

    @property
    def changed(self) -> bool:
        """Return whether any stored record changed."""
        return bool(self.inserted or self.updated or self.deleted)


class Rejection(msgspec.Struct, frozen=True):
    """A record that cannot be stored: its place in the body, the reason, and its beginning.

    Characters that no store supports are replaced in these texts.
    """

    pointer: str
    reason: str
    excerpt: str = ""

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            msgspec.structs.force_setattr(self, name, storable(getattr(self, name)))


class KeyCollision(Rejection, frozen=True):
    """A record with the key of an earlier record of the same page, but different values."""


class Failure(msgspec.Struct, frozen=True):
    """The failure of a source, and when a retry can succeed."""

    code: str
    detail: str
    retry_at: datetime | None = None


class Traffic(msgspec.Struct):
    """The traffic to a source so far, and until when its response is declared fresh.

    The source updates it during the fetch.
    """

    requests: int = 0
    not_modified: int = 0
    bytes: int = 0
    retries: int = 0
    wait_ms: int = 0
    fresh_until: datetime | None = None


class SourceStatus(StrEnum):
    """How the fetch from one source ended; partial means that some records were rejected.

    With an error, partial means that a part of the work is done, and the rest can follow later.
    """

    SUCCEEDED = "succeeded"
    PARTIAL = "partial"
    FAILED = "failed"


class SourceReport(msgspec.Struct, frozen=True, kw_only=True):
    """The result of one source in one fetch."""

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
        """Return the earliest useful time of the next request, if the source named one."""
        return self.error.retry_at if self.error else self.fresh_until

    @property
    def is_stuck(self) -> bool:
        """Return whether the source could not be fetched completely, and can be continued."""
        undone = not self.requests or self.status is SourceStatus.PARTIAL
        return self.error is not None and undone


class Outcome(StrEnum):
    """The effect of a fetch on the stored records."""

    CHANGED = "changed"
    UNCHANGED = "unchanged"
    FRESH = "fresh"
    PARTIAL = "partial"
    FAILED = "failed"


class FetchReport(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a whole fetch."""

    sources: tuple[SourceReport, ...] = ()

    @property
    def counts(self) -> Counts:
        """Return the sums of the counts of all sources."""
        return sum((source.counts for source in self.sources), Counts())

    @property
    def outcome(self) -> Outcome:
        """Return the effect of this fetch on the stored records."""
        statuses = {source.status for source in self.sources}
        if statuses == {SourceStatus.FAILED}:
            return Outcome.FAILED
        if statuses - {SourceStatus.SUCCEEDED}:
            return Outcome.PARTIAL
        return Outcome.CHANGED if self.counts.changed else Outcome.UNCHANGED

    @property
    def failures(self) -> list[Failure]:
        """Return the failures of the sources."""
        return [source.error for source in self.sources if source.error is not None]

    @property
    def not_before(self) -> datetime | None:
        """Return the earliest useful time of the next fetch, if every source named one."""
        times = [source.not_before for source in self.sources]
        known = [time for time in times if time is not None]
        return min(known) if known and len(known) == len(times) else None

    @property
    def waits_until(self) -> datetime | None:
        """Return when the fetch may start or continue, if all sources must wait."""
        return self.not_before if all(source.is_stuck for source in self.sources) else None
