"""Health: whether the service can do its work, and how current every source is."""

from collections.abc import AsyncIterator
from datetime import datetime
from enum import StrEnum

import msgspec

from application.catalogue import Catalogue
from application.ports.clock import Clock
from application.ports.health import Probe
from domain.dataset import Role
from domain.errors import StoreError


class Condition(StrEnum):
    """How the service is: degraded means that it serves, but not what it should."""

    OK = "ok"
    DEGRADED = "degraded"
    DOWN = "down"


class SourceHealth(msgspec.Struct, frozen=True):
    """When a source last answered, and whether that is too long ago."""

    source: str
    dataset: str
    fetched_at: datetime | None
    stale: bool


class HealthReport(msgspec.Struct, frozen=True):
    """The service's condition at one moment."""

    status: Condition
    database: str
    sources: tuple[SourceHealth, ...]
    checked_at: datetime


class CheckHealth:
    """Looks at the database and at the age of what every source gave."""

    def __init__(self, catalogue: Catalogue, database: Probe, clock: Clock) -> None:
        self._catalogue = catalogue
        self._database = database
        self._clock = clock

    async def __call__(self) -> HealthReport:
        """The condition now; it never raises, because it is asked when things are bad."""
        now = self._clock.now()
        try:
            await self.ready()
            sources = [health async for health in self._sources()]
        except StoreError as error:
            return HealthReport(Condition.DOWN, error.detail, (), now)
        degraded = any(source.stale for source in sources)
        condition = Condition.DEGRADED if degraded else Condition.OK
        return HealthReport(condition, "connected", tuple(sources), now)

    async def ready(self) -> None:
        """Return when reads can be answered; StoreUnavailable says why not."""
        await self._database.check()

    async def _sources(self) -> AsyncIterator[SourceHealth]:
        # Not the catalogue's entries: they count records, and health must not wait for that.
        for dataset in self._catalogue.datasets:
            name = dataset.name
            freshness = await self._catalogue.query(name).freshness(Role.ADMIN)
            stale = self._catalogue.standing(name, freshness).stale
            for source in self._catalogue.fetch(name).sources:
                checkpoint = freshness.of(source)
                fetched_at = checkpoint.fetched_at if checkpoint else None
                yield SourceHealth(source, name, fetched_at, stale)
