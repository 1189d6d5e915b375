"""The catalogue: the datasets that users see, and the freshness of each."""

from datetime import UTC, datetime
from typing import Any

import msgspec

from application.datasets.query import Query, Reader
from application.datasets.registry import Generation, RegisteredDataset, Registry
from application.ingest.fetch import Fetch
from application.ports.ingest import Quarantine
from application.ports.system import Clock
from domain.checkpoints import Freshness
from domain.dataset import Dataset, Role
from domain.errors import UnknownDataset
from domain.politeness import Cadence

_ALWAYS = datetime.min.replace(tzinfo=UTC)


class FreshnessStatus(msgspec.Struct, frozen=True):
    """The freshness of a dataset at one time."""

    fetched_at: datetime | None
    next_fetch_at: datetime | None
    stale: bool
    stale_at: datetime | None = None
    fresh_from: datetime = _ALWAYS

    def holds(self, now: datetime) -> bool:
        """Return whether the status still holds at this time, without another fetch."""
        return self.stale_at is None or self.stale is not (self.fresh_from <= now <= self.stale_at)


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One dataset as shown to one viewer."""

    dataset: Dataset[Any]
    sources: tuple[str, ...]
    records: int
    quarantined: int
    freshness: Freshness
    status: FreshnessStatus


class Catalogue:
    """The datasets that users see, with the use cases that fetch and read them."""

    def __init__(self, registry: Registry, quarantine: Quarantine, clock: Clock) -> None:
        self._registry = registry
        self._quarantine = quarantine
        self._clock = clock
        # The last status of each dataset, with the values it was computed from.
        self._statuses: dict[str, tuple[Freshness, Cadence, FreshnessStatus]] = {}

    @property
    def generation(self) -> Generation:
        """Return the current generation of the registry, which changes with any dataset."""
        return self._registry.current

    @property
    def datasets(self) -> list[Dataset[Any]]:
        """Return the datasets, in the order of their declaration."""
        return [each.dataset for each in self._registry.current.catalogue.values()]

    def query(self, name: str) -> Query[Any]:
        """Return the use case that reads a dataset; raise UnknownDataset for any other name."""
        registered = self._registry.current.catalogue.get(name)
        if registered is None:
            raise UnknownDataset.among(self._registry.current.catalogue)
        return registered.query

    def fetch(self, name: str) -> Fetch[Any]:
        """Return the use case that fetches a dataset; raise UnknownDataset for any other name."""
        fetch = self._registry.current.fetches.get(name)
        if fetch is None:
            raise UnknownDataset.among(self._registry.current.catalogue)
        return fetch

    async def is_replaced(self, reader: Reader[Any]) -> bool:
        """Return whether the reader was replaced, so that its errors may be ignored."""
        return await self._registry.is_replaced(reader)

    def freshness_status(
        self, name: str, freshness: Freshness, cadence: Cadence | None = None
    ) -> FreshnessStatus:
        """Return the status of a dataset with this freshness; `cadence` is its own if None."""
        now, cadence = self._clock.now(), cadence or self.fetch(name).cadence
        known, known_cadence, status = self._statuses.get(name, (None, None, None))
        is_same = known is freshness and known_cadence is cadence
        if is_same and status is not None and status.holds(now):
            return status
        status = FreshnessStatus(
            freshness.fetched_at,
            freshness.next_fetch_at,
            cadence.is_stale(freshness, now),
            cadence.stale_at(freshness),
            cadence.fresh_from(freshness) or _ALWAYS,
        )
        self._statuses[name] = freshness, cadence, status
        return status

    async def entries(self, viewer: Role = Role.ANYONE) -> list[Entry]:
        """Return every dataset the viewer may read."""
        return [
            await self._entry(registered, viewer)
            for registered in self._registry.current.catalogue.values()
            if viewer.at_least(registered.dataset.read_by)
        ]

    async def _entry(self, registered: RegisteredDataset[Any], viewer: Role) -> Entry:
        name, fetch = registered.name, registered.fetch
        reader = registered.query.for_role(viewer)
        freshness = await reader.freshness()
        return Entry(
            dataset=reader.dataset,
            sources=fetch.sources,
            records=await reader.count(),
            quarantined=await self._quarantine.count(name),
            freshness=freshness,
            # With its own cadence: the dataset may be replaced or removed meanwhile.
            status=self.freshness_status(name, freshness, fetch.cadence),
        )
