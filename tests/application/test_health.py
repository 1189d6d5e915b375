"""Health: whether the service can do its work."""

import pytest

from adapters.memory.health import MemoryProbe
from application.catalogue import Catalogue
from application.health import CheckHealth, Condition
from domain.errors import StoreUnavailable
from tests.application.rig import Rig, posts


@pytest.fixture
def probe() -> MemoryProbe:
    """A database that works until told otherwise."""
    return MemoryProbe()


@pytest.fixture
def check_health(rig: Rig, probe: MemoryProbe) -> CheckHealth:
    """Looks at one dataset with one source."""
    fetches = [rig.fetch(rig.source("one", posts(1)))]
    catalogue = Catalogue(fetches, [rig.query()], rig.quarantine, rig.clock)
    return CheckHealth(catalogue, probe, rig.clock)


async def test_before_the_first_fetch_the_service_is_degraded(
    rig: Rig, check_health: CheckHealth
) -> None:
    report = await check_health()

    assert report.status is Condition.DEGRADED
    assert report.checked_at == rig.clock.now()
    [source] = report.sources
    assert (source.source, source.dataset, source.fetched_at, source.stale) == (
        "one",
        "posts",
        None,
        True,
    )


async def test_with_current_data_all_is_well(rig: Rig, check_health: CheckHealth) -> None:
    await rig.fetch(rig.source("one", posts(1)))()

    report = await check_health()

    assert (report.status, report.database) == (Condition.OK, "connected")
    assert report.sources[0].fetched_at == rig.clock.now()


async def test_without_a_database_the_service_is_down_and_says_why(
    check_health: CheckHealth, probe: MemoryProbe
) -> None:
    probe.failure = StoreUnavailable("the database is gone")

    report = await check_health()

    assert (report.status, report.database) == (Condition.DOWN, "the database is gone")
    assert report.sources == ()
    with pytest.raises(StoreUnavailable):
        await check_health.ready()
