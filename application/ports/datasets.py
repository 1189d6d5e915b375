"""The ports of datasets: stored records, their version and their tables."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from domain.checkpoints import Freshness
from domain.dataset import Dataset, Key, R
from domain.filters import Filter
from domain.looks import Look
from domain.paging import Page, PageRequest


class Store(Protocol):
    """The reads of all datasets; every read is one snapshot.

    Methods raise StoreUnavailable if the database is unreachable, or was migrated to a layout
    without some of the dataset's fields, and QueryTooSlow for a read that takes too long.
    """

    @abstractmethod
    async def find(self, dataset: Dataset[R], request: PageRequest) -> Page[Any]:
        """Return one page of `sorted(filter(matches, records))`."""

    @abstractmethod
    async def get(self, dataset: Dataset[R], key: Key, seen: Filter) -> Any | None:
        """Return the record with that key, if there is one and `seen` matches it."""

    @abstractmethod
    async def count(self, dataset: Dataset[R], seen: Filter) -> int:
        """Return the number of records that match."""

    @abstractmethod
    async def freshness(self, dataset: Dataset[R]) -> Freshness:
        """Return the dataset's sequence number and checkpoints, in any layout of its table."""


class Changes(Protocol):
    """The version of the database, which validates cached reads."""

    @abstractmethod
    def version(self) -> int:
        """Return a number that changes with every commit of any process.

        It is cheap enough for every read. Raise StoreUnavailable as reads do.
        """


class Tables(Protocol):
    """The tables of the datasets, one each."""

    @abstractmethod
    async def prepare(self, datasets: Sequence[Dataset[Any]]) -> None:
        """Migrate each dataset's table to its layout, atomically, while others read and write.

        A migrated table keeps the values that still fit, and its sequence number increases. Reads
        and intakes with the old layout continue while all of its fields exist, and raise
        StoreUnavailable otherwise. The tables of other datasets are not changed.
        """


class Upstream(Protocol):
    """An upstream that is looked at before it is declared."""

    @abstractmethod
    async def look(self, url: str, params: Mapping[str, str]) -> Look:
        """Return the answer at a URL with these parameters; raise SourceError for none of use."""
