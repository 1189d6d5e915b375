"""Gauges: the state of jobs, sources, hosts and pools, read once a second at most."""

import asyncio
from datetime import timedelta

import pytest

from adapters.memory.operations import MemoryProbe
from application.operations.gauges import STATES, Gauges, HostGauge, JobsGauge, ReadGauges
from application.operations.health import CheckHealth
from application.ports.operations import PoolUsage
from domain.builtin.posts import POSTS
from domain.dataset import Dataset
from domain.errors import QueueUnavailable, StoreUnavailable
from domain.politeness import BREAKER_MINIMUM, Breaker
from tests.application.rig import CountedHistory, Rig, posts
from tests.application.schedulers import OTHERS

POOL = PoolUsage(name="read", most=4, open=2, busy=1, waiting=0)


class GaugesRig(Rig):
    """A rig with a database, a queue, a pool and two datasets."""

    def __init__(self) -> None:
        super().__init__()
        self.queue_probe = MemoryProbe("embedded")
        self.connections.given = [POOL]
        self.one, self.two = self.source("one", posts(2)), self.source("two", posts(1))
        registry = self.registry(self.fetch(self.one), self.fetch(self.two, dataset=OTHERS))
        health = CheckHealth(registry, self.probe, self.queue_probe, self.budget, self.clock)
        self.read = ReadGauges(
            registry,
            health,
            self.probe,
            self.queue_probe,
            self.connections,
            self.history,
            self.quarantine,
            self.budget,
            self.clock,
        )


@pytest.fixture
def rig() -> GaugesRig:
    return GaugesRig()


async def test_all_gauges_exist_before_anything_has_happened(rig: GaugesRig) -> None:
    gauges = await rig.read()

    assert (gauges.database_works, gauges.queue_works) == (True, True)
    assert gauges.pools == (POOL,)
    assert gauges.jobs == dict.fromkeys(STATES, JobsGauge())
    assert [source.source for source in gauges.sources] == ["one", "two"]
    assert gauges.quarantined == {"posts": 0, "others": 0}
    assert gauges.hosts.keys() == {"one", "two"}


async def test_jobs_are_counted_by_state_with_the_age_of_the_oldest(rig: GaugesRig) -> None:
    datasets = [POSTS, *(Dataset(name=f"d{n}", record=POSTS.record, key=("id",)) for n in range(3))]
    running, deferred, *_ = [await rig.queued(dataset=dataset) for dataset in datasets]
    assert await rig.jobs.claim(running.id) is not None
    held = await rig.jobs.claim(deferred.id)
    assert held is not None
    await rig.jobs.release(held.deferred(rig.clock.now() + timedelta(hours=1)))
    rig.clock.advance(3)

    gauges = await rig.read()

    assert gauges.jobs == {
        "queued": JobsGauge(count=2, oldest_s=3.0),
        "deferred": JobsGauge(count=1, oldest_s=3.0),
        "running": JobsGauge(count=1, oldest_s=3.0),
    }


async def test_a_host_shows_its_budget_its_breaker_and_its_block(rig: GaugesRig) -> None:
    for _ in range(BREAKER_MINIMUM):
        await rig.budget.record_outcome("one", ok=False)
    await rig.budget.block("two", rig.clock.now() + timedelta(seconds=90))

    hosts = (await rig.read()).hosts

    assert hosts["one"] == HostGauge(left=0, breaker=Breaker.OPEN, blocked_s=0.0)
    assert hosts["two"] == HostGauge(left=0, breaker=Breaker.CLOSED, blocked_s=90.0)


async def test_records_in_quarantine_are_counted_by_dataset(rig: GaugesRig) -> None:
    rig.one.pages = [b'[{"id":"x"}]']
    await rig.fetch(rig.one)()

    assert (await rig.read()).quarantined == {"posts": 1, "others": 0}


async def test_without_a_database_the_other_gauges_are_there(rig: GaugesRig) -> None:
    rig.probe.failure = StoreUnavailable("the database is gone")
    rig.queue_probe.failure = QueueUnavailable("the broker is gone")

    assert await rig.read() == Gauges(database_works=False, queue_works=False, pools=(POOL,))


async def test_repeated_reads_get_the_same_values_for_a_second(rig: GaugesRig) -> None:
    first = await rig.read()
    await rig.queued()
    rig.clock.advance(0.5)
    same = await rig.read()
    rig.clock.advance(0.5)
    later = await rig.read()

    assert same is first
    assert later.jobs["queued"].count == 1


async def test_a_clock_that_is_set_back_keeps_no_old_values(rig: GaugesRig) -> None:
    first = await rig.read()
    rig.clock.advance(-3600)

    assert await rig.read() is not first


async def test_concurrent_reads_share_one_collection(rig: GaugesRig) -> None:
    class Counted(CountedHistory):
        async def unfinished(self) -> list[object]:  # type: ignore[override]
            self.reads += 1
            await asyncio.sleep(0)
            return []

    history = Counted(rig.database, rig.clock)
    rig.read._history = history

    await asyncio.gather(*(rig.read() for _ in range(10)))

    assert history.reads == 1
