"""One job of a dataset at a time: fetches and replays wait for each other, or are refused."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from adapters.memory.ingest import MemorySource
from application.ingest.fetch import Fetched
from application.ingest.sync_source import SourceSync
from domain.builtin.posts import POSTS
from domain.dataset import Role
from domain.errors import DatasetBusy, LeaseLost, SourceBlocked
from domain.jobs import LEASE, FetchJob, JobStatus, Mode
from domain.politeness import Cadence
from domain.reports import Counts, FetchReport, Outcome
from tests.application.reprocessing import came, fixed, many
from tests.application.rig import Rig, counts_of, posts
from tests.application.schedulers import scheduling, served


def slow(rig: Rig, seconds: float = 3) -> MemorySource[Any]:
    """Return a slow source that reads everything."""
    source = fixed(rig, posts(1, title="fetched", first=50))
    source.takes_s = seconds
    return source


def replaying(rig: Rig, source: MemorySource[Any]) -> "asyncio.Task[Fetched]":
    """Start a replay in another process."""
    return asyncio.create_task(rig.fetch(source).reprocess(Role.ADMIN, Mode.REPLAY))


async def held_up(rig: Rig) -> FetchJob:
    """Return a replay that another process has claimed, and that runs until `end`."""
    job = await rig.queued(Mode.REPLAY)
    claimed = await rig.jobs.claim(job.id)
    assert claimed is not None
    return claimed


async def end(rig: Rig, job: FetchJob) -> None:
    """End a job that another process has claimed."""
    await rig.jobs.release(job.ended(JobStatus.SUCCEEDED, FetchReport(), rig.clock.now()))


async def test_a_replay_waits_for_the_fetch_that_runs(rig: Rig) -> None:
    await came(rig, many(good=1, bad=1))
    source = slow(rig)
    fetching = asyncio.create_task(rig.fetch(source)())
    await rig.clock.settle()

    replay = replaying(rig, source)
    await rig.clock.elapse(2)
    early = replay.done()
    await rig.clock.elapse(2)

    fetched, replayed = await fetching, await replay
    assert (early, fetched.outcome) == (False, Outcome.CHANGED)
    assert replayed.job.id != fetched.job.id
    assert replayed.job.mode is Mode.REPLAY
    assert len(source.asked) == 1
    assert await rig.quarantine.count("posts") == 0


async def test_a_replay_runs_a_fetch_that_no_worker_has_claimed_yet(rig: Rig) -> None:
    await came(rig, many(good=1, bad=1))
    queued = await rig.queued()
    source = fixed(rig, posts(1, first=50))

    replayed = await replaying(rig, source)

    assert (await rig.known(queued.id)).status is JobStatus.SUCCEEDED
    assert (replayed.job.mode, len(source.asked)) == (Mode.REPLAY, 1)


async def test_a_replay_is_refused_while_a_fetch_waits_for_its_source(rig: Rig) -> None:
    await came(rig, many(good=1, bad=1))
    blocked = rig.source("one")
    blocked.failure = SourceBlocked("later", retry_at=rig.later(3600))
    waits = await rig.fetch(blocked).run((await rig.queued()).id)
    assert waits is not None

    with pytest.raises(DatasetBusy, match=f"cancel job {waits.id}, or try again then"):
        await rig.fetch(fixed(rig)).reprocess(Role.ADMIN, Mode.REPLAY)

    await rig.jobs.cancel(waits.id)
    assert counts_of(await replaying(rig, fixed(rig))).inserted == 1


async def test_two_replays_of_the_same_are_one(rig: Rig) -> None:
    await came(rig, many(good=1, bad=1))
    job = await held_up(rig)
    both = [replaying(rig, fixed(rig)) for _ in range(2)]
    await rig.clock.settle()

    await end(rig, job)
    await rig.clock.elapse(1)

    assert {(await replay).job.id for replay in both} == {job.id}


async def test_a_replay_of_one_payload_does_not_count_as_a_replay_of_all(rig: Rig) -> None:
    await came(rig, many(good=1, bad=1))
    job = await held_up(rig)
    one = asyncio.create_task(rig.fetch(fixed(rig)).reprocess(Role.ADMIN, Mode.REPLAY, 1))
    await rig.clock.settle()

    await end(rig, job)
    await rig.clock.elapse(1)

    assert (await one).job.receipt == 1
    assert (await one).job.id != job.id


@pytest.mark.parametrize("mode", [Mode.SYNC, Mode.TASK])
async def test_a_fetch_waits_for_the_replay_that_runs(rig: Rig, mode: Mode) -> None:
    job = await held_up(rig)
    source = rig.source("one", posts(2))
    fetch = rig.fetch(source)
    asking = fetch() if mode is Mode.SYNC else fetch.start()
    caller = asyncio.create_task(asking)
    await rig.clock.elapse(1)
    early = caller.done()

    await end(rig, job)
    await rig.clock.elapse(1)

    fetched = await caller
    assert (early, fetched.job.mode) == (False, mode)
    assert fetched.job.id != job.id
    assert len(source.asked) == (mode is Mode.SYNC)


async def test_a_fetch_takes_over_the_replay_of_a_worker_that_was_lost(rig: Rig) -> None:
    await came(rig, many(good=1, bad=1))
    job = await held_up(rig)
    source = fixed(rig, posts(1, first=50))
    caller = asyncio.create_task(rig.fetch(source)())

    await rig.clock.elapse(LEASE + timedelta(seconds=1))

    assert (await caller).outcome is Outcome.CHANGED
    replay = await rig.known(job.id)
    assert (replay.status, replay.attempts) == (JobStatus.SUCCEEDED, 2)
    assert await rig.quarantine.count("posts") == 0


async def test_a_tick_that_comes_during_a_replay_is_fired_after_it(rig: Rig) -> None:
    source = rig.source("one", posts(1))
    cadence = Cadence(every=timedelta(hours=1))
    fetch = rig.fetch(source, cadence=cadence)
    async with scheduling(rig, fetch), served(rig, fetch):
        await rig.clock.elapse(timedelta(hours=1) - timedelta(seconds=1))
        job = await held_up(rig)
        for _ in range(10):
            await rig.clock.elapse(4)
            await rig.jobs.renew(job)
        during = len(source.asked)

        await end(rig, job)
        await rig.clock.elapse(3)

        assert (during, len(source.asked)) == (0, 1)
        assert rig.database.schedules["posts"].next_run_at > rig.later(3000)


async def test_a_cancelled_replay_writes_nothing(rig: Rig) -> None:
    await came(rig, many(good=1, bad=1))
    job = await held_up(rig)
    replay = replaying(rig, fixed(rig))
    await rig.clock.settle()

    await rig.jobs.cancel(job.id)
    await rig.clock.elapse(1)

    assert (await replay).job.status is JobStatus.CANCELLED
    assert await rig.quarantine.count("posts") == 1


async def test_a_replay_whose_lease_is_lost_merges_nothing(rig: Rig) -> None:
    await came(rig, many(good=1, bad=1))
    job = await held_up(rig)
    rig.database.jobs[job.id] = job.claimed(rig.clock.now() + LEASE)

    with pytest.raises(LeaseLost):
        await SourceSync(
            POSTS, fixed(rig), rig.intakes, rig.clock, rig.events, rig.tracer
        ).reprocess(job, None)

    assert len(await rig.stored()) == 1
    assert await rig.quarantine.count("posts") == 1


async def test_the_repeated_body_of_a_fetch_counts_its_duplicates(rig: Rig) -> None:
    source = rig.source("one", [*posts(2), *posts(1)])
    first = await rig.fetch(source)()
    rig.clock.advance(60)

    again = await rig.fetch(source)()

    assert counts_of(first) == Counts(received=3, inserted=2, duplicates=1)
    assert counts_of(again) == Counts(received=3, unchanged=2, duplicates=1)
