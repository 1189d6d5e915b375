"""Schedules: every dataset is fetched when it is due."""

from datetime import timedelta

import pytest

from adapters.memory.datasets import MemoryStore
from domain.builtin.posts import Post
from domain.checkpoints import Freshness
from domain.dataset import Dataset
from domain.errors import StoreUnavailable
from domain.jobs import JobStatus, Mode
from domain.politeness import Cadence
from tests.application.rig import Rig, posts
from tests.application.schedulers import (
    HOUR,
    OTHERS,
    PERIOD,
    REGULAR,
    SURELY,
    jobs_of,
    late_s,
    most_late_s,
    scheduling,
    served,
)

# ---------------------------------------------------------------- when it is due


async def test_a_dataset_is_fetched_every_period_with_some_jitter(rig: Rig) -> None:
    fetch = rig.fetch(rig.source("one", posts(1)), cadence=REGULAR)
    start = rig.clock.now()
    async with served(rig, fetch), scheduling(rig, fetch):
        await rig.clock.elapse(PERIOD * 4 + SURELY)

    late = late_s(rig, start)
    assert len(late) == 4
    assert late[0] < 1, "the first run has no jitter"
    assert all(0 <= one <= most_late_s() for one in late)
    assert len(set(late)) == 4
    assert {job.mode for job in jobs_of(rig)} == {Mode.SCHEDULE}
    assert {job.status for job in jobs_of(rig)} == {JobStatus.SUCCEEDED}
    assert rig.queue.announced == [job.id for job in jobs_of(rig)]


async def test_every_dataset_has_its_own_period(rig: Rig) -> None:
    fetches = [
        rig.fetch(rig.source("one", posts(1)), cadence=REGULAR),
        rig.fetch(rig.source("two", posts(1)), dataset=OTHERS, cadence=Cadence(every=PERIOD / 2)),
    ]
    async with served(rig, *fetches), scheduling(rig, *fetches):
        await rig.clock.elapse(PERIOD * 3 + SURELY)

    assert (len(jobs_of(rig)), len(jobs_of(rig, "others"))) == (3, 6)


async def test_without_a_period_or_a_source_nothing_is_fetched(rig: Rig) -> None:
    fetches = [
        rig.fetch(rig.source("one", posts(1))),
        rig.fetch(dataset=OTHERS, cadence=REGULAR),
    ]
    async with scheduling(rig, *fetches, on_start=False) as process:
        await rig.clock.elapse(PERIOD * 2)

    assert (rig.database.jobs, rig.database.schedules, process.failures) == ({}, {}, [])


async def test_a_very_short_period_does_not_spin(rig: Rig) -> None:
    fetch = rig.fetch(rig.source("one", posts(1)), cadence=Cadence(every=timedelta(milliseconds=1)))
    async with scheduling(rig, fetch):
        await rig.clock.elapse(1)

    assert rig.database.writes <= 200


async def test_a_dataset_that_is_being_fetched_is_not_requested_again(rig: Rig) -> None:
    source = rig.source("one", posts(1))
    source.takes_s = 150
    fetch = rig.fetch(source, cadence=Cadence(every=PERIOD / 2), deadline=HOUR)
    async with served(rig, fetch), scheduling(rig, fetch):
        await rig.clock.elapse(200)

    assert len(jobs_of(rig)) == 1
    assert len(rig.queue.announced) == 1


async def test_a_broker_that_is_away_is_no_error(rig: Rig) -> None:
    rig.queue.is_away = True
    fetch = rig.fetch(rig.source("one", posts(1)), cadence=REGULAR)
    async with served(rig, fetch), scheduling(rig, fetch):
        await rig.clock.elapse(PERIOD + SURELY)

    assert [job.status for job in jobs_of(rig)] == [JobStatus.SUCCEEDED]


# ---------------------------------------------------------------- at the start


