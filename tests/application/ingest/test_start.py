"""Starting a fetch in the background: stored once, announced once, and awaited on demand."""

import asyncio
from typing import Any

import pytest

from domain.builtin.posts import POSTS, Post
from domain.dataset import Dataset, Role
from domain.errors import (
    Forbidden,
    LoginRequired,
    NoSources,
    UnknownJob,
)
from domain.jobs import JobStatus, Mode
from domain.reports import Outcome
from tests.application.rig import Rig, ended, posts

LOCKED = Dataset(name="locked", record=Post, key=("id",), fetch_by=Role.USER)


async def test_a_job_is_stored_and_announced_once(rig: Rig) -> None:
    source = rig.source("one", posts(1))

    started = await rig.fetch(source).start()

    assert started.outcome is None
    assert started.job == await rig.known(started.job.id)
    assert (started.job.status, started.job.mode) == (JobStatus.QUEUED, Mode.TASK)
    assert (started.job.queued_at, started.job.force) == (rig.clock.now(), False)
    assert started.freshness == await rig.store.freshness(POSTS)
    assert rig.queue.announced == [started.job.id]
    assert source.asked == []


async def test_a_job_is_stored_before_it_is_announced(rig: Rig) -> None:
    heard: list[JobStatus] = []

    class Announcing(type(rig.queue)):  # type: ignore[misc]
        """A queue that reads up the jobs it announces."""

        async def announce(self, job_id: str) -> None:
            heard.append((await rig.known(job_id)).status)

    await rig.fetch(
        rig.source("one"), job_backend=rig.with_job_backend(queue=Announcing(rig.events))
    ).start()

    assert heard == [JobStatus.QUEUED]


async def test_a_broker_that_is_away_is_no_error(rig: Rig) -> None:
    rig.queue.is_away = True

    started = await rig.fetch(rig.source("one", posts(1))).start()

    assert await rig.known(started.job.id) == started.job


async def test_a_schedule_or_an_administrator_starts_a_job_of_its_kind(rig: Rig) -> None:
    fetch = rig.fetch(rig.source("one", posts(1)))
    await fetch()

    started = await fetch.start(Role.ADMIN, force=True, mode=Mode.SCHEDULE)

    assert (started.job.mode, started.job.force) == (Mode.SCHEDULE, True)


# ---------------------------------------------------------------- joining


async def test_a_job_that_waits_is_joined_and_not_announced_again(rig: Rig) -> None:
    here, elsewhere = rig.fetch(rig.source("one")), rig.fetch(rig.source("one"))
    first = await here.start()
    rig.clock.advance(1)

    joined = [await here.start(), await elsewhere.start()]

    assert [one.job for one in joined] == [first.job] * 2
    assert rig.queue.announced == [first.job.id]


async def test_a_job_that_runs_is_joined(rig: Rig) -> None:
    source = rig.source("one", posts(1))
    source.takes_s = 3
    here, elsewhere = rig.fetch(source), rig.fetch(source)
    caller = asyncio.create_task(here())
    await rig.clock.settle()

    joined = [await here.start(), await elsewhere.start()]

    assert {one.job.status for one in joined} == {JobStatus.RUNNING}
    assert {one.job.id for one in joined} == {rig.last.id}
    assert (rig.queue.announced, len(rig.database.jobs)) == ([], 1)
    await rig.clock.elapse(3)
    assert (await caller).job.id == rig.last.id


async def test_fresh_data_is_not_fetched_in_either_mode(rig: Rig) -> None:
    source = rig.source("one", posts(1))
    fetch = rig.fetch(source)
    first = await fetch()
    rig.clock.advance(59.999)

    answers = [await fetch(), await fetch.start()]

    assert {one.outcome for one in answers} == {Outcome.FRESH}
    assert [one.job for one in answers] == [first.job] * 2
    assert (len(source.asked), len(rig.database.jobs), rig.queue.announced) == (1, 1, [])


async def test_a_sync_caller_runs_a_queued_task_and_its_worker_finds_nothing_to_do(
    rig: Rig,
) -> None:
    source = rig.source("one", posts(1))
    caller, worker = rig.fetch(source), rig.fetch(source)
    started = await worker.start()

    fetched = await caller()

    assert (fetched.job.id, fetched.outcome) == (started.job.id, Outcome.CHANGED)
    assert await worker.run(started.job.id) is None
    assert len(source.asked) == 1


# ---------------------------------------------------------------- identifiers


async def test_a_given_identifier_is_that_of_the_job(rig: Rig) -> None:
    fetch = rig.fetch(rig.source("one", posts(1)))

    assert (await fetch.start(job_id="mine")).job.id == "mine"
    await fetch()
    assert (await fetch(Role.ADMIN, force=True, job_id="ours")).job.id == "ours"


