"""After a fetch the schedule is updated: failures and the upstream may move it back."""

from datetime import datetime, timedelta

import pytest

from adapters.memory.jobs import MemorySchedules
from domain.builtin.posts import Post
from domain.dataset import Dataset
from domain.errors import SourceBlocked, SourceUnavailable, StoreUnavailable
from domain.jobs import JobStatus, Mode
from domain.reports import Outcome
from domain.schedules import Schedule
from tests.application.rig import BuggySource, Rig, posts
from tests.sharing import SHARED

OTHERS = Dataset(name="others", record=Post, key=("id",))
EVERY = timedelta(minutes=10)


@pytest.fixture
async def schedule(rig: Rig) -> Schedule:
    """Declare that the posts are fetched every ten minutes."""
    return await rig.scheduled(EVERY)


def waits_s(rig: Rig) -> float:
    """Return the seconds until the next fetch of the posts."""
    return (rig.database.schedules["posts"].next_run_at - rig.clock.now()).total_seconds()


async def test_a_success_does_not_change_the_schedule(rig: Rig, schedule: Schedule) -> None:
    await rig.fetch(rig.source("one", posts(1)))()

    assert rig.database.schedules == {"posts": schedule}


async def test_failures_are_counted_and_move_the_next_run_back(
    rig: Rig, schedule: Schedule
) -> None:
    source = rig.source("one", posts(1))
    source.failure = SourceUnavailable("no answer")
    fetch = rig.fetch(source)

    waits = []
    for _ in range(4):
        await fetch.run((await rig.queued(Mode.SCHEDULE)).id)
        waits.append(waits_s(rig))

    assert waits == [600, 1200, 2400, 3600]
    assert rig.database.schedules["posts"].failures == 4


async def test_a_success_resets_the_effect_of_failures(rig: Rig, schedule: Schedule) -> None:
    source = rig.source("one", posts(1))
    source.failure = SourceUnavailable("no answer")
    fetch = rig.fetch(source)
    for _ in range(4):
        await fetch.run((await rig.queued(Mode.SCHEDULE)).id)
    source.failure = None

    await fetch()

    assert rig.database.schedules["posts"].failures == 0
    assert waits_s(rig) <= 660


@pytest.mark.parametrize("mode", [Mode.SYNC, Mode.TASK])
async def test_failures_of_manual_fetches_are_not_counted(
    rig: Rig, schedule: Schedule, mode: Mode
) -> None:
    source = rig.source("one", posts(1))
    source.failure = SourceUnavailable("no answer")
    fetch = rig.fetch(source)

    for _ in range(4):
        await fetch.run((await rig.queued(mode)).id)

    assert rig.database.schedules["posts"] == schedule


@pytest.mark.parametrize("mode", [mode for mode in Mode if mode.asks])
async def test_an_upstream_that_demands_a_pause_gets_no_request_until_then(
    rig: Rig, schedule: Schedule, mode: Mode
) -> None:
    source = rig.source("one", posts(1))
    source.failure = SourceBlocked("too many requests", retry_at=rig.later(7200))
    source.fails_after = 1

    await rig.fetch(source).run((await rig.queued(mode)).id)

    assert waits_s(rig) == 7200


async def test_an_upstream_that_declares_its_response_fresh_gets_no_request_until_then(
    rig: Rig, schedule: Schedule
) -> None:
    source = rig.source("one", posts(1))
    source.fresh_until = rig.later(7200)

    fetched = await rig.fetch(source)()

    assert fetched.freshness.next_fetch_at == rig.later(7200)
    assert waits_s(rig) == 7200


async def test_a_source_that_declares_no_freshness_is_asked_on_schedule(
    rig: Rig, schedule: Schedule
) -> None:
    one, two = rig.shared("one"), rig.shared("two")
    one.fresh_until = rig.later(7200)

    await rig.fetch(one, two, dataset=SHARED)()

    assert rig.database.schedules["posts"] == schedule


async def test_a_job_given_up_or_interrupted_is_a_failure(rig: Rig, schedule: Schedule) -> None:
    fetch = rig.fetch(BuggySource("buggy", Post, rig.clock, posts(1)))
    job = await rig.queued(Mode.SCHEDULE)

    with pytest.raises(ZeroDivisionError):
        await fetch.run(job.id)

    assert rig.database.schedules["posts"].failures == 1


async def test_other_schedules_are_not_changed(rig: Rig) -> None:
    others = await rig.scheduled(EVERY, OTHERS)
    source = rig.source("one")
    source.failure = SourceUnavailable("no answer")

    await rig.fetch(source)()

    assert rig.database.schedules == {"others": others}


# ---------------------------------------------------------------- failures


class Restless(MemorySchedules):
    """Schedules that are moved concurrently just before a move, so many times."""

    moves = 3

    async def move(self, seen: Schedule, following: Schedule) -> bool:
        """Make a concurrent move first, as long as there are moves left."""
        if self.moves:
            self.moves -= 1
            [(now, [schedule])] = [await self.current()]
            await super().move(schedule, schedule.after_run(False, None, now))
        return await super().move(seen, following)


async def test_the_result_is_not_lost_when_others_move_the_schedule_meanwhile(
    rig: Rig, schedule: Schedule
) -> None:
    job_backend = rig.with_job_backend(schedules=Restless(rig.database, rig.clock))
    source = rig.source("one")
    source.failure = SourceUnavailable("no answer")

    await rig.fetch(source, job_backend=job_backend).run((await rig.queued(Mode.SCHEDULE)).id)

    assert rig.database.schedules["posts"].failures == Restless.moves + 1


class Away(MemorySchedules):
    """Schedules that cannot be read, or cannot be moved."""

    down_for: str

    async def current(self) -> tuple[datetime, list[Schedule]]:
        """Return the schedules, unless down."""
        self._check("current")
        return await super().current()

    async def move(self, seen: Schedule, following: Schedule) -> bool:
        """Move, unless down."""
        self._check("move")
        return await super().move(seen, following)

    def _check(self, verb: str) -> None:
        if verb == self.down_for:
            raise StoreUnavailable("the database is busy")


@pytest.mark.parametrize("down_for", ["current", "move"])
async def test_a_store_that_fails_then_does_not_affect_the_fetch(
    rig: Rig, schedule: Schedule, down_for: str
) -> None:
    schedules = Away(rig.database, rig.clock)
    schedules.down_for = down_for
    source = rig.source("one", posts(1))
    source.fresh_until = rig.later(7200)

    fetched = await rig.fetch(source, job_backend=rig.with_job_backend(schedules=schedules))()

    assert (fetched.outcome, fetched.job.status) == (Outcome.CHANGED, JobStatus.SUCCEEDED)
    assert await rig.known(fetched.job.id) == fetched.job
    assert rig.database.schedules == {"posts": schedule}
