"""Fetching: when a source is asked, who may ask, and who waits for whom."""

import asyncio
from datetime import timedelta

import pytest

from adapters.memory.jobs import MemoryJobs
from application.fetch import MAX_WAITING
from application.gather import Gather
from domain.dataset import Dataset, Role
from domain.errors import (
    Forbidden,
    LeaseLost,
    LoginRequired,
    NoSources,
    SourceUnavailable,
    TooManyWaiting,
)
from domain.jobs import MAX_ATTEMPTS, FetchJob, JobStatus
from domain.politeness import Cadence
from domain.posts import POSTS, Post
from domain.reports import Counts, FetchReport, Outcome
from tests.application.rig import Rig, counts_of, only, posts

# ---------------------------------------------------------------- when


async def test_the_first_fetch_brings_everything(rig: Rig) -> None:
    fetched = await rig.fetch(rig.source("one", posts(3)))()

    assert fetched.outcome is Outcome.CHANGED
    assert counts_of(fetched) == Counts(received=3, inserted=3)
    assert fetched.job.status is JobStatus.SUCCEEDED
    assert fetched.freshness == await rig.store.freshness(POSTS)
    assert fetched.freshness.seq == 1
    assert len(await rig.stored()) == 3


async def test_within_the_interval_nothing_is_asked_and_the_last_job_is_the_answer(
    rig: Rig,
) -> None:
    source = rig.source("one", posts(3))
    fetch = rig.fetch(source)
    first = await fetch()
    rig.clock.advance(59.999)

    again = await fetch()

    assert again.outcome is Outcome.FRESH
    assert again.job == first.job
    assert len(source.asked) == 1
    assert len(rig.database.jobs) == 1


async def test_after_the_interval_the_source_is_asked_again(rig: Rig) -> None:
    source = rig.source("one", posts(3))
    fetch = rig.fetch(source)
    first = await fetch()
    rig.clock.advance(60)
    source.pages = [posts(4)]

    again = await fetch()

    assert again.job.id != first.job.id
    assert counts_of(again) == Counts(received=4, inserted=1, unchanged=3)


async def test_only_the_sources_that_are_due_are_asked(rig: Rig) -> None:
    one, two = rig.source("one", posts(1)), rig.source("two", posts(1, first=2))
    await rig.fetch(one)()
    rig.clock.advance(30)

    fetched = await rig.fetch(one, two)()

    assert only(fetched).source == "two"
    assert (len(one.asked), len(two.asked)) == (1, 1)


async def test_a_failure_does_not_count_as_an_answer(rig: Rig) -> None:
    source = rig.source("one", posts(1))
    source.failure = SourceUnavailable("no answer")
    fetch = rig.fetch(source)
    await fetch()
    source.failure = None

    again = await fetch()

    assert again.outcome is Outcome.CHANGED


async def test_a_fresh_answer_whose_job_is_forgotten_has_a_job_nevertheless(rig: Rig) -> None:
    source = rig.source("one", posts(1))
    fetch = rig.fetch(source)
    await fetch()
    rig.database.jobs.clear()

    again = await fetch()

    assert again.outcome is Outcome.UNCHANGED
    assert again.job.status is JobStatus.SUCCEEDED
    assert len(source.asked) == 1


async def test_force_ignores_the_interval(rig: Rig) -> None:
    source = rig.source("one", posts(1))
    fetch = rig.fetch(source)
    await fetch()

    forced = await fetch(Role.ADMIN, force=True)

    assert forced.outcome is Outcome.UNCHANGED
    assert len(source.asked) == 2


async def test_force_does_not_take_a_fresh_answer_for_one_of_its_own(rig: Rig) -> None:
    source = rig.source("one", posts(1))
    fetch = rig.fetch(source)
    await fetch()

    plain, forced = await asyncio.gather(fetch(), fetch(Role.ADMIN, force=True))

    assert (plain.outcome, forced.outcome) == (Outcome.FRESH, Outcome.UNCHANGED)
    assert len(source.asked) == 2


