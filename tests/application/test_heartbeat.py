"""The heartbeat: a running fetch keeps its lease, and notices nothing but through the fence."""

import asyncio
from collections.abc import Callable
from datetime import timedelta

import pytest

from adapters.memory.jobs import MemoryJobs
from domain.errors import LeaseLost, StoreUnavailable
from domain.jobs import LEASE, FetchJob, JobStatus
from domain.reports import Outcome
from tests.application.rig import Rig, posts


class Uncertain(MemoryJobs):
    """Jobs whose renewal first does what it is told to."""

    before_renewal: Callable[[], None]

    async def renew(self, job: FetchJob) -> None:
        """Renew, or fail as told."""
        self.before_renewal()
        await super().renew(job)


async def test_a_fetch_longer_than_its_lease_is_not_taken_over(rig: Rig) -> None:
    source = rig.source("one", posts(1))
    source.takes_s = 30
    caller = asyncio.create_task(rig.fetch(source)())
    other = asyncio.create_task(rig.fetch(source)())

    await rig.clock.elapse(31)

    assert (await caller).job.attempts == 1
    assert (await other).job == (await caller).job
    assert len(source.asked) == 1


async def test_no_heart_beats_after_the_end(rig: Rig) -> None:
    jobs = Uncertain(rig.database, rig.clock)
    beats: list[None] = []
    jobs.before_renewal = lambda: beats.append(None)
    source = rig.source("one", posts(1))
    source.takes_s = 4
    caller = asyncio.create_task(rig.fetch(source, jobs=jobs)())

    await rig.clock.elapse(60)
    await caller

    assert len(beats) == 2


async def test_a_store_that_fails_for_a_beat_does_not_end_the_fetch(rig: Rig) -> None:
    jobs = Uncertain(rig.database, rig.clock)
    failures = [StoreUnavailable("busy"), StoreUnavailable("busy")]

    def fail() -> None:
        if failures:
            raise failures.pop()

    jobs.before_renewal = fail
    source = rig.source("one", posts(1))
    source.takes_s = 30
    caller = asyncio.create_task(rig.fetch(source, jobs=jobs)())
    other = asyncio.create_task(rig.fetch(source)())

    await rig.clock.elapse(31)

    assert (await caller).job.attempts == 1
    assert (await other).outcome is Outcome.CHANGED


async def test_a_worker_thought_dead_writes_nothing_more(rig: Rig) -> None:
    jobs = Uncertain(rig.database, rig.clock)
    back_at = rig.clock.now() + timedelta(seconds=10)

    def be_cut_off() -> None:
        if rig.clock.now() < back_at:
            raise StoreUnavailable("the network is gone")

    jobs.before_renewal = be_cut_off
    slow = rig.source("one", posts(1, title="late"))
    slow.takes_s = 20
    cut_off = asyncio.create_task(rig.fetch(slow, jobs=jobs)())
    await rig.clock.settle()
    quick = asyncio.create_task(rig.fetch(rig.source("one", posts(2, title="in time")))())

    await rig.clock.elapse(25)

    ended = (await quick).job
    assert (ended.attempts, ended.status) == (2, JobStatus.SUCCEEDED)
    assert await rig.jobs.get(ended.id) == ended
    assert await rig.titles() == ["in time", "in time"]
    with pytest.raises(LeaseLost):
        await cut_off


async def test_a_worker_that_finds_its_lease_lost_stops_beating(rig: Rig) -> None:
    jobs = Uncertain(rig.database, rig.clock)
    beats: list[None] = []
    jobs.before_renewal = lambda: beats.append(None)
    source = rig.source("one", posts(1))
    source.takes_s = 20
    sleeper = asyncio.create_task(rig.fetch(source, jobs=jobs)())
    await rig.clock.settle()
    [job] = rig.database.jobs.values()
    rig.database.jobs[job.id] = job.claimed(rig.clock.now() + LEASE)

    await rig.clock.elapse(25)

    assert len(beats) == 1
    with pytest.raises(LeaseLost):
        await sleeper
