"""The ports of ingest: sources, intakes, receipts and the quarantine."""

from abc import abstractmethod
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Protocol, TypeVar

import msgspec

from domain.checkpoints import Checkpoint
from domain.dataset import Dataset, R
from domain.jobs import FetchJob
from domain.payloads import Arrivals, Batch, Payload, Replay, StoredPayload
from domain.reports import Counts, Rejection, Traffic

R_in = TypeVar("R_in", bound=msgspec.Struct, contravariant=True)


class Ask(msgspec.Struct, frozen=True):
    """A request to a source: its checkpoint, the deadline, and the traffic to add to.

    The source adds its traffic, also if it fails.
    """

    checkpoint: Checkpoint | None
    deadline: datetime
    traffic: Traffic


class Source(Protocol[R]):
    """One source of a dataset's records."""

    @property
    @abstractmethod
    def name(self) -> str:
        """Return the name of the source, as shown to users."""

    @property
    @abstractmethod
    def host(self) -> str:
        """Return the host, as politeness budgets name it."""

    @property
    @abstractmethod
    def normaliser_version(self) -> str:
        """Return the version of `normalise`; when it changes, stored payloads are reprocessed."""

    @abstractmethod
    def ask(self, ask: Ask) -> AsyncIterator[Payload]:
        """Yield the upstream's pages, one payload each; none if not modified since the checkpoint.

        Raise SourceUnavailable, SourceBlocked, SourceTimedOut, SourceRefused or UnexpectedContent.
        """

    @abstractmethod
    def normalise(self, payload: Payload) -> Batch[R]:
        """Read the records of a payload; the same payload always gives the same batch.

        An invalid record is a rejection. Raise UnexpectedContent if there are no separate records.
        """


class Intake(Protocol[R_in]):
    """The records of one source in one job; they are invisible before `commit`.

    Writes raise LeaseLost, and write nothing, if the job has ended or was claimed by another
    worker.
    """

    @abstractmethod
    async def keep(self, payload: Payload) -> Payload:
        """Store a payload, before it is read.

        Return it with its receipt, and with whether the same bytes were stored before.
        """

    @abstractmethod
    def kept(self, what: Replay | Arrivals | None = None) -> AsyncIterator[StoredPayload]:
        """Yield the committed payloads of this source, oldest receipt first.

        With `what`, yield others, committed or not: see `payloads.selected`.
        One whose stored bytes are not those received is marked as damaged, and has no body.
        """

    @abstractmethod
    async def add(self, records: Sequence[R_in], payload: Payload) -> None:
        """Add valid records of a stored payload; of the same key the last one wins.

        Where the dataset keeps the first, the first one does, here and in `commit`.
        """

    @abstractmethod
    async def reject(self, rejections: Sequence[Rejection], payload: Payload) -> None:
        """Put records of a stored payload into quarantine at once, equal ones only once.

        A repeated record gets the newest receipt. For a reprocessed payload these are all of its
        rejections: `commit` releases its other records from quarantine.
        """

    @abstractmethod
    async def commit(
        self, checkpoint: Checkpoint | None, dry_run: bool = False, anew: bool = False
    ) -> Counts:
        """Merge all added records, with the checkpoint if given, in one transaction.

        Rows equal to the stored ones are not rewritten; rows of a newer receipt stay. With `anew`,
        after all `kept` payloads were added, the source's rows of stored payloads are deleted if no
        payload as new has their key.
        Return the counts of the added records, without rejections; the stored checkpoint has its
        own counts and these. A dry run returns them and changes nothing, even without the lease.
        """


class Intakes(Protocol):
    """The opening of intakes into datasets."""

    @abstractmethod
    def open(
        self, dataset: Dataset[R], source: str, job: FetchJob
    ) -> AbstractAsyncContextManager[Intake[R]]:
        """Open an intake; without a commit the block changes no records.

        Raise StoreUnavailable if the store is unreachable, or migrated to another layout of the
        dataset, and StoreFull if there is no space. The intake raises them too.
        """


class Received(msgspec.Struct, frozen=True):
    """A payload and its source."""

    source: str
    payload: Payload


class Verified(msgspec.Struct, frozen=True):
    """A stored body that was read back; `receipts` are its arrivals, if it is damaged."""

    damaged: bool = False
    receipts: tuple[int, ...] = ()


class Receipts(Protocol):
    """The payloads received by jobs."""

    @abstractmethod
    async def last(self, job_id: str) -> Received | None:
        """Return the last stored payload that a job has received, None if there is none."""

    @abstractmethod
    def verify(self) -> AsyncIterator[Verified]:
        """Yield each stored body once it was read back and compared with what was received."""


class Quarantined(msgspec.Struct, frozen=True, kw_only=True):
    """A rejection with its source; `receipt` is that of its payload."""

    id: int
    dataset: str
    source: str
    receipt: int
    pointer: str
    reason: str
    excerpt: str
    rejected_at: datetime


class Quarantine(Protocol):
    """The rejected records."""

    @abstractmethod
    async def recent(
        self,
        dataset: str | None,
        limit: int,
        source: str | None = None,
        before: tuple[datetime, int] | None = None,
    ) -> list[Quarantined]:
        """Return the records of one dataset or all, and one source or all, newest first.

        With `before`, a time of rejection and an identifier, return only the older ones.
        """

    @abstractmethod
    async def get(self, rejection_id: int) -> Quarantined | None:
        """Return one record in quarantine, None if there is none."""

    @abstractmethod
    async def count(self, dataset: str) -> int:
        """Return the number of the dataset's records in quarantine."""
