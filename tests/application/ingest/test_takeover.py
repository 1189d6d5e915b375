"""Takeover: a waiting caller survives the worker of its job, and a stopping worker leaves it."""

import asyncio
from datetime import timedelta

import pytest

from adapters.memory.jobs import MemoryJobs
from application.ingest.sync_source import SourceSync
from domain.builtin.posts import POSTS
from domain.errors import UnknownJob
from domain.jobs import MAX_ATTEMPTS, FetchJob, JobStatus
from domain.reports import FetchReport, Outcome
from tests.application.rig import Rig, posts


async def test_an_abandoned_job_is_taken_over_when_its_lease_expires(
    rig: Rig,
) -> None:
    source = rig.source("one", posts(1))
    abandoned = await rig.abandoned()
    caller = asyncio.create_task(rig.fetch(source)())

    await rig.clock.elapse(4.9)
    asked_early = len(source.asked)
    await rig.clock.elapse(1)
    fetched = await caller

    assert asked_early == 0
    assert fetched.job.id == abandoned.id
    assert fetched.job.attempts == 2
    assert fetched.outcome is Outcome.CHANGED


async def test_a_fetch_that_is_closed_leaves_its_job_to_others(rig: Rig) -> None:
    source = rig.source("one", posts(1))
    source.takes_s = 60
    closing = rig.fetch(source)
    caller = asyncio.create_task(closing())
    await rig.clock.elapse(3)

    await closing.close()
    source.takes_s = 0
    other = asyncio.create_task(rig.fetch(source)())
    await rig.clock.elapse(6)

    assert caller.cancelled() or caller.done()
    assert (await other).job.attempts == 2
    assert len(await rig.stored()) == 1


async def test_closing_an_idle_fetch_does_nothing(rig: Rig) -> None:
    await rig.fetch(rig.source("one")).close()


async def test_draining_waits_for_the_fetch_that_runs(rig: Rig) -> None:
    source = rig.source("one", posts(1))
    source.takes_s = 3
    fetch = rig.fetch(source)
    await fetch.drain()  # nothing runs yet
    caller = asyncio.create_task(fetch())
    await rig.clock.settle()
    draining = asyncio.create_task(fetch.drain())

    await rig.clock.elapse(2)
    early = draining.done()
    await rig.clock.elapse(2)

    assert not early
    assert draining.done()
    assert (await caller).outcome is Outcome.CHANGED


async def test_callers_that_wait_for_a_job_elsewhere_are_drained_too(rig: Rig) -> None:
    elsewhere = await rig.abandoned()
    fetch = rig.fetch(rig.source("one", posts(1)))
    caller = asyncio.create_task(fetch())
    await rig.clock.settle()
    draining = asyncio.create_task(fetch.drain())

    await rig.clock.elapse(1)
    early = draining.done()
    await rig.jobs.release(elsewhere.ended(JobStatus.SUCCEEDED, FetchReport(), rig.clock.now()))
    await rig.clock.elapse(1)

    assert (early, draining.done(), caller.done()) == (False, True, True)


async def test_callers_that_wait_for_a_job_elsewhere_are_refused_on_close(rig: Rig) -> None:
    elsewhere = await rig.abandoned()
    fetch = rig.fetch(rig.source("one", posts(1)))
    caller = asyncio.create_task(fetch())
    await rig.clock.settle()

    await fetch.close()
    await rig.clock.settle()

    assert caller.cancelled()
    assert await rig.known(elsewhere.id) == elsewhere


class Snatching(MemoryJobs):
    """Jobs that another worker claims just before."""

    async def claim(self, job_id: str) -> FetchJob | None:
        """Claim the job for another worker first."""
        await super().claim(job_id)
        return await super().claim(job_id)


async def test_a_job_that_another_worker_claims_first_is_waited_for(rig: Rig) -> None:
    source = rig.source("one", posts(1))
    late = rig.fetch(
        source, job_backend=rig.with_job_backend(jobs=Snatching(rig.database, rig.clock))
    )
    caller = asyncio.create_task(late())
    await rig.clock.elapse(1)
    [job] = rig.database.jobs.values()

    await rig.jobs.release(job.ended(JobStatus.SUCCEEDED, FetchReport(), rig.clock.now()))
    await rig.clock.elapse(1)

    assert (await caller).job.id == job.id
    assert source.asked == []


async def test_after_a_job_was_given_up_the_next_fetch_starts_a_new_one(rig: Rig) -> None:
    await rig.abandoned(times=MAX_ATTEMPTS)
    fetch = rig.fetch(rig.source("one", posts(1)))
    caller = asyncio.create_task(fetch())
    await rig.clock.elapse(6)
    await caller

    assert (await fetch()).outcome is Outcome.CHANGED


async def test_after_a_worker_was_killed_after_the_merge_only_the_end_is_stored(rig: Rig) -> None:
    source = rig.source("one", posts(1))
    job = await rig.abandoned()
    fetch = rig.fetch(source)
    await SourceSync(POSTS, source, rig.intakes, rig.clock, rig.events, rig.tracer)(
        job, None, rig.clock.now() + timedelta(seconds=60)
    )
    caller = asyncio.create_task(fetch())

    await rig.clock.elapse(6)
    fetched = await caller

    assert fetched.job.id == job.id
    assert fetched.job.status is JobStatus.SUCCEEDED
    assert len(source.asked) == 1
    assert len(await rig.stored()) == 1


async def test_a_caller_that_waits_for_a_job_that_disappears_gets_an_error(rig: Rig) -> None:
    await rig.abandoned()
    caller = asyncio.create_task(rig.fetch(rig.source("one", posts(1)))())
    await rig.clock.settle()

    rig.database.jobs.clear()
    await rig.clock.elapse(1)

    with pytest.raises(UnknownJob, match="any more"):
        await caller
