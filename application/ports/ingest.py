"""What ingesting needs: sources, intakes, the receipts of what came, and the quarantine."""

from abc import abstractmethod
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Protocol, TypeVar

import msgspec

from domain.checkpoints import Checkpoint
from domain.dataset import Dataset, R
from domain.jobs import FetchJob
from domain.payloads import Batch, Payload, Replay, StoredPayload, Walk
from domain.reports import Counts, Rejection, Traffic

R_in = TypeVar("R_in", bound=msgspec.Struct, contravariant=True)


class Ask(msgspec.Struct, frozen=True):
    """What a source is told when it is asked: what is known of it, and until when to answer.

    The source adds to `traffic` what it costs, also when it fails.
    """

    checkpoint: Checkpoint | None
    deadline: datetime
    traffic: Traffic


class Source(Protocol[R]):
    """One place records of a dataset come from."""

    @property
    @abstractmethod
    def name(self) -> str:
        """The source's name, as users read it."""

    @property
    @abstractmethod
    def host(self) -> str:
        """Whom it asks: the host, as politeness budgets name it."""

    @property
    @abstractmethod
    def normaliser_version(self) -> str:
        """Names the version of `normalise`: when it changes, kept payloads are read again."""

    @abstractmethod
    def ask(self, ask: Ask) -> AsyncIterator[Payload]:
        """Yield what the upstream has, one payload a page, first to last.

        Yields nothing when the upstream says that nothing changed since the checkpoint.
        Raises SourceUnavailable, SourceBlocked, SourceTimedOut, SourceRefused or UnexpectedContent.
        """

    @abstractmethod
    def normalise(self, payload: Payload) -> Batch[R]:
        """Read the records of a payload; the same payload always gives the same batch.

        A record that cannot be read is a rejection. UnexpectedContent when none can be told apart.
        """


class Intake(Protocol[R_in]):
    """What one source brings in during one job; nothing of it is seen before `commit`.

    Whatever writes for good raises LeaseLost when the job has been claimed by another worker or has
    ended: then nothing is written.
    """

    @abstractmethod
    async def keep(self, payload: Payload) -> Payload:
        """Keep a body for good, before anything is read from it.

        Returns it with its receipt, and with whether the same bytes were kept before.
        """

    @abstractmethod
    def kept(self, what: Replay | Walk | None = None) -> AsyncIterator[StoredPayload]:
        """Every payload of this source whose fetch was committed, oldest receipt first.

        Those of a replay or a walk, committed or not, if `what` is one: see `payloads.selected`.
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
    async def commit(
        self, checkpoint: Checkpoint | None, dry_run: bool = False, anew: bool = False
    ) -> Counts:
        """Merge all that was added, with the checkpoint if there is one, in one transaction.

        Rows equal to the stored ones are not rewritten; a row from a newer receipt stays. Where
        everything `kept` was added `anew`, the source's rows whose payload is kept are deleted
        when none that is as new gave their key again.
        Returns the counts of the records added, without rejections; what the checkpoint keeps is
        its own counts and these. A dry_run returns them, too, and leaves everything as it is,
        whoever holds the job.
        """


class Intakes(Protocol):
    """Opens the way into the records of any dataset."""

    @abstractmethod
    def open(
        self, dataset: Dataset[R], source: str, job: FetchJob
    ) -> AbstractAsyncContextManager[Intake[R]]:
        """Open an intake; leaving the block without a commit leaves the records as they were.

        StoreUnavailable when the store cannot be reached, or when it has been prepared for another
        layout of the dataset; StoreFull when there is no room. The intake raises them too.
        """


class Received(msgspec.Struct, frozen=True):
    """A payload, and the source it came from."""

    source: str
    payload: Payload


class Receipts(Protocol):
    """Tells what jobs have received."""

    @abstractmethod
    async def last(self, job_id: str) -> Received | None:
        """The last payload that a job has received, if it has received any that is still kept."""


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
