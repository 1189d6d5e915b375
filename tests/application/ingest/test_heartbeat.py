"""The heartbeat: a running fetch renews its lease, and stops when it has lost it."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from adapters.memory.jobs import MemoryJobs, MemorySchedules
from domain.builtin.posts import Post
from domain.errors import LeaseLost, StoreUnavailable
from domain.jobs import HEARTBEAT_S, LEASE, FetchJob, JobStatus
from domain.reports import Outcome
from domain.schedules import Schedule
from tests.application.rig import BuggySource, Rig, posts


class Uncertain(MemoryJobs):
    """Jobs whose renewal first runs a given function."""

    before_renewal: Callable[[], None]

    async def renew(self, job: FetchJob) -> None:
        """Renew the lease, after the given function."""
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


async def test_the_heartbeat_stops_at_the_end(rig: Rig) -> None:
    jobs = Uncertain(rig.database, rig.clock)
    beats: list[None] = []
    jobs.before_renewal = lambda: beats.append(None)
    source = rig.source("one", posts(1))
    source.takes_s = 4
    caller = asyncio.create_task(rig.fetch(source, job_backend=rig.with_job_backend(jobs=jobs))())

    await rig.clock.elapse(60)
    await caller

    assert len(beats) == 2


async def test_a_store_that_fails_once_does_not_end_the_fetch(rig: Rig) -> None:
    jobs = Uncertain(rig.database, rig.clock)
    failures = [StoreUnavailable("busy"), StoreUnavailable("busy")]

    def fail() -> None:
        if failures:
            raise failures.pop()

    jobs.before_renewal = fail
    source = rig.source("one", posts(1))
    source.takes_s = 30
    caller = asyncio.create_task(rig.fetch(source, job_backend=rig.with_job_backend(jobs=jobs))())
    other = asyncio.create_task(rig.fetch(source)())

    await rig.clock.elapse(31)

    assert (await caller).job.attempts == 1
    assert (await other).outcome is Outcome.CHANGED


async def test_a_worker_that_lost_its_lease_writes_nothing_more(rig: Rig) -> None:
    jobs = Uncertain(rig.database, rig.clock)
    back_at = rig.clock.now() + timedelta(seconds=10)

    def be_cut_off() -> None:
        if rig.clock.now() < back_at:
            raise StoreUnavailable("the network is gone")

    jobs.before_renewal = be_cut_off
    slow = rig.source("one", posts(1, title="late"))
    slow.takes_s = 20
    cut_off = asyncio.create_task(rig.fetch(slow, job_backend=rig.with_job_backend(jobs=jobs))())
    await rig.clock.settle()
    quick = asyncio.create_task(rig.fetch(rig.source("one", posts(2, title="in time")))())

    await rig.clock.elapse(25)

    ended = (await quick).job
    assert (ended.attempts, ended.status) == (2, JobStatus.SUCCEEDED)
    assert await rig.known(ended.id) == ended
    assert await rig.titles() == ["in time", "in time"]
    assert (await cut_off).job == ended, "the waiting caller gets the successor's end"


# ---------------------------------------------------------------- when the lease is lost


async def test_a_worker_that_loses_its_lease_stops_at_the_next_heartbeat(rig: Rig) -> None:
    jobs = Uncertain(rig.database, rig.clock)
    beats: list[None] = []
    jobs.before_renewal = lambda: beats.append(None)
    source = rig.source("one", posts(1), posts(1))
    source.takes_s = 2 * HEARTBEAT_S
    fetch = rig.fetch(source, job_backend=rig.with_job_backend(jobs=jobs))
    job = await rig.queued()
    sleeper = asyncio.create_task(fetch.run(job.id))
    await rig.clock.settle()
    rig.database.jobs[job.id] = successor = rig.last.claimed(rig.clock.now() + LEASE)

    await rig.clock.elapse(HEARTBEAT_S)

    assert sleeper.done()
    with pytest.raises(LeaseLost):
        await sleeper
    await rig.clock.elapse(25)
    assert len(beats) == 1
    assert source.asked[0].traffic.requests == 0, "what comes after the beat is not asked for"
    assert rig.database.bodies == {}
    assert await rig.stored() == []
    assert await rig.known(job.id) == successor


async def test_a_job_cancelled_while_it_runs_ends_at_the_next_heartbeat(rig: Rig) -> None:
    source = rig.source("one", posts(1))
    source.takes_s = 30
    fetch = rig.fetch(source)
    running = asyncio.create_task(fetch.run((await rig.queued()).id))
    waiting = asyncio.create_task(fetch())
    await rig.clock.elapse(4)

    cancelled = await rig.jobs.cancel(rig.last.id)
    await rig.clock.elapse(HEARTBEAT_S)

    with pytest.raises(LeaseLost):
        await running
    fetched = await waiting
    assert (fetched.job, fetched.outcome) == (cancelled, None)
    assert fetched.job.status is JobStatus.CANCELLED
    assert await rig.stored() == []


async def test_after_a_cancelled_job_the_next_one_runs(rig: Rig) -> None:
    source = rig.source("one", posts(1))
    source.takes_s = 30
    fetch = rig.fetch(source)
    caller = asyncio.create_task(fetch())
    await rig.clock.elapse(4)
    await rig.jobs.cancel(rig.last.id)
    await rig.clock.elapse(2)
    await caller
    source.takes_s = 0

    assert (await fetch()).outcome is Outcome.CHANGED


async def test_a_heartbeat_that_fails_ends_the_run_with_its_reason(rig: Rig) -> None:
    jobs = Uncertain(rig.database, rig.clock)

    def break_down() -> None:
        raise ZeroDivisionError

    jobs.before_renewal = break_down
    source = rig.source("one", posts(1))
    source.takes_s = 30
    caller = asyncio.create_task(rig.fetch(source, job_backend=rig.with_job_backend(jobs=jobs))())

    await rig.clock.elapse(2)

    with pytest.raises(ZeroDivisionError):
        await caller
    assert await rig.stored() == []


# ---------------------------------------------------------------- at the end


class Slow(MemorySchedules):
    """Slow schedules."""

    async def current(self) -> tuple[datetime, list[Schedule]]:
        """Return the schedules after several heartbeats."""
        await self._clock.sleep(4 * HEARTBEAT_S)
        return await super().current()


async def test_a_late_heartbeat_does_not_turn_a_success_into_a_lost_lease(rig: Rig) -> None:
    schedule = await rig.scheduled()
    source = rig.source("one", posts(1))
    source.fresh_until = rig.later(7200)
    job_backend = rig.with_job_backend(schedules=Slow(rig.database, rig.clock))
    fetch = rig.fetch(source, job_backend=job_backend)
    running = asyncio.create_task(fetch.run((await rig.queued()).id))

    await rig.clock.elapse(5 * HEARTBEAT_S)

    ended = await running
    assert ended is not None
    assert ended.status is JobStatus.SUCCEEDED
    assert rig.database.schedules["posts"].next_run_at > schedule.next_run_at


async def test_a_late_heartbeat_does_not_hide_an_error(rig: Rig) -> None:
    await rig.scheduled()
    job_backend = rig.with_job_backend(schedules=Slow(rig.database, rig.clock))
    fetch = rig.fetch(BuggySource("buggy", Post, rig.clock, posts(1)), job_backend=job_backend)
    running = asyncio.create_task(fetch.run((await rig.queued()).id))

    await rig.clock.elapse(5 * HEARTBEAT_S)

    with pytest.raises(ZeroDivisionError):
        await running
