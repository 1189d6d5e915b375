"""Where records are kept."""

from abc import abstractmethod
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Any, Protocol, TypeVar

import msgspec

from domain.checkpoints import Checkpoint, Freshness
from domain.dataset import Dataset, Key, R
from domain.filters import Filter
from domain.jobs import FetchJob
from domain.paging import Page, PageRequest
from domain.payloads import Payload, StoredPayload
from domain.reports import Counts, Rejection

R_in = TypeVar("R_in", bound=msgspec.Struct, contravariant=True)


class Replay(msgspec.Struct, frozen=True):
    """What a replay is about: all that waits in quarantine, or the payload of one receipt."""

    receipt: int | None = None


class Intake(Protocol[R_in]):
    """What one source brings in during one job; nothing of it is seen before `commit`.

    Whatever writes for good raises LeaseLost when the job has been claimed by another worker or has
    ended: then nothing is written.
    """

    @abstractmethod
    async def keep(self, payload: Payload) -> Payload:
        """Keep a body for good, before anything is read from it; returns it with its receipt."""

    @abstractmethod
    def kept(self, replay: Replay | None = None) -> AsyncIterator[StoredPayload]:
        """Every payload of this source whose fetch was committed, oldest receipt first.

        With `replay` those that a replay reads again, committed or not: see `payloads.replayed`.
        """

    @abstractmethod
    async def add(self, records: Sequence[R_in], payload: Payload) -> None:
        """Take in sound records read from a kept payload; of the same key the last one wins."""

    @abstractmethod
    async def reject(self, rejections: Sequence[Rejection], payload: Payload) -> None:
        """Put records of a kept payload into quarantine, at once; the same one only once.

        One that comes again waits with the newest of its receipts. Of a payload that is read again
        this names all there is to reject: what else waits of it is released by `commit`.
        """

    @abstractmethod
    async def commit(self, checkpoint: Checkpoint | None, dry_run: bool = False) -> Counts:
        """Merge all that was added, with the checkpoint if there is one, in one transaction.

        Rows equal to the stored ones are not rewritten; a row from a newer receipt stays.
        Returns the counts of the records added, without rejections; what the checkpoint keeps is
        its own counts and these. A dry_run returns them, too, and leaves everything as it is,
        whoever holds the job.
        """


class Store(Protocol):
    """Keeps the records of any dataset; every read is one snapshot.

    StoreUnavailable when the database cannot be reached, QueryTooSlow for a read that takes too
    long, StoreFull for a write without room.
    """

    @abstractmethod
    async def find(self, dataset: Dataset[R], request: PageRequest) -> Page[Any]:
        """One page of `sorted(filter(matches, records))`."""

    @abstractmethod
    async def get(self, dataset: Dataset[R], key: Key, seen: Filter) -> Any | None:
        """The record with that key, if there is one and `seen` matches it."""

    @abstractmethod
    async def count(self, dataset: Dataset[R], seen: Filter) -> int:
        """How many records match."""

    @abstractmethod
    async def freshness(self, dataset: Dataset[R]) -> Freshness:
        """The dataset's sequence number and checkpoints."""

    @abstractmethod
    def intake(
        self, dataset: Dataset[R], source: str, job: FetchJob
    ) -> AbstractAsyncContextManager[Intake[R]]:
        """Open an intake; leaving the block without a commit leaves the records as they were."""


class Changes(Protocol):
    """Tells whether anything was written, so that what was read before may still be said."""

    @abstractmethod
    def version(self) -> int:
        """A number that differs from the last one when anything was committed, by whomever.

        Cheap enough to be asked with every read. StoreUnavailable as for a read.
        """


class Quarantined(msgspec.Struct, frozen=True, kw_only=True):
    """A rejection with where it came from; `receipt` is that of its payload."""

    id: int
    dataset: str
    source: str
    receipt: int
    pointer: str
    reason: str
    excerpt: str
    rejected_at: datetime


class Quarantine(Protocol):
    """Where rejected records wait."""

    @abstractmethod
    async def recent(
        self,
        dataset: str | None,
        limit: int,
        source: str | None = None,
        before: tuple[datetime, int] | None = None,
    ) -> list[Quarantined]:
        """The records rejected last, of one dataset or all and of one source or all, newest first.

        With `before`, a time of rejection and an identifier, only those that come after it here.
        """

    @abstractmethod
    async def get(self, rejection_id: int) -> Quarantined | None:
        """One rejected record, as long as it waits."""

    @abstractmethod
    async def count(self, dataset: str) -> int:
        """How many records of the dataset are waiting."""
