"""The catalogue: which datasets there are, and how each of them stands."""

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
    """How current a dataset is at one moment."""

    fetched_at: datetime | None
    next_fetch_at: datetime | None
    stale: bool
    stale_at: datetime | None = None

    def holds(self, now: datetime) -> bool:
        """Whether it is still so, as long as nothing has been fetched."""
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
        # How each dataset stood when it was looked at last, and the freshness that followed from.
        self._stood: dict[str, tuple[Freshness, FreshnessStatus]] = {}

    @property
    def datasets(self) -> Iterable[Dataset[Any]]:
        """Every dataset, in the order they were declared."""
        return [query.dataset for query in self._queries.values()]

    def query(self, name: str) -> Query[Any]:
        """The use case that reads a dataset; UnknownDataset when there is none of that name."""
        self._known(name)
        return self._queries[name]

    def fetch(self, name: str) -> Fetch[Any]:
        """The use case that fetches a dataset; UnknownDataset when there is none of that name."""
        self._known(name)
        return self._fetches[name]

    def freshness_status(self, name: str, freshness: Freshness) -> FreshnessStatus:
        """How current a dataset with this freshness is now."""
        now = self._clock.now()
        known, stood = self._stood.get(name, (None, None))
        if known is freshness and stood is not None and stood.holds(now):
            return stood
        cadence = self.fetch(name).cadence
        standing = FreshnessStatus(
            freshness.fetched_at,
            freshness.next_fetch_at,
            cadence.is_stale(freshness, now),
            cadence.stale_at(freshness),
        )
        self._stood[name] = freshness, standing
        return standing

    async def entries(self, viewer: Role = Role.ANYONE) -> list[Entry]:
        """Every dataset the viewer may read."""
        return [
            await self._entry(query, viewer)
            for query in self._queries.values()
            if viewer.at_least(query.dataset.read_by)
        ]

    async def _entry(self, query: Query[Any], viewer: Role) -> Entry:
        name = query.dataset.name
        freshness = await query.freshness(viewer)
        return Entry(
            dataset=query.dataset,
            sources=self.fetch(name).sources,
            records=await query.count(viewer),
            quarantined=await self._quarantine.count(name),
            freshness=freshness,
            standing=self.freshness_status(name, freshness),
        )

    def _known(self, name: str) -> None:
        if name not in self._queries:
            raise UnknownDataset(f"the datasets are: {', '.join(self._queries)}")
