"""The worker: runs announced jobs and abandoned ones, a few at once."""

from typing import Any

import pytest

from adapters.memory.jobs import MemoryJobHistory
from application.ingest.fetch import Fetch
from application.jobs.worker import SWEEP_S
from domain.builtin.posts import Post
from domain.errors import SourceBlocked, StoreUnavailable
from domain.events import JobEnded, JobInterrupted, SweepFailed
from domain.jobs import LEASE, JobStatus
from tests.application.rig import BuggySource, Rig, posts
from tests.application.workers import FOUND_S, dataset, slow, status, working

# ---------------------------------------------------------------- finding jobs


async def test_an_announced_job_is_run_at_once(rig: Rig) -> None:
    fetch = rig.fetch(rig.source("one", posts(1)))
    async with working(rig, fetch) as worker:
        started = await fetch.start()
        await rig.clock.settle()

        assert await status(rig, started.job) is JobStatus.SUCCEEDED
        assert worker.statuses == [JobStatus.SUCCEEDED]


@pytest.mark.parametrize("how", ["is_losing", "is_away"])
async def test_a_job_whose_announcement_is_lost_is_found_soon(rig: Rig, how: str) -> None:
    setattr(rig.queue, how, True)
    fetch = rig.fetch(rig.source("one", posts(1)))
    async with working(rig, fetch):
        started = await fetch.start()

        await rig.clock.elapse(FOUND_S)

        assert await status(rig, started.job) is JobStatus.SUCCEEDED


async def test_a_new_job_is_left_to_its_announcement(rig: Rig) -> None:
    rig.queue.is_losing = True
    async with working(rig, rig.fetch(rig.source("one", posts(1)))):
        await rig.clock.elapse(SWEEP_S - 0.1)
        job = await rig.queued()

        await rig.clock.elapse(0.2)
        early = await status(rig, job)
        await rig.clock.elapse(SWEEP_S)

        assert (early, await status(rig, job)) == (JobStatus.QUEUED, JobStatus.SUCCEEDED)


async def test_a_job_whose_worker_died_is_taken_over_when_its_lease_has_expired(rig: Rig) -> None:
    source = rig.source("one", posts(1))
    job = await rig.abandoned()
    async with working(rig, rig.fetch(source)):
        await rig.clock.elapse(LEASE.total_seconds() - 0.1)
        early = len(source.asked)

        await rig.clock.elapse(SWEEP_S)

        assert (early, len(source.asked)) == (0, 1)
        assert (await rig.known(job.id)).attempts == 2


async def test_a_deferred_job_is_run_at_its_time(rig: Rig) -> None:
    source = rig.source("one", posts(1))
    source.failure = SourceBlocked("later", retry_at=rig.later(90))
    fetch = rig.fetch(source)
    async with working(rig, fetch) as worker:
        started = await fetch.start()
        await rig.clock.elapse(1)
        source.failure = None

        await rig.clock.elapse(88.9)
        early = len(source.asked)
        await rig.clock.elapse(1.1)

        assert (early, len(source.asked)) == (1, 2)
        assert await status(rig, started.job) is JobStatus.SUCCEEDED
        assert worker.statuses == [JobStatus.QUEUED, JobStatus.SUCCEEDED]


async def test_a_long_job_is_not_swept(rig: Rig) -> None:
    source = slow(rig, takes_s=30)
    fetch = rig.fetch(source)
    async with working(rig, fetch), working(rig, rig.fetch(source)):
        started = await fetch.start()

        await rig.clock.elapse(31)

        assert (await rig.known(started.job.id)).attempts == 1
        assert len(source.asked) == 1


async def test_many_workers_run_each_job_once(rig: Rig) -> None:
    rig.queue.is_losing = True
    sources = [rig.source(f"s{n}", posts(1)) for n in range(5)]

    def fetches() -> list[Fetch[Any]]:
        return [rig.fetch(s, dataset=dataset(n)) for n, s in enumerate(sources)]

    async with working(rig, *fetches()), working(rig, *fetches()), working(rig, *fetches()):
        for fetch in fetches():
            await fetch.start()

        await rig.clock.elapse(FOUND_S)

        assert {job.status for job in rig.database.jobs.values()} == {JobStatus.SUCCEEDED}
        assert [len(source.asked) for source in sources] == [1] * 5


