"""Health: whether the service can do its work, and how every source stands."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from enum import StrEnum

import msgspec

from application.datasets.registry import Registry
from application.ports.operations import Probe
from application.ports.politeness import Budget
from application.ports.system import Clock
from domain.dataset import Role
from domain.errors import QueueUnavailable, StoreError
from domain.politeness import Breaker


class HealthStatus(StrEnum):
    """How the service is: degraded means that it serves, but not what it should."""

    OK = "ok"
    DEGRADED = "degraded"
    DOWN = "down"


class SourceHealth(msgspec.Struct, frozen=True, kw_only=True):
    """When a source last answered, whether that is too long ago, and whether it may be asked."""

    source: str
    dataset: str
    fetched_at: datetime | None
    stale: bool
    breaker: Breaker = Breaker.CLOSED
    blocked_until: datetime | None = None

    @property
    def is_in_trouble(self) -> bool:
        """Whether it is overdue, or has failed so often that it must prove itself again."""
        return self.stale or self.breaker is not Breaker.CLOSED


class HealthReport(msgspec.Struct, frozen=True, kw_only=True):
    """The service's condition at one moment; `queue` and `database` say why not, if so."""

    status: HealthStatus
    database: str
    queue: str
    sources: tuple[SourceHealth, ...]
    checked_at: datetime
    #: Whether database and queue can both be used.
    works: bool


class CheckHealth:
    """Looks at the database, at the queue, and at the age of what every source gave."""

    def __init__(
        self, registry: Registry, database: Probe, queue: Probe, budget: Budget, clock: Clock
    ) -> None:
        self._registry = registry
        self._database = database
        self._queue = queue
        self._budget = budget
        self._clock = clock

    async def __call__(self) -> HealthReport:
        """The condition now; it never raises, because it is asked when things are bad."""
        queue = await self._look_at_queue()
        try:
            await self.ready()
            sources = tuple([health async for health in self._sources()])
        except StoreError as error:
            return self._report(HealthStatus.DOWN, error.detail, queue)
        works = queue == self._queue.works
        degraded = not works or any(source.is_in_trouble for source in sources)
        condition = HealthStatus.DEGRADED if degraded else HealthStatus.OK
        return self._report(condition, self._database.works, queue, sources, works)

    async def ready(self) -> None:
        """Return when reads can be answered; StoreUnavailable says why not."""
        await self._database.check()

    async def _look_at_queue(self) -> str:
        try:
            await self._queue.check()
        except QueueUnavailable as error:
            return error.detail
        return self._queue.works

    def _report(
        self,
        status: HealthStatus,
        database: str,
        queue: str,
        sources: tuple[SourceHealth, ...] = (),
        works: bool = False,
    ) -> HealthReport:
        return HealthReport(
            status=status,
            database=database,
            queue=queue,
            sources=sources,
            checked_at=self._clock.now(),
            works=works,
        )

    async def _sources(self) -> AsyncIterator[SourceHealth]:
        # Not the catalogue's entries: they count records, and health must not wait for that.
        now = self._clock.now()
        now_s = now.timestamp()
        for registered in self._registry.current.catalogue.values():
            cadence = registered.fetch.cadence
            freshness = await registered.query.for_role(Role.ADMIN).freshness()
            for source, asked in registered.fetch.hosts.items():
                checkpoint = freshness.of(source)
                host = await self._budget.state(asked)
                blocked = host.blocked_until_s > now_s
                yield SourceHealth(
                    source=source,
                    dataset=registered.name,
                    fetched_at=checkpoint.fetched_at if checkpoint else None,
                    stale=cadence.is_stale(freshness.only(source), now),
                    breaker=host.breaker(now_s),
                    blocked_until=(
                        datetime.fromtimestamp(host.blocked_until_s, UTC) if blocked else None
                    ),
                )
