"""Health: whether the service works, and the state of its sources."""

from datetime import timedelta

import msgspec
import pytest

from adapters.memory.operations import MemoryProbe
from adapters.memory.politeness import MemoryBudget
from application.datasets.catalogue import Catalogue
from application.operations.health import CheckHealth, HealthStatus, SourceHealth
from domain.errors import QueueUnavailable, SourceUnavailable, StoreUnavailable
from domain.politeness import BREAKER_MINIMUM, BREAKER_OPEN_S, Breaker, Cadence, Host, Rate
from tests.application.rig import Rig, posts
from tests.sharing import SHARED

HOUR = timedelta(hours=1)


@pytest.fixture
def database() -> MemoryProbe:
    """Return a database that works unless set to fail."""
    return MemoryProbe()


@pytest.fixture
def queue() -> MemoryProbe:
    """Return a queue that works unless set to fail."""
    return MemoryProbe("embedded")


@pytest.fixture
def budget(rig: Rig) -> MemoryBudget:
    """Return the budget of the rig."""
    return rig.budget


@pytest.fixture
def check_health(
    rig: Rig, database: MemoryProbe, queue: MemoryProbe, budget: MemoryBudget
) -> CheckHealth:
    """Return the use case over one dataset with one source."""
    registry = rig.registry(rig.fetch(rig.source("one", posts(1))))
    return CheckHealth(registry, database, queue, budget, rig.clock)


async def fill(rig: Rig) -> None:
    """Fetch the posts."""
    await rig.fetch(rig.source("one", posts(1)))()


async def test_before_the_first_fetch_the_service_is_degraded(
    rig: Rig, check_health: CheckHealth
) -> None:
    report = await check_health()

    assert report.status is HealthStatus.DEGRADED
    assert report.checked_at == rig.clock.now()
    assert report.sources == (
        SourceHealth(source="one", dataset="posts", fetched_at=None, stale=True),
    )


async def test_with_current_data_the_service_is_ok(rig: Rig, check_health: CheckHealth) -> None:
    await fill(rig)
    fetched_at = rig.clock.now()

    report = await check_health()

    assert (report.status, report.database, report.queue) == (
        HealthStatus.OK,
        "connected",
        "embedded",
    )
    assert report.sources == (
        SourceHealth(source="one", dataset="posts", fetched_at=fetched_at, stale=False),
    )


async def test_without_a_database_the_service_is_down_with_the_reason(
    check_health: CheckHealth, database: MemoryProbe
) -> None:
    database.failure = StoreUnavailable("the database is gone")

    report = await check_health()

    assert (report.status, report.database, report.queue) == (
        HealthStatus.DOWN,
        "the database is gone",
        "embedded",
    )
    assert report.sources == ()
    with pytest.raises(StoreUnavailable):
        await check_health.ready()


async def test_without_a_broker_the_service_is_degraded_and_can_still_be_read(
    rig: Rig, check_health: CheckHealth, queue: MemoryProbe
) -> None:
    await fill(rig)
    queue.failure = QueueUnavailable("the broker is gone")

    report = await check_health()

    assert (report.status, report.database, report.queue) == (
        HealthStatus.DEGRADED,
        "connected",
        "the broker is gone",
    )
    assert len(report.sources) == 1
    await check_health.ready()


async def test_without_either_both_reasons_are_given(
    check_health: CheckHealth, database: MemoryProbe, queue: MemoryProbe
) -> None:
    database.failure = StoreUnavailable("the database is gone")
    queue.failure = QueueUnavailable("the broker is gone")

    report = await check_health()

    assert (report.status, report.database, report.queue) == (
        HealthStatus.DOWN,
        "the database is gone",
        "the broker is gone",
    )
    assert (report.database_code, report.queue_code) == ("store_unavailable", "queue_unavailable")


class Away(MemoryBudget):
    """A budget that cannot be read."""

    async def state(self, host: str) -> Host:
        """Fail."""
        raise StoreUnavailable("the database went away meanwhile")


async def test_a_database_that_fails_meanwhile_is_down_too(
    rig: Rig, database: MemoryProbe, queue: MemoryProbe
) -> None:
    registry = rig.registry(rig.fetch(rig.source("one")))
    budget = Away(rig.database, rig.clock, {}, Rate(1000, 1.0))

    report = await CheckHealth(registry, database, queue, budget, rig.clock)()

    assert (report.status, report.database) == (
        HealthStatus.DOWN,
        "the database went away meanwhile",
    )


# ---------------------------------------------------------------- breakers and blocks


async def test_a_blocked_source_is_shown_until_the_block_is_over(
    rig: Rig, check_health: CheckHealth, budget: MemoryBudget
) -> None:
    await fill(rig)
    await budget.block("one", until := rig.later(90))

    [blocked] = (await check_health()).sources
    rig.clock.advance(90)
    [free] = (await check_health()).sources

    assert (blocked.blocked_until, free.blocked_until) == (until, None)
    assert msgspec.structs.replace(blocked, blocked_until=None) == free


async def test_a_failing_source_degrades_the_service_until_it_recovers(
    rig: Rig, check_health: CheckHealth, budget: MemoryBudget
) -> None:
    await fill(rig)
    for _ in range(BREAKER_MINIMUM):
        await budget.spend("one")
        await budget.record_outcome("one", ok=False)

    seen = [await check_health()]
    rig.clock.advance(BREAKER_OPEN_S)
    seen.append(await check_health())
    await budget.spend("one")
    await budget.record_outcome("one", ok=True)
    seen.append(await check_health())

    assert [(report.status, report.sources[0].breaker) for report in seen] == [
        (HealthStatus.DEGRADED, Breaker.OPEN),
        (HealthStatus.DEGRADED, Breaker.HALF_OPEN),
        (HealthStatus.OK, Breaker.CLOSED),
    ]


# ---------------------------------------------------------------- separate sources


async def test_a_stale_source_is_distinguished_from_a_fresh_one_of_its_dataset(
    rig: Rig, database: MemoryProbe, queue: MemoryProbe, budget: MemoryBudget
) -> None:
    one, two = rig.shared("one"), rig.shared("two")
    fetch = rig.fetch(one, two, dataset=SHARED, cadence=Cadence(every=HOUR))
    registry = rig.registry(fetch)
    catalogue = Catalogue(registry, rig.quarantine, rig.clock)
    check_health = CheckHealth(registry, database, queue, budget, rig.clock)
    await fetch()
    two.failure = SourceUnavailable("no answer")
    rig.clock.advance(HOUR * 3)
    await fetch()

    report = await check_health()
    two.failure = None
    rig.clock.advance(HOUR)
    await fetch()
    recovered = await check_health()

    assert [(source.source, source.stale) for source in report.sources] == [
        ("one", False),
        ("two", True),
    ]
    assert (report.status, recovered.status) == (HealthStatus.DEGRADED, HealthStatus.OK)
    freshness = await rig.store.freshness(SHARED)
    assert not catalogue.freshness_status("posts", freshness).stale


async def test_a_dataset_whose_sources_are_off_degrades_nothing(
    rig: Rig, database: MemoryProbe, queue: MemoryProbe, budget: MemoryBudget
) -> None:
    fetch = rig.fetch(cadence=Cadence(every=HOUR))

    report = await CheckHealth(rig.registry(fetch), database, queue, budget, rig.clock)()

    assert (report.status, report.sources) == (HealthStatus.OK, ())
