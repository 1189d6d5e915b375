"""Fetches: when a source is asked, who may fetch, and shared fetches."""

import asyncio
from datetime import timedelta

import pytest

from domain.builtin.posts import POSTS, Post
from domain.dataset import Dataset, Role
from domain.errors import (
    InvalidDataset,
    LoginRequired,
    NoSources,
    SourceUnavailable,
)
from domain.events import FetchFresh, Merged
from domain.jobs import JobStatus
from domain.politeness import Cadence
from domain.reports import Counts, Outcome
from tests.application.rig import Rig, counts_of, only, posts
from tests.sharing import SHARED

# ---------------------------------------------------------------- when


async def test_the_first_fetch_stores_everything(rig: Rig) -> None:
    fetched = await rig.fetch(rig.source("one", posts(3)))()

    assert fetched.outcome is Outcome.CHANGED
    assert counts_of(fetched) == Counts(received=3, inserted=3)
    assert fetched.job.status is JobStatus.SUCCEEDED
    assert fetched.freshness == await rig.store.freshness(POSTS)
    assert fetched.freshness.seq == 1
    assert len(await rig.stored()) == 3


async def test_within_the_interval_no_request_is_sent_and_the_last_job_is_returned(
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
    assert rig.events.of(FetchFresh) == [FetchFresh(dataset="posts")]


async def test_a_merge_is_measured_and_a_repeat_that_merges_nothing_is_not(rig: Rig) -> None:
    source = rig.source("one", posts(3))
    fetch = rig.fetch(source)
    for pages in ([posts(3)], [posts(3)], [posts(4)]):
        source.pages = pages
        await fetch()
        rig.clock.advance(60)

    merged = Merged(dataset="posts", source="one", duration_ms=0.0)
    assert rig.events.of(Merged) == [merged, merged]


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
    one, two = rig.shared("one"), rig.shared("two")
    await rig.fetch(one, dataset=SHARED)()
    rig.clock.advance(30)

    fetched = await rig.fetch(one, two, dataset=SHARED)()

    assert only(fetched).source == "two"
    assert (len(one.asked), len(two.asked)) == (1, 1)


def test_several_sources_need_a_dataset_with_the_source_in_its_key(rig: Rig) -> None:
    one, two = rig.source("one", posts(1)), rig.source("two", posts(1))

    with pytest.raises(InvalidDataset, match="posts has 2 sources, and no `source` in its key"):
        rig.fetch(one, two)


async def test_a_failure_does_not_count_as_a_success(rig: Rig) -> None:
    source = rig.source("one", posts(1))
    source.failure = SourceUnavailable("no answer")
    fetch = rig.fetch(source)
    await fetch()
    source.failure = None

    again = await fetch()

    assert again.outcome is Outcome.CHANGED


async def test_a_fresh_result_has_a_job_even_if_the_last_one_was_removed(rig: Rig) -> None:
    source = rig.source("one", posts(1))
    fetch = rig.fetch(source)
    await fetch()
    rig.database.jobs.clear()

    again = await fetch()

    assert again.outcome is Outcome.UNCHANGED
    assert again.job.status is JobStatus.SUCCEEDED
    assert len(source.asked) == 1


async def test_a_source_gets_its_checkpoint_and_the_deadline(rig: Rig) -> None:
    source = rig.source("one", posts(1))
    fetch = rig.fetch(source, deadline=timedelta(seconds=7), cadence=Cadence(interval=timedelta(0)))
    await fetch()
    first = (await rig.store.freshness(POSTS)).of("one")
    rig.clock.advance(1)

    await fetch()

    asked = [(ask.checkpoint, ask.deadline - rig.clock.now()) for ask in source.asked]
    assert asked == [(None, timedelta(seconds=6)), (first, timedelta(seconds=7))]


def test_a_fetch_has_sources_a_cadence_and_a_deadline(rig: Rig) -> None:
    cadence, deadline = Cadence(every=timedelta(hours=1)), timedelta(seconds=7)

    fetch = rig.fetch(
        rig.shared("one"), rig.shared("two"), dataset=SHARED, cadence=cadence, deadline=deadline
    )

    assert fetch.sources == ("one", "two")
    assert fetch.cadence is cadence
    assert fetch.deadline is deadline


# ---------------------------------------------------------------- who

LOCKED = Dataset(name="locked", record=Post, key=("id",), fetch_by=Role.USER)


async def test_a_caller_who_may_not_fetch_is_refused(rig: Rig) -> None:
    source = rig.source("one", posts(1))
    fetch = rig.fetch(source, dataset=LOCKED)

    with pytest.raises(LoginRequired):
        await fetch()

    assert (await fetch(Role.USER)).outcome is Outcome.CHANGED
    assert len(source.asked) == 1


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


async def test_a_fetch_continues_when_its_caller_leaves(rig: Rig) -> None:
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
