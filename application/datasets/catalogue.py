"""The catalogue: which datasets there are, and how current each of them is."""

from datetime import datetime
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
    """The datasets that users see, each with the use cases that fetch and read it."""

    def __init__(self, registry: Registry, quarantine: Quarantine, clock: Clock) -> None:
        self._registry = registry
        self._quarantine = quarantine
        self._clock = clock
        # The last status of each dataset, and what it followed from.
        self._statuses: dict[str, tuple[Freshness, Cadence, FreshnessStatus]] = {}

    @property
    def generation(self) -> Generation:
        """The generation of the registry: another as soon as any dataset is added or changed."""
        return self._registry.current

    @property
    def datasets(self) -> list[Dataset[Any]]:
        """The datasets, in the order they were declared."""
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
        """Return whether the reader is out of use, so that its errors mean nothing."""
        return await self._registry.is_replaced(reader)

    def freshness_status(
        self, name: str, freshness: Freshness, cadence: Cadence | None = None
    ) -> FreshnessStatus:
        """Return how current a dataset with this freshness is now; `cadence` is its own if None."""
        now, cadence = self._clock.now(), cadence or self.fetch(name).cadence
        known, by, status = self._statuses.get(name, (None, None, None))
        if known is freshness and by is cadence and status is not None and status.holds(now):
            return status
        status = FreshnessStatus(
            freshness.fetched_at,
            freshness.next_fetch_at,
            cadence.is_stale(freshness, now),
            cadence.stale_at(freshness),
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
            # By its own cadence: it may be replaced or removed meanwhile.
            standing=self.freshness_status(name, freshness, fetch.cadence),
        )
