"""JobPoller: one shared check of a job for all waiting callers, never without a pause."""

import asyncio

import pytest

from application.ingest.fetch import CHECK_S, JobPoller
from domain.errors import UnknownJob
from tests.application.rig import Rig


async def test_there_is_a_pause_between_two_checks(rig: Rig) -> None:
    job, watch = await rig.queued(), JobPoller(rig.history, rig.clock)
    began, seen = rig.clock.now(), []

    async def wait() -> None:
        for _ in range(3):
            await watch.later(job.id)
            seen.append(round((rig.clock.now() - began).total_seconds() / CHECK_S))

    waiting = [asyncio.create_task(wait()) for _ in range(5)]
    await rig.clock.elapse(CHECK_S * 4)
    await asyncio.gather(*waiting)

    assert sorted(seen) == [1] * 5 + [2] * 5 + [3] * 5
    assert rig.reads == 3


async def test_all_waiting_callers_learn_that_a_job_has_disappeared(rig: Rig) -> None:
    watch = JobPoller(rig.history, rig.clock)
    waiting = [asyncio.create_task(watch.later("nothing")) for _ in range(2)]

    await rig.clock.elapse(CHECK_S)

    for each in waiting:
        with pytest.raises(UnknownJob):
            await each


async def test_a_check_continues_when_one_waiting_caller_leaves(rig: Rig) -> None:
    job, watch = await rig.queued(), JobPoller(rig.history, rig.clock)
    leaving, staying = (asyncio.create_task(watch.later(job.id)) for _ in range(2))
    await rig.clock.settle()

    leaving.cancel()
    await rig.clock.elapse(CHECK_S)

    assert await staying == job