async def test_a_source_is_told_what_is_known_and_until_when_to_answer(rig: Rig) -> None:
    source = rig.source("one", posts(1))
    fetch = rig.fetch(source, deadline=timedelta(seconds=7), cadence=Cadence(interval=timedelta(0)))
    await fetch()
    first = (await rig.store.freshness(POSTS)).of("one")
    rig.clock.advance(1)

    await fetch()

    asked = [(ask.checkpoint, ask.deadline - rig.clock.now()) for ask in source.asked]
    assert asked == [(None, timedelta(seconds=6)), (first, timedelta(seconds=7))]


def test_a_fetch_tells_its_sources_and_its_cadence(rig: Rig) -> None:
    cadence = Cadence(every=timedelta(hours=1))

    fetch = rig.fetch(rig.source("one"), rig.source("two"), cadence=cadence)

    assert fetch.sources == ("one", "two")
    assert fetch.cadence is cadence


# ---------------------------------------------------------------- who

LOCKED = Dataset(name="locked", record=Post, key=("id",), fetch_by=Role.USER)


async def test_who_may_not_fetch_is_turned_away(rig: Rig) -> None:
    source = rig.source("one", posts(1))
    fetch = rig.fetch(source, dataset=LOCKED)

    with pytest.raises(LoginRequired):
        await fetch()

    assert (await fetch(Role.USER)).outcome is Outcome.CHANGED
    assert len(source.asked) == 1


@pytest.mark.parametrize(
    ("viewer", "error"), [(Role.ANYONE, LoginRequired), (Role.USER, Forbidden)]
)
async def test_only_an_administrator_may_force(
    rig: Rig, viewer: Role, error: type[Exception]
) -> None:
    source = rig.source("one", posts(1))

    with pytest.raises(error):
        await rig.fetch(source)(viewer, force=True)

    assert source.asked == []


async def test_a_dataset_without_sources_cannot_be_fetched(rig: Rig) -> None:
    with pytest.raises(NoSources, match="posts"):
        await rig.fetch()()


# ---------------------------------------------------------------- together


async def test_two_callers_share_one_fetch(rig: Rig) -> None:
    source = rig.source("one", posts(1))
    source.takes_s = 3
    fetch = rig.fetch(source)
    callers = [asyncio.create_task(fetch()) for _ in range(2)]

    await rig.clock.elapse(3)
    one, two = await asyncio.gather(*callers)

    assert one.job == two.job
    assert len(source.asked) == 1


async def test_two_workers_share_one_fetch(rig: Rig) -> None:
    source = rig.source("one", posts(1))
    source.takes_s = 20
    workers = [asyncio.create_task(rig.fetch(source)()) for _ in range(3)]

    await rig.clock.elapse(21)
    fetched = await asyncio.gather(*workers)

    assert len({one.job.id for one in fetched}) == 1
    assert {one.outcome for one in fetched} == {Outcome.CHANGED}
    assert fetched[0].job.attempts == 1
    assert len(source.asked) == 1


async def test_too_many_callers_are_turned_away(rig: Rig) -> None:
    source = rig.source("one", posts(1))
    source.takes_s = 1
    fetch = rig.fetch(source)
    callers = [asyncio.create_task(fetch()) for _ in range(MAX_WAITING)]
    await rig.clock.settle()

    with pytest.raises(TooManyWaiting, match=str(MAX_WAITING)):
        await fetch()

    await rig.clock.elapse(1)
    await asyncio.gather(*callers)
    assert (await fetch()).outcome is Outcome.FRESH


async def test_a_fetch_goes_on_when_its_caller_leaves(rig: Rig) -> None:
    source = rig.source("one", posts(1))
    source.takes_s = 3
    fetch = rig.fetch(source)
    caller = asyncio.create_task(fetch())
    await rig.clock.settle()

    caller.cancel()
    await rig.clock.elapse(3)

    assert caller.cancelled()
    assert len(await rig.stored()) == 1
    assert (await fetch()).outcome is Outcome.FRESH