async def test_a_job_of_an_unknown_dataset_waits_for_a_worker_that_knows_it(rig: Rig) -> None:
    job = await rig.queued(dataset=dataset(1))
    async with working(rig, rig.fetch(rig.source("one"))) as worker:
        await rig.clock.elapse(10)

        assert await rig.known(job.id) == job
        assert worker.events == []
        async with working(rig, rig.fetch(rig.source("two"), dataset=dataset(1))):
            await rig.clock.elapse(SWEEP_S)
            assert (await rig.known(job.id)).status.is_final


# ---------------------------------------------------------------- several at once


@pytest.mark.parametrize("losing", [False, True], ids=["announced", "swept"])
async def test_announced_and_swept_jobs_run_within_one_limit(rig: Rig, losing: bool) -> None:
    rig.queue.is_losing = losing
    sources = [slow(rig, f"s{n}", takes_s=10) for n in range(5)]
    fetches = [rig.fetch(s, dataset=dataset(n)) for n, s in enumerate(sources)]
    async with working(rig, *fetches, at_once=2):
        for fetch in fetches:
            await fetch.start()

        busiest = 0
        for _ in range(40):
            await rig.clock.elapse(1)
            running = [j for j in rig.database.jobs.values() if j.status is JobStatus.RUNNING]
            busiest = max(busiest, len(running))

        assert busiest == 2
        assert [len(source.asked) for source in sources] == [1] * 5


async def test_announced_and_swept_jobs_share_the_same_slots(rig: Rig) -> None:
    sources = [slow(rig, f"s{n}", takes_s=10) for n in range(2)]
    fetches = [rig.fetch(s, dataset=dataset(n)) for n, s in enumerate(sources)]
    async with working(rig, *fetches, at_once=1):
        await rig.queued(dataset=dataset(0))  # it is not announced
        await rig.clock.elapse(FOUND_S)
        announced = await fetches[1].start()

        await rig.clock.elapse(5)
        early = await status(rig, announced.job)
        await rig.clock.elapse(5)

        assert (early, await status(rig, announced.job)) == (JobStatus.QUEUED, JobStatus.RUNNING)


async def test_a_job_that_was_found_and_waits_for_a_slot_is_found_only_once(rig: Rig) -> None:
    sources = [slow(rig, f"s{n}", takes_s=10) for n in range(3)]
    fetches = [rig.fetch(s, dataset=dataset(n)) for n, s in enumerate(sources)]
    async with working(rig, *fetches, at_once=2) as worker:
        await fetches[0].start()
        await fetches[1].start()
        await rig.queued(dataset=dataset(2))  # it is not announced

        await rig.clock.elapse(9)
        early = len(sources[2].asked)
        await rig.clock.elapse(12)

        assert (early, len(sources[2].asked)) == (0, 1)
        assert worker.statuses == [JobStatus.SUCCEEDED] * 3


# ---------------------------------------------------------------- errors


async def test_an_error_in_one_job_is_published_and_ends_no_other(rig: Rig) -> None:
    buggy = rig.fetch(BuggySource("buggy", Post, rig.clock, posts(1)), dataset=dataset(1))
    good = rig.fetch(rig.source("one", posts(1)))
    async with working(rig, buggy, good) as worker:
        await buggy.start()
        started = await good.start()
        await rig.clock.elapse(FOUND_S)

        assert await status(rig, started.job) is JobStatus.SUCCEEDED
        assert not worker.task.done()
        ends = {type(event): event for event in worker.events}
        assert list(ends) == [JobInterrupted, JobEnded]
        assert ends[JobInterrupted].dataset == "d1"
        assert isinstance(ends[JobInterrupted].error, ZeroDivisionError)
        assert ends[JobEnded].job == await rig.known(started.job.id)


class Failing(MemoryJobHistory):
    """A history that cannot be swept while it is down."""

    is_down = True

    async def overdue(self, limit: int) -> list[str]:
        """Sweep, unless down."""
        if self.is_down:
            raise StoreUnavailable("the database is busy")
        return await super().overdue(limit)


async def test_a_sweep_that_fails_is_repeated(rig: Rig) -> None:
    history = Failing(rig.database, rig.clock)
    job = await rig.queued()
    async with working(rig, rig.fetch(rig.source("one", posts(1))), history=history) as worker:
        await rig.clock.elapse(10)
        early, said = await status(rig, job), list(worker.events)
        history.is_down = False
        await rig.clock.elapse(SWEEP_S)

        assert (early, await status(rig, job)) == (JobStatus.QUEUED, JobStatus.SUCCEEDED)
        assert [type(event) for event in said] == [SweepFailed], "once, not every second"
        assert not worker.task.done()
