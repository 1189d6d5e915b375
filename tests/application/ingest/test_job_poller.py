"""Looking at jobs: once at a time for all who wait, and never without waiting."""

import asyncio

import pytest

from application.ingest.fetch import LOOK_S, JobPoller
from domain.errors import UnknownJob
from tests.application.rig import Rig


async def test_each_look_comes_a_moment_after_the_one_before(rig: Rig) -> None:
    job, watch = await rig.queued(), JobPoller(rig.history, rig.clock)
    began, seen = rig.clock.now(), []

    async def wait() -> None:
        for _ in range(3):
            await watch.later(job.id)
            seen.append(round((rig.clock.now() - began).total_seconds() / LOOK_S))

    waiting = [asyncio.create_task(wait()) for _ in range(5)]
    await rig.clock.elapse(LOOK_S * 4)
    await asyncio.gather(*waiting)

    assert sorted(seen) == [1] * 5 + [2] * 5 + [3] * 5
    assert rig.looks == 3


async def test_all_who_wait_hear_that_a_job_is_gone(rig: Rig) -> None:
    watch = JobPoller(rig.history, rig.clock)
    waiting = [asyncio.create_task(watch.later("nothing")) for _ in range(2)]

    await rig.clock.elapse(LOOK_S)

    for each in waiting:
        with pytest.raises(UnknownJob):
            await each


async def test_a_look_goes_on_when_one_of_those_who_wait_leaves(rig: Rig) -> None:
    job, watch = await rig.queued(), JobPoller(rig.history, rig.clock)
    leaving, staying = (asyncio.create_task(watch.later(job.id)) for _ in range(2))
    await rig.clock.settle()

    leaving.cancel()
    await rig.clock.elapse(LOOK_S)

    assert await staying == job
