"""Health: whether the service works, and the state of every source."""

from collections.abc import AsyncIterator, Mapping
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
    """The status of the service; degraded means that it serves, but incompletely or stale."""

    OK = "ok"
    DEGRADED = "degraded"
    DOWN = "down"


class SourceHealth(msgspec.Struct, frozen=True, kw_only=True):
    """The health of one source: its last success, its staleness and its breaker."""

    source: str
    dataset: str
    fetched_at: datetime | None
    stale: bool
    breaker: Breaker = Breaker.CLOSED
    blocked_until: datetime | None = None

    @property
    def is_unhealthy(self) -> bool:
        """Return whether the source is stale, or its breaker is not closed."""
        return self.stale or self.breaker is not Breaker.CLOSED


class HealthReport(msgspec.Struct, frozen=True, kw_only=True):
    """The health of the service at one time; `queue` and `database` give the reason if not ok.

    A reason may name hosts and files; `queue_code` and `database_code` are words for anyone.
    """

    status: HealthStatus
    database: str
    queue: str
    database_code: str
    queue_code: str
    sources: tuple[SourceHealth, ...]
    checked_at: datetime
    #: Whether both database and queue work.
    works: bool


class CheckHealth:
    """The use case that checks the database, the queue and every source."""

    def __init__(
        self, registry: Registry, database: Probe, queue: Probe, budget: Budget, clock: Clock
    ) -> None:
        self._registry = registry
        self._database = database
        self._queue = queue
        self._budget = budget
        self._clock = clock

    async def __call__(self) -> HealthReport:
        """Return the health now; never raises, because it is needed most when things fail."""
        queue, queue_code = await self._queue_status()
        codes = {"database_code": self._database.works, "queue_code": queue_code}
        try:
            await self.ready()
            sources = tuple([health async for health in self.sources()])
        except StoreError as error:
            codes["database_code"] = error.code
            return self._report(HealthStatus.DOWN, error.detail, queue, codes)
        works = queue == self._queue.works
        degraded = not works or any(source.is_unhealthy for source in sources)
        status = HealthStatus.DEGRADED if degraded else HealthStatus.OK
        return self._report(status, self._database.works, queue, codes, sources, works)

    async def ready(self) -> None:
        """Raise StoreUnavailable, with the reason, unless the database can be read."""
        await self._database.check()

    async def _queue_status(self) -> tuple[str, str]:
        try:
            await self._queue.check()
        except QueueUnavailable as error:
            return error.detail, error.code
        return self._queue.works, self._queue.works

    def _report(
        self,
        status: HealthStatus,
        database: str,
        queue: str,
        codes: Mapping[str, str],
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
            **codes,
        )

    async def sources(self) -> AsyncIterator[SourceHealth]:
        """Yield the health of each source; raise StoreUnavailable if it cannot be read."""
        # Not the catalogue's entries: they count records, which takes too long for a health check.
        now = self._clock.now()
        now_s = now.timestamp()
        for registered in self._registry.current.catalogue.values():
            cadence = registered.fetch.cadence
            freshness = await registered.query.for_role(Role.ADMIN).freshness()
            for source, name in registered.fetch.hosts.items():
                checkpoint = freshness.of(source)
                host = await self._budget.state(name)
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