async def test_at_the_start_every_dataset_is_fetched_even_without_a_period(rig: Rig) -> None:
    fetch = rig.fetch(rig.source("one", posts(1)))
    async with served(rig, fetch), scheduling(rig, fetch, on_start=True):
        await rig.clock.elapse(PERIOD)

    [job] = jobs_of(rig)
    assert (job.mode, job.status) == (Mode.SCHEDULE, JobStatus.SUCCEEDED)


async def test_at_the_start_fresh_datasets_are_not_fetched(rig: Rig) -> None:
    fetch = rig.fetch(rig.source("one", posts(1)), cadence=REGULAR)
    await fetch()
    async with scheduling(rig, fetch, on_start=True):
        await rig.clock.elapse(SURELY)

    assert len(jobs_of(rig)) == 1


async def test_a_failure_at_the_start_is_published_and_the_others_start(rig: Rig) -> None:
    class Failing(MemoryStore):
        """A store that cannot return the freshness of the posts."""

        async def freshness(self, dataset: Dataset[Post]) -> Freshness:
            if dataset.name == "posts":
                raise StoreUnavailable("the database is busy")
            return await super().freshness(dataset)

    store = Failing(rig.database)
    fetches = [
        rig.fetch(rig.source("one", posts(1)), store=store),
        rig.fetch(rig.source("two", posts(1)), store=store, dataset=OTHERS),
    ]
    async with scheduling(rig, *fetches, on_start=True) as process:
        await rig.clock.settle()

        assert [(failed.dataset, str(failed.error)) for failed in process.failures] == [
            ("posts", "the database is busy")
        ]
        assert len(jobs_of(rig, "others")) == 1
        assert not process.task.done()


# ---------------------------------------------------------------- restarts


async def test_a_restart_does_not_restart_the_period(rig: Rig) -> None:
    fetch = rig.fetch(rig.source("one", posts(1)), cadence=REGULAR)
    start = rig.clock.now()
    async with scheduling(rig, fetch):
        await rig.clock.elapse(PERIOD * 0.8)
    rig.clock.advance(PERIOD * 0.1)
    async with scheduling(rig, fetch):
        await rig.clock.elapse(PERIOD * 0.15)

    assert [0 <= late < 1 for late in late_s(rig, start)] == [True]


@pytest.mark.parametrize("down", [PERIOD, PERIOD * 100 + SURELY, timedelta(days=3650)])
async def test_missed_ticks_are_made_up_for_once(rig: Rig, down: timedelta) -> None:
    fetch = rig.fetch(rig.source("one", posts(1)), cadence=REGULAR)
    async with scheduling(rig, fetch):
        await rig.clock.elapse(SURELY)
    rig.clock.advance(down)
    back_at = rig.clock.now()
    async with served(rig, fetch), scheduling(rig, fetch):
        await rig.clock.elapse(1)
        missed = [job.queued_at for job in jobs_of(rig)]
        await rig.clock.elapse(PERIOD)

    assert missed == [back_at]
    assert len(jobs_of(rig)) == 2, "and then the ticks go on"


async def test_another_period_applies_from_the_next_start_on(rig: Rig) -> None:
    source = rig.source("one", posts(1))
    async with scheduling(rig, rig.fetch(source, cadence=REGULAR)):
        await rig.clock.elapse(SURELY)
    quicker = rig.fetch(source, cadence=Cadence(every=PERIOD / 5))
    async with served(rig, quicker), scheduling(rig, quicker):
        await rig.clock.elapse(PERIOD * 0.9)

    assert len(jobs_of(rig)) == 4


async def test_a_dataset_whose_period_was_removed_is_not_fetched(rig: Rig) -> None:
    source = rig.source("one", posts(1))
    async with scheduling(rig, rig.fetch(source, cadence=REGULAR)):
        await rig.clock.elapse(SURELY)
    async with scheduling(rig, rig.fetch(source)):
        await rig.clock.elapse(PERIOD * 2)

    assert (rig.database.schedules, rig.database.jobs) == ({}, {})
