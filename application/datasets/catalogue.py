"""The catalogue: which datasets there are, and how current each of them is."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec

from application.datasets.query import Query
from application.ingest.fetch import Fetch
from application.ports.ingest import Quarantine
from application.ports.system import Clock
from domain.checkpoints import Freshness
from domain.dataset import Dataset, Role
from domain.errors import UnknownDataset


class FreshnessStatus(msgspec.Struct, frozen=True):
    """How current a dataset is at one time."""

    fetched_at: datetime | None
    next_fetch_at: datetime | None
    stale: bool
    stale_at: datetime | None = None

    def holds(self, now: datetime) -> bool:
        """Return whether it is still so, as long as nothing has been fetched."""
        return self.stale or self.stale_at is None or now <= self.stale_at


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One dataset as the catalogue shows it to one viewer."""

    dataset: Dataset[Any]
    sources: tuple[str, ...]
    records: int
    quarantined: int
    freshness: Freshness
    standing: FreshnessStatus


class Catalogue:
    """All datasets, each with the use cases that fetch and read it."""

    def __init__(
        self,
        fetches: Iterable[Fetch[Any]],
        queries: Iterable[Query[Any]],
        quarantine: Quarantine,
        clock: Clock,
    ) -> None:
        self._fetches = {fetch.dataset.name: fetch for fetch in fetches}
        self._queries = {query.dataset.name: query for query in queries}
        self._quarantine = quarantine
        self._clock = clock
        # The last status of each dataset, and the freshness it followed from.
        self._statuses: dict[str, tuple[Freshness, FreshnessStatus]] = {}

    @property
    def datasets(self) -> Iterable[Dataset[Any]]:
        """The datasets, in the order they were declared."""
        return [query.dataset for query in self._queries.values()]

    def query(self, name: str) -> Query[Any]:
        """Return the use case that reads a dataset; raise UnknownDataset for any other name."""
        query = self._queries.get(name)
        if query is None:
            raise self._unknown()
        return query

    def fetch(self, name: str) -> Fetch[Any]:
        """Return the use case that fetches a dataset; raise UnknownDataset for any other name."""
        fetch = self._fetches.get(name)
        if fetch is None:
            raise self._unknown()
        return fetch

    def freshness_status(self, name: str, freshness: Freshness) -> FreshnessStatus:
        """Return how current a dataset with this freshness is now."""
        now = self._clock.now()
        known, status = self._statuses.get(name, (None, None))
        if known is freshness and status is not None and status.holds(now):
            return status
        cadence = self.fetch(name).cadence
        status = FreshnessStatus(
            freshness.fetched_at,
            freshness.next_fetch_at,
            cadence.is_stale(freshness, now),
            cadence.stale_at(freshness),
        )
        self._statuses[name] = freshness, status
        return status

    async def entries(self, viewer: Role = Role.ANYONE) -> list[Entry]:
        """Return every dataset the viewer may read."""
        return [
            await self._entry(query, viewer)
            for query in self._queries.values()
            if viewer.at_least(query.dataset.read_by)
        ]

    async def _entry(self, query: Query[Any], viewer: Role) -> Entry:
        name, reader = query.dataset.name, query.for_role(viewer)
        freshness = await reader.freshness()
        return Entry(
            dataset=query.dataset,
            sources=self.fetch(name).sources,
            records=await reader.count(),
            quarantined=await self._quarantine.count(name),
            freshness=freshness,
            standing=self.freshness_status(name, freshness),
        )

    def _unknown(self) -> UnknownDataset:
        return UnknownDataset(f"the datasets are: {', '.join(self._queries)}")
