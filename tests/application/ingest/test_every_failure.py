"""Whichever call of a port fails, the data stays consistent and the next run completes it."""

import asyncio
import contextlib
from datetime import timedelta
from typing import Any

import pytest

from application.ingest.fetch import Fetched
from application.jobs.list_jobs import CancelJob
from application.jobs.scheduler import Scheduler
from application.jobs.worker import RunJob, Worker
from domain.dataset import Role
from domain.errors import QueueUnavailable, StoreUnavailable
from domain.jobs import LEASE, JobStatus, Mode
from domain.politeness import Cadence
from domain.reports import Counts
from tests.application.failures import Countdown, Counted, CountedIntakes
from tests.application.reprocessing import came, fixed, many
from tests.application.rig import Rig, counts_of, ended, posts

OLD, NEW = posts(2, title="old"), posts(3, title="new")
BAD = b'[{"id": "bad"}]'
PERIOD = timedelta(seconds=60)
AFTER = pytest.mark.parametrize(
    "after", [False, True], ids=["before it is done", "after it is done"]
)


def ports(rig: Rig, countdown: Countdown) -> dict[str, Any]:
    """Return the ports of a fetch, all of them counted."""
    job_backend = rig.with_job_backend(
        jobs=Counted(rig.jobs, countdown),
        history=Counted(rig.history, countdown),
        schedules=Counted(rig.schedules, countdown),
        queue=Counted(rig.queue, countdown, QueueUnavailable),
    )
    return {
        "store": Counted(rig.store, countdown),
        "intakes": CountedIntakes(rig.intakes, countdown),
        "job_backend": job_backend,
    }


async def filled() -> Rig:
    """Return a rig whose posts are old, and due again."""
    rig = Rig()
    await rig.scheduled(PERIOD)
    await rig.fetch(rig.source("one", OLD))()
    rig.clock.advance(PERIOD)
    return rig


async def is_whole(rig: Rig) -> bool:
    """Return whether all of a fetch is stored, or nothing of it."""
    return await rig.titles() in (["old"] * 2, ["new"] * 3)


# ---------------------------------------------------------------- with a waiting caller


async def _fetch(rig: Rig, countdown: Countdown) -> Fetched | None:
    source = rig.source("one", NEW, BAD, NEW[:1])
    try:
        return await rig.fetch(source, **ports(rig, countdown))()
    except StoreUnavailable:
        return None


@AFTER
async def test_whichever_call_fails_the_next_fetch_completes_it(after: bool) -> None:
    failing, failed = 0, set()
    while True:
        failing += 1
        rig = await filled()
        countdown = Countdown(failing, after)

        fetched = await _fetch(rig, countdown)

        if countdown.left > 0:
            break
        failed.add(countdown.failed)
        assert await is_whole(rig)
        # Once its end is stored a fetch succeeds, even if the schedule is not updated.
        assert (fetched is not None) is ("Schedules" in countdown.failed)
        rig.clock.advance(60)
        caller = asyncio.create_task(rig.fetch(rig.source("one", NEW, BAD, NEW[:1]))())
        await rig.clock.elapse(LEASE * 2)
        again = await caller
        assert counts_of(again).received in (0, 5)
        assert await rig.titles() == ["new"] * 3
        assert await rig.quarantine.count("posts") == 1

    assert fetched is not None
    assert counts_of(fetched) == Counts(
        received=5, inserted=1, updated=2, duplicates=1, quarantined=1
    )
    assert {name.partition(".")[2] for name in failed} == {
        "freshness",
        "request",
        "claim",
        "keep",
        "add",
        "reject",
        "commit",
        "release",
        "current",
    }


# ---------------------------------------------------------------- reprocessing


async def _rejected() -> Rig:
    """Return a rig with a merged and a held fetch, both with records in quarantine."""
    rig = Rig()
    await rig.scheduled(PERIOD)
    await came(rig, many(good=1, bad=2), many(good=1, bad=30, first=100))
    return rig


