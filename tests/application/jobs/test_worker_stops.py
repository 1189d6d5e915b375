"""A stopping worker: it finishes its running jobs, unless it is cancelled a second time."""

import pytest

from application.jobs.worker import SWEEP_S
from domain.jobs import LEASE, JobStatus
from tests.application.rig import Rig, posts
from tests.application.workers import FOUND_S, dataset, slow, status, working


@pytest.mark.parametrize("losing", [False, True], ids=["announced", "swept"])
async def test_a_stopping_worker_finishes_its_running_jobs(rig: Rig, losing: bool) -> None:
    rig.queue.is_losing = losing
    fetch = rig.fetch(slow(rig, takes_s=10))
    async with working(rig, fetch) as worker:
        started = await fetch.start()
        await rig.clock.elapse(FOUND_S)

        worker.task.cancel()
        await rig.clock.elapse(7)
        early = worker.task.done()
        await rig.clock.elapse(3)

        assert (early, worker.task.cancelled()) == (False, True)
        assert await status(rig, started.job) is JobStatus.SUCCEEDED
        assert worker.statuses == [JobStatus.SUCCEEDED]


@pytest.mark.parametrize("losing", [False, True], ids=["announced", "swept"])
async def test_a_stopping_worker_starts_no_more_jobs(rig: Rig, losing: bool) -> None:
    fetches = [rig.fetch(slow(rig, f"s{n}", 10), dataset=dataset(n)) for n in range(3)]
    async with working(rig, *fetches, at_once=1) as worker:
        rig.queue.is_losing = losing
        await fetches[0].start()
        await fetches[1].start()  # running, and waiting for a slot
        await rig.clock.elapse(FOUND_S)
        worker.task.cancel()
        await rig.clock.settle()
        await fetches[2].start()

        await rig.clock.elapse(60)

        assert worker.task.cancelled()
        left = [job.status for job in rig.database.jobs.values()]
        assert left == [JobStatus.SUCCEEDED, JobStatus.QUEUED, JobStatus.QUEUED]
    async with working(rig, *fetches):
        await rig.clock.elapse(FOUND_S + 10)
        assert {job.status for job in rig.database.jobs.values()} == {JobStatus.SUCCEEDED}


@pytest.mark.parametrize("losing", [False, True], ids=["announced", "swept"])
async def test_a_worker_cancelled_twice_leaves_its_running_jobs_to_others(
    rig: Rig, losing: bool
) -> None:
    rig.queue.is_losing = losing
    fetch = rig.fetch(slow(rig, takes_s=60))
    async with working(rig, fetch) as worker:
        started = await fetch.start()
        await rig.clock.elapse(FOUND_S)
        worker.task.cancel()
        await rig.clock.elapse(1)

        worker.task.cancel()
        await rig.clock.settle()

        assert worker.task.cancelled()
        await fetch.close()
        async with working(rig, rig.fetch(rig.source("one", posts(1)))):
            await rig.clock.elapse(LEASE.total_seconds() + SWEEP_S)
            assert (await rig.known(started.job.id)).attempts == 2
            assert await status(rig, started.job) is JobStatus.SUCCEEDED


async def test_an_idle_worker_stops_at_once(rig: Rig) -> None:
    async with working(rig, rig.fetch(rig.source("one"))) as worker:
        worker.task.cancel()
        await rig.clock.settle()

        assert worker.task.cancelled()
