"""What ingesting needs: sources that are asked, and the receipts of what they sent."""

from abc import abstractmethod
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Protocol

import msgspec

from domain.checkpoints import Checkpoint
from domain.dataset import R
from domain.payloads import Batch, Payload
from domain.reports import Traffic


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


class Received(msgspec.Struct, frozen=True):
    """A payload, and the source it came from."""

    source: str
    payload: Payload


class Receipts(Protocol):
    """Tells what jobs have received."""

    @abstractmethod
    async def last(self, job_id: str) -> Received | None:
        """The last payload that a job has received, if it has received any that is still kept."""
