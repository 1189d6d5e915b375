"""Where records are kept."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, Protocol

from domain.checkpoints import Freshness
from domain.dataset import Dataset, Key, R
from domain.filters import Filter
from domain.paging import Page, PageRequest


class Store(Protocol):
    """Reads the records of any dataset; every read is one snapshot.

    StoreUnavailable when the database cannot be reached, or when it has been prepared for another
    layout that no longer has all of the dataset's fields; QueryTooSlow for a read that takes too
    long.
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
        """The dataset's sequence number and checkpoints, whatever layout its table has."""


class Changes(Protocol):
    """Tells whether anything was written, so that what was read before may still be said."""

    @abstractmethod
    def version(self) -> int:
        """A number that differs from the last one when anything was committed, by whomever.

        Cheap enough to be asked with every read. StoreUnavailable as for a read.
        """


class Tables(Protocol):
    """Makes room for records: each dataset has a table of its own."""

    @abstractmethod
    async def prepare(self, datasets: Sequence[Dataset[Any]]) -> None:
        """Give each dataset a table of its layout, in one step and while others read and write.

        A table of another layout keeps the values that still fit, and its sequence number moves. A
        reader or an intake that has the dataset as it was goes on where all of its fields are still
        there, and gets StoreUnavailable otherwise. The tables of other datasets stay as they are.
        """
