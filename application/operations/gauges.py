"""Gauges: the current state of the service, in numbers that no event has."""

from collections.abc import Mapping
from datetime import datetime

import msgspec

from application.concurrency import SingleFlight
from application.datasets.registry import Registry
from application.operations.health import CheckHealth, SourceHealth
from application.ports.ingest import Quarantine
from application.ports.jobs import JobHistory
from application.ports.operations import Connections, PoolUsage, Probe
from application.ports.politeness import Budget
from application.ports.system import Clock
from domain.errors import QueueUnavailable, StoreError
from domain.jobs import FetchJob, JobStatus
from domain.politeness import Breaker

#: Gauges younger than this are returned again: scraping often costs the database nothing.
KEPT_S = 1.0
#: The states of jobs that have not ended. A deferred one waits for a time at which it may run.
STATES = ("queued", "deferred", "running")


class JobsGauge(msgspec.Struct, frozen=True, kw_only=True):
    """How many jobs are in a state, and for how long the oldest of them has been wanted."""

    count: int = 0
    oldest_s: float = 0.0


class HostGauge(msgspec.Struct, frozen=True, kw_only=True):
    """What may be sent to a host: how many requests at once, and for how long none."""

    left: int
    breaker: Breaker
    blocked_s: float


class Gauges(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that is measured by looking; without a database what can be seen without one.

    `jobs` are by state, `hosts` by name, `quarantined` records by dataset.
    """

    database_works: bool
    queue_works: bool
    pools: tuple[PoolUsage, ...] = ()
    jobs: Mapping[str, JobsGauge] = {}
    sources: tuple[SourceHealth, ...] = ()
    hosts: Mapping[str, HostGauge] = {}
    quarantined: Mapping[str, int] = {}


class ReadGauges:
    """Reads all gauges, at most once a second, however many ask."""

    def __init__(
        self,
        registry: Registry,
        check_health: CheckHealth,
        database: Probe,
        queue: Probe,
        connections: Connections,
        history: JobHistory,
        quarantine: Quarantine,
        budget: Budget,
        clock: Clock,
    ) -> None:
        self._registry = registry
        self._check_health = check_health
        self._database = database
        self._queue = queue
        self._connections = connections
        self._history = history
        self._quarantine = quarantine
        self._budget = budget
        self._clock = clock
        self._looks: SingleFlight[Gauges] = SingleFlight()
        self._last: tuple[datetime, Gauges] | None = None

    async def __call__(self) -> Gauges:
        """Return the gauges as they are, or were a second ago; nothing is raised."""
        now = self._clock.now()
        # A clock that was set back must not make old gauges last.
        if self._last is not None and 0 <= (now - self._last[0]).total_seconds() < KEPT_S:
            return self._last[1]
        gauges = await self._looks("", self._read)
        self._last = now, gauges
        return gauges

    async def _read(self) -> Gauges:
        queue_works = await self._queue_works()
        pools = tuple(self._connections.pools())
        try:
            await self._database.check()
            return Gauges(
                database_works=True,
                queue_works=queue_works,
                pools=pools,
                jobs=self._by_state(await self._history.unfinished()),
                sources=tuple([source async for source in self._check_health.sources()]),
                hosts=await self._hosts(),
                quarantined={
                    name: await self._quarantine.count(name)
                    for name in self._registry.current.catalogue
                },
            )
        except StoreError:
            return Gauges(database_works=False, queue_works=queue_works, pools=pools)

    async def _queue_works(self) -> bool:
        try:
            await self._queue.check()
        except QueueUnavailable:
            return False
        return True

    def _by_state(self, jobs: list[FetchJob]) -> dict[str, JobsGauge]:
        now = self._clock.now()
        ages_s: dict[str, list[float]] = {state: [] for state in STATES}
        for job in jobs:
            waits = job.status is JobStatus.QUEUED and not job.is_claimable(now)
            age_s = max(0.0, (now - job.queued_at).total_seconds())
            ages_s["deferred" if waits else job.status.value].append(age_s)
        return {
            state: JobsGauge(count=len(ages), oldest_s=max(ages, default=0.0))
            for state, ages in ages_s.items()
        }

    async def _hosts(self) -> dict[str, HostGauge]:
        now_s = self._clock.now().timestamp()
        names = {
            host
            for registered in self._registry.current.values()
            for host in registered.fetch.hosts.values()
        }
        hosts = {}
        for name in sorted(names):
            state = await self._budget.state(name)
            hosts[name] = HostGauge(
                left=await self._budget.left(name),
                breaker=state.breaker(now_s),
                blocked_s=max(0.0, state.blocked_until_s - now_s),
            )
        return hosts
