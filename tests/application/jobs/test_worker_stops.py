"""A worker that stops: once told it ends what it has in hand, told twice it leaves that too."""

import pytest

from application.jobs.worker import SWEEP_S
from domain.jobs import LEASE, JobStatus
from tests.application.rig import Rig, posts
from tests.application.workers import FOUND_S, dataset, slow, status, working


@pytest.mark.parametrize("losing", [False, True], ids=["announced", "swept"])
async def test_a_worker_told_to_stop_ends_what_it_has_in_hand(rig: Rig, losing: bool) -> None:
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
async def test_a_worker_told_to_stop_begins_nothing_more(rig: Rig, losing: bool) -> None:
    fetches = [rig.fetch(slow(rig, f"s{n}", 10), dataset=dataset(n)) for n in range(3)]
    async with working(rig, *fetches, at_once=1) as worker:
        rig.queue.is_losing = losing
        await fetches[0].start()
        await fetches[1].start()  # in hand, and waiting for room
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
async def test_a_worker_told_twice_leaves_what_it_has_in_hand_to_others(
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
