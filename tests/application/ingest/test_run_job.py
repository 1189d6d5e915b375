"""RunJob: an announced job is run, and an error ends only that job."""

import asyncio
from typing import Any

from adapters.memory.jobs import MemoryJobHistory
from application.ingest.fetch import Fetch
from application.jobs.worker import RunJob
from domain.builtin.posts import Post
from domain.dataset import Dataset
from domain.errors import SourceBlocked, StoreUnavailable
from domain.events import JobDeferred, JobEnded, JobInterrupted
from domain.jobs import LEASE, FetchJob, JobStatus
from tests.application.rig import BuggySource, Rig, posts

OTHERS = Dataset(name="others", record=Post, key=("id",))


def run_job(rig: Rig, *fetches: Fetch[Any]) -> RunJob:
    """Return the use case that runs the jobs of these datasets."""
    return RunJob(rig.registry(*fetches), rig.job_backend)


async def test_a_job_is_run_and_its_end_published(rig: Rig) -> None:
    others = rig.source("others", posts(1))
    fetches = rig.fetch(rig.source("one", posts(1))), rig.fetch(others, dataset=OTHERS)
    job = await rig.queued(dataset=OTHERS)

    await run_job(rig, *fetches)(job.id)

    assert (await rig.known(job.id)).status is JobStatus.SUCCEEDED
    assert rig.events.of(JobEnded) == [JobEnded(job=await rig.known(job.id))]
    assert len(others.asked) == 1


async def test_a_deferred_job_is_published_too(rig: Rig) -> None:
    source = rig.source("one")
    source.failure = SourceBlocked("later", retry_at=rig.later(90))
    job = await rig.queued()

    await run_job(rig, rig.fetch(source))(job.id)

    assert rig.events.published == [JobDeferred(job=await rig.known(job.id))]
    assert (await rig.known(job.id)).run_at == rig.later(90)


async def test_an_announcement_that_comes_twice_runs_the_job_once(rig: Rig) -> None:
    source = rig.source("one", posts(1))
    source.takes_s = 3
    run = run_job(rig, rig.fetch(source))
    job = await rig.queued()
    first = asyncio.create_task(run(job.id))
    await rig.clock.settle()

    await run(job.id)  # while it runs
    await rig.clock.elapse(3)
    await first
    await run(job.id)  # when it has ended

    assert (len(source.asked), len(rig.events.of(JobEnded))) == (1, 1)


async def test_an_announcement_of_an_unknown_job_is_ignored(rig: Rig) -> None:
    await run_job(rig, rig.fetch(rig.source("one")))("nothing")

    assert rig.events.published == []


async def test_a_job_of_an_unknown_dataset_is_left_to_other_workers(rig: Rig) -> None:
    job = await rig.queued(dataset=OTHERS)

    await run_job(rig, rig.fetch(rig.source("one")))(job.id)

    assert await rig.known(job.id) == job
    assert rig.events.published == []


async def test_a_job_cancelled_or_taken_over_while_it_runs_is_not_published_here(rig: Rig) -> None:
    source = rig.source("one", posts(1))
    source.takes_s = 30
    job = await rig.queued()
    running = asyncio.create_task(run_job(rig, rig.fetch(source))(job.id))
    await rig.clock.elapse(1)

    await rig.jobs.cancel(job.id)
    await rig.clock.elapse(1)

    assert running.done()
    await running
    assert rig.events.published == []


async def test_of_jobs_that_have_lost_two_workers_one_runs_at_a_time(rig: Rig) -> None:
    one, other = rig.source("one", posts(1)), rig.source("others", posts(1))
    one.takes_s = other.takes_s = 3
    run = run_job(rig, rig.fetch(one), rig.fetch(other, dataset=OTHERS))
    jobs = [await rig.abandoned(times=2), await rig.abandoned(times=2, dataset=OTHERS)]
    rig.clock.advance(LEASE)

    first = asyncio.create_task(run(jobs[0].id))
    await rig.clock.settle()
    left = asyncio.create_task(run(jobs[1].id))
    await rig.clock.settle()
    attempts = [(await rig.known(job.id)).attempts for job in jobs]
    await rig.clock.elapse(3)
    await asyncio.gather(first, left)
    second = asyncio.create_task(run(jobs[1].id))
    await rig.clock.elapse(3)
    await second

    assert attempts == [3, 2]
    assert [ended.job.status for ended in rig.events.of(JobEnded)] == [JobStatus.SUCCEEDED] * 2


async def test_jobs_that_have_lost_one_worker_run_at_the_same_time(rig: Rig) -> None:
    one, other = rig.source("one", posts(1)), rig.source("others", posts(1))
    one.takes_s = other.takes_s = 3
    run = run_job(rig, rig.fetch(one), rig.fetch(other, dataset=OTHERS))
    jobs = [await rig.abandoned(), await rig.abandoned(dataset=OTHERS)]
    rig.clock.advance(LEASE)

    running = [asyncio.create_task(run(job.id)) for job in jobs]
    await rig.clock.elapse(3)
    await asyncio.gather(*running)

    assert [(await rig.known(job.id)).attempts for job in jobs] == [2, 2]


async def test_a_bug_is_published_with_the_dataset_and_ends_nothing(rig: Rig) -> None:
    job = await rig.queued()

    await run_job(rig, rig.fetch(BuggySource("buggy", Post, rig.clock, posts(1))))(job.id)

    [interrupted] = rig.events.of(JobInterrupted)
    assert (interrupted.job, interrupted.dataset) == (job.id, "posts")
    assert isinstance(interrupted.error, ZeroDivisionError)


async def test_a_store_that_cannot_be_read_is_published_and_ends_nothing(rig: Rig) -> None:
    class Away(MemoryJobHistory):
        """A history that cannot be read."""

        async def get(self, job_id: str) -> FetchJob | None:
            raise StoreUnavailable("the database is busy")

    job_backend = rig.with_job_backend(history=Away(rig.database, rig.clock))

    await RunJob(rig.registry(), job_backend)("any")

    [interrupted] = rig.events.of(JobInterrupted)
    assert (interrupted.job, interrupted.dataset) == ("any", None)
    assert isinstance(interrupted.error, StoreUnavailable)