async def test_a_caller_that_leaves_does_not_disturb_the_others(rig: Rig) -> None:
    source = rig.source("one", posts(1))
    source.takes_s = 3
    fetch = rig.fetch(source)
    leaving, staying = asyncio.create_task(fetch()), asyncio.create_task(fetch())
    await rig.clock.settle()

    leaving.cancel()
    await rig.clock.elapse(3)

    assert (await staying).outcome is Outcome.CHANGED


# ---------------------------------------------------------------- when workers die


async def test_a_job_abandoned_by_its_worker_is_taken_over_when_the_lease_runs_out(
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


class Snatching(MemoryJobs):
    """Jobs that somebody else claims a moment earlier."""

    async def claim(self, job_id: str) -> FetchJob | None:
        """Claim for somebody else first."""
        await super().claim(job_id)
        return await super().claim(job_id)


async def test_a_job_somebody_else_claims_first_is_followed(rig: Rig) -> None:
    source = rig.source("one", posts(1))
    late = rig.fetch(source, jobs=Snatching(rig.database, rig.clock))
    caller = asyncio.create_task(late())
    await rig.clock.elapse(1)
    [job] = rig.database.jobs.values()

    await rig.jobs.finish(job.ended(JobStatus.SUCCEEDED, FetchReport(), rig.clock.now()))
    await rig.clock.elapse(1)

    assert (await caller).job.id == job.id
    assert source.asked == []


async def test_a_job_nobody_survives_is_given_up(rig: Rig) -> None:
    source = rig.source("one", posts(1))
    abandoned = await rig.abandoned(times=MAX_ATTEMPTS)
    caller = asyncio.create_task(rig.fetch(source)())

    await rig.clock.elapse(6)
    fetched = await caller

    error = only(fetched).error
    assert fetched.job.id == abandoned.id
    assert fetched.outcome is Outcome.FAILED
    assert error is not None
    assert error.code == "gave_up"
    assert source.asked == []


async def test_the_last_attempt_is_still_made(rig: Rig) -> None:
    await rig.abandoned(times=MAX_ATTEMPTS - 1)
    caller = asyncio.create_task(rig.fetch(rig.source("one", posts(1)))())

    await rig.clock.elapse(6)

    assert (await caller).outcome is Outcome.CHANGED


async def test_after_giving_up_the_next_fetch_starts_anew(rig: Rig) -> None:
    await rig.abandoned(times=MAX_ATTEMPTS)
    fetch = rig.fetch(rig.source("one", posts(1)))
    caller = asyncio.create_task(fetch())
    await rig.clock.elapse(6)
    await caller

    assert (await fetch()).outcome is Outcome.CHANGED


async def test_a_worker_killed_after_the_merge_leaves_only_the_end_to_write_down(rig: Rig) -> None:
    source = rig.source("one", posts(1))
    job = await rig.abandoned()
    fetch = rig.fetch(source)
    await Gather(POSTS, source, rig.store, rig.clock)(
        job, None, rig.clock.now() + timedelta(seconds=60)
    )
    caller = asyncio.create_task(fetch())

    await rig.clock.elapse(6)
    fetched = await caller

    assert fetched.job.id == job.id
    assert fetched.job.status is JobStatus.SUCCEEDED
    assert len(source.asked) == 1
    assert len(await rig.stored()) == 1


async def test_whoever_waits_for_a_job_that_disappears_is_told(rig: Rig) -> None:
    await rig.abandoned()
    caller = asyncio.create_task(rig.fetch(rig.source("one", posts(1)))())
    await rig.clock.settle()

    rig.database.jobs.clear()
    await rig.clock.elapse(1)

    with pytest.raises(LeaseLost, match="disappeared"):
        await caller