@AFTER
@pytest.mark.parametrize("mode", [Mode.REPLAY, Mode.REBUILD])
async def test_whichever_call_fails_nothing_is_lost_and_the_next_replay_completes_it(
    after: bool, mode: Mode
) -> None:
    failing, failed = 0, set()
    while True:
        failing += 1
        rig = await _rejected()
        countdown = Countdown(failing, after)
        source = fixed(rig)
        replayed: Fetched | None = None

        with contextlib.suppress(StoreUnavailable):
            replayed = await rig.fetch(source, **ports(rig, countdown)).reprocess(Role.ADMIN, mode)

        if countdown.left > 0:
            break
        failed.add(countdown.failed)
        # In any case: each is stored or in quarantine, except the one valid record that was held.
        assert len(await rig.stored()) + await rig.quarantine.count("posts") >= 33
        again = asyncio.create_task(rig.fetch(source).reprocess(Role.ADMIN, Mode.REPLAY))
        await rig.clock.elapse(LEASE * 2)
        await again
        assert len(await rig.stored()) == 34
        assert await rig.quarantine.count("posts") == 0
        assert source.asked == []

    assert replayed is not None
    assert counts_of(replayed).inserted == (33 if mode is Mode.REPLAY else 2)
    assert {name.partition(".")[2] for name in failed} == {
        "freshness",
        "request",
        "claim",
        "add",
        "reject",
        "commit",
        "release",
    }


# ---------------------------------------------------------------- without a waiting caller


async def _work(rig: Rig, countdown: Countdown) -> tuple[list[asyncio.Task[None]], Any]:
    """Run a scheduler and a worker whose calls are counted from now on."""
    source = rig.source("one", NEW, BAD, NEW[:1])
    counted = ports(rig, countdown)
    fetch = rig.fetch(source, cadence=Cadence(every=PERIOD), **counted)
    job_backend = counted["job_backend"]
    run_job = RunJob(rig.registry(fetch), job_backend)
    keep = Scheduler(rig.registry(fetch), job_backend, rig.clock, rig.random)
    return [
        asyncio.create_task(Worker(run_job, job_backend, rig.clock)()),
        asyncio.create_task(keep()),
    ], fetch


@AFTER
async def test_whichever_call_fails_the_workers_complete_it_by_themselves(after: bool) -> None:
    failing, failed = 0, set()
    while failing < 60:
        failing += 1
        rig = await filled()
        countdown = Countdown(failing, after)
        tasks, fetch = await _work(rig, countdown)

        await rig.clock.elapse(LEASE * 3)

        failed.add(countdown.failed)
        assert not any(task.done() for task in tasks)
        assert all(job.status.is_final for job in rig.database.jobs.values())
        assert rig.database.schedules["posts"].next_run_at > rig.clock.now()
        # An interrupted fetch is a failure; the next tick, or the one after, retries it.
        if await rig.titles() != ["new"] * 3:
            assert await is_whole(rig)
            assert (await rig.store.freshness(fetch.dataset)).last_status is JobStatus.FAILED
            rig.clock.advance(PERIOD * 2)
            await rig.clock.elapse(LEASE)
        assert await rig.titles() == ["new"] * 3
        assert await rig.quarantine.count("posts") == 1
        await fetch.close()
        await ended(*tasks)

    assert {name.partition(".")[2] for name in failed} >= {
        "declare",
        "current",
        "fire",
        "announce",
        "overdue",
        "get",
        "claim",
        "keep",
        "commit",
        "release",
    }


# ---------------------------------------------------------------- during the run


@AFTER
@pytest.mark.parametrize("verb", ["renew", "cancel"])
async def test_a_heartbeat_or_a_cancellation_that_fails_can_be_repeated(
    after: bool, verb: str
) -> None:
    rig = await filled()
    source = rig.source("one", NEW)
    source.takes_s = 4
    jobs = Counted(rig.jobs, Countdown(3 if verb == "renew" else 4, after))
    job_backend = rig.with_job_backend(jobs=jobs)
    caller = asyncio.create_task(rig.fetch(source, job_backend=job_backend)())
    await rig.clock.elapse(1.6)

    if verb == "cancel":
        with pytest.raises(StoreUnavailable):
            await CancelJob(job_backend)(rig.last.id, Role.ADMIN)
        if not after:
            await CancelJob(job_backend)(rig.last.id, Role.ADMIN)
    await rig.clock.elapse(LEASE)

    status = JobStatus.CANCELLED if verb == "cancel" else JobStatus.SUCCEEDED
    assert (await caller).job.status is status
    assert await is_whole(rig)