async def test_the_same_identifier_twice_makes_one_job(rig: Rig) -> None:
    source = rig.source("one", posts(1))
    fetch = rig.fetch(source)
    first = await fetch.start(job_id="mine")
    rig.clock.advance(1)

    again = await fetch.start(job_id="mine")
    await fetch(job_id="mine")
    rig.clock.advance(60)
    later = [await fetch.start(job_id="mine"), await fetch(job_id="mine")]

    assert again.job == first.job
    assert {(one.job.id, one.job.status) for one in later} == {("mine", JobStatus.SUCCEEDED)}
    assert {one.outcome for one in later} == {Outcome.CHANGED}
    assert (len(rig.database.jobs), len(source.asked)) == (1, 1)
    assert rig.queue.announced == ["mine"]


async def test_a_forced_job_of_the_same_identifier_is_found_again(rig: Rig) -> None:
    source = rig.source("one", posts(1))
    fetch = rig.fetch(source)
    first = await fetch(Role.ADMIN, force=True, job_id="mine")

    again = await fetch(Role.ADMIN, force=True, job_id="mine")

    assert again.job == first.job
    assert len(source.asked) == 1


# ---------------------------------------------------------------- access


@pytest.mark.parametrize(
    ("viewer", "force", "error"),
    [
        (Role.ANYONE, False, LoginRequired),
        (Role.ANYONE, True, LoginRequired),
        (Role.USER, True, Forbidden),
    ],
)
async def test_a_caller_who_may_not_fetch_may_not_start_a_job_either(
    rig: Rig, viewer: Role, force: bool, error: type[Exception]
) -> None:
    fetch = rig.fetch(rig.source("one"), dataset=LOCKED)

    with pytest.raises(error):
        await fetch.start(viewer, force)

    assert (rig.database.jobs, rig.queue.announced) == ({}, [])


async def test_without_sources_nothing_is_started(rig: Rig) -> None:
    with pytest.raises(NoSources):
        await rig.fetch().start()


# ---------------------------------------------------------------- waiting


async def waited_for(rig: Rig, takes_s: float) -> list[asyncio.Task[Any]]:
    """Wait five seconds for a job whose worker takes so long."""
    source = rig.source("one", posts(1))
    source.takes_s = takes_s
    fetch = rig.fetch(source)
    job = (await fetch.start()).job
    return [asyncio.create_task(fetch.wait(job.id, 5)), asyncio.create_task(fetch.run(job.id))]


async def test_a_waiting_caller_gets_the_ended_job(rig: Rig) -> None:
    waiting, running = await waited_for(rig, takes_s=3)

    await rig.clock.elapse(2.9)
    early = waiting.done()
    await rig.clock.elapse(0.3)

    assert not early
    assert waiting.done()
    fetched = await waiting
    assert (fetched.job, fetched.outcome) == (await running, Outcome.CHANGED)
    assert fetched.freshness == await rig.store.freshness(POSTS)


async def test_after_the_timeout_a_waiting_caller_gets_the_job_as_it_is(rig: Rig) -> None:
    waiting, running = await waited_for(rig, takes_s=30)

    await rig.clock.elapse(4.999)
    early = waiting.done()
    await rig.clock.elapse(0.001)

    assert not early
    assert waiting.done()
    fetched = await waiting
    assert (fetched.job, fetched.outcome) == (rig.last, None)
    assert fetched.job.status is JobStatus.RUNNING
    await ended(running)


async def test_a_job_that_has_ended_is_not_waited_for(rig: Rig) -> None:
    fetch = rig.fetch(rig.source("one", posts(1)))
    job = (await fetch()).job

    assert (await fetch.wait(job.id, 60)).job == job


async def test_a_caller_need_not_wait(rig: Rig) -> None:
    fetch = rig.fetch(rig.source("one", posts(1)))
    job = (await fetch.start()).job

    assert (await fetch.wait(job.id, 0)).job == job


async def test_an_unknown_job_cannot_be_waited_for(rig: Rig) -> None:
    with pytest.raises(UnknownJob):
        await rig.fetch(rig.source("one")).wait("nothing", 1)


async def test_all_callers_that_wait_for_a_job_share_its_checks(rig: Rig) -> None:
    fetch = rig.fetch(rig.source("one", posts(1)))
    job = (await fetch.start()).job
    waiting = [asyncio.create_task(fetch.wait(job.id, 10)) for _ in range(50)]
    await rig.clock.settle()
    before = rig.reads

    await rig.clock.elapse(1)

    assert rig.reads - before <= 6
    await rig.clock.elapse(10)
    await asyncio.gather(*waiting)


@pytest.mark.parametrize("waits", [True, False])
async def test_a_repeated_request_finds_its_own_job_though_all_is_fresh_since(
    rig: Rig, waits: bool
) -> None:
    fetch = rig.fetch(rig.source("one", posts(1)))
    mine = rig.random.identifier()
    first = await fetch(job_id=mine)

    again = await (fetch(job_id=mine) if waits else fetch.start(job_id=mine))
    other = await fetch(job_id=rig.random.identifier())

    assert (again.job, again.outcome) == (first.job, Outcome.CHANGED)
    assert other.outcome is Outcome.FRESH
