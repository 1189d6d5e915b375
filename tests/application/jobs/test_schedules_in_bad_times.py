"""Schedules with failures: a source that fails or demands a pause, a store that is unavailable."""

from datetime import datetime

from adapters.memory.jobs import MemorySchedules
from domain.errors import SourceBlocked, SourceUnavailable, StoreUnavailable
from domain.politeness import Cadence
from domain.schedules import Schedule
from tests.application.rig import Rig, posts
from tests.application.schedulers import (
    HOUR,
    MINUTE,
    PERIOD,
    REGULAR,
    SURELY,
    jobs_of,
    pass_by,
    scheduling,
    served,
)


async def test_failures_make_runs_rarer_and_a_success_does_not(rig: Rig) -> None:
    source = rig.source("one", posts(1))
    source.failure = SourceUnavailable("no answer")
    fetch = rig.fetch(source, cadence=Cadence(every=MINUTE * 10))
    async with served(rig, fetch), scheduling(rig, fetch):
        await pass_by(rig, HOUR * 6)
        failing = len(source.asked)
        source.failure = None
        await pass_by(rig, HOUR)
        source.asked.clear()
        await pass_by(rig, HOUR * 6)

    assert 7 <= failing <= 9, "after 10, 20, 40, 80 minutes, then every hour"
    assert 33 <= len(source.asked) <= 36


async def test_an_upstream_that_demands_a_pause_gets_it(rig: Rig) -> None:
    source = rig.source("one", posts(1))
    source.failure = SourceBlocked("too many requests", retry_at=rig.later(3600 * 5))
    source.fails_after = 1
    start = rig.clock.now()
    fetch = rig.fetch(source, cadence=Cadence(every=HOUR))
    async with served(rig, fetch), scheduling(rig, fetch):
        await pass_by(rig, HOUR * 4.9)
        early = len(source.asked)
        source.failure = None
        await pass_by(rig, HOUR * 0.2)

    assert (early, len(source.asked)) == (1, 2)
    assert rig.last.queued_at - start >= HOUR * 5


class Failing(MemorySchedules):
    """Schedules that are unavailable while they are down."""

    is_down = True

    async def declare(self, periods: object) -> None:
        """Declare, unless down."""
        self._check()
        await super().declare(periods)  # type: ignore[arg-type]

    async def current(self) -> tuple[datetime, list[Schedule]]:
        """Return the schedules, unless down."""
        self._check()
        return await super().current()

    def _check(self) -> None:
        if self.is_down:
            raise StoreUnavailable("the database is busy")


async def test_a_store_that_is_unavailable_at_the_start_is_waited_for(rig: Rig) -> None:
    schedules = Failing(rig.database, rig.clock)
    fetch = rig.fetch(rig.source("one", posts(1)), cadence=REGULAR)
    async with scheduling(
        rig, fetch, on_start=True, job_backend=rig.with_job_backend(schedules=schedules)
    ):
        await rig.clock.elapse(10)
        early = len(jobs_of(rig))
        schedules.is_down = False
        await rig.clock.elapse(1)

        assert (early, len(jobs_of(rig))) == (0, 1)
        assert list(rig.database.schedules) == ["posts"]


async def test_an_unavailable_store_does_not_end_the_scheduler(rig: Rig) -> None:
    schedules = Failing(rig.database, rig.clock)
    schedules.is_down = False
    fetch = rig.fetch(rig.source("one", posts(1)), cadence=REGULAR)
    async with scheduling(
        rig, fetch, job_backend=rig.with_job_backend(schedules=schedules)
    ) as process:
        await rig.clock.elapse(SURELY)
        schedules.is_down = True
        await rig.clock.elapse(PERIOD)
        early = len(jobs_of(rig))
        schedules.is_down = False
        await rig.clock.elapse(1)

        assert (early, len(jobs_of(rig))) == (0, 1)
        assert [failed.dataset for failed in process.failures] == [None], "once, not every second"
        assert not process.task.done()


class Overtaken(MemorySchedules):
    """Schedules of which another process corrects one just before this one."""

    overtaken = 0

    async def move(self, seen: Schedule, following: Schedule) -> bool:
        """Have another process move the schedule; this one has not."""
        self.overtaken += 1
        await super().move(seen, following)
        return False


async def test_a_schedule_that_another_process_corrects_is_not_fired_for_a_clock_set_back(
    rig: Rig,
) -> None:
    schedules = Overtaken(rig.database, rig.clock)
    fetch = rig.fetch(rig.source("one", posts(1)), cadence=REGULAR)
    async with scheduling(
        rig, fetch, job_backend=rig.with_job_backend(schedules=schedules)
    ) as process:
        rig.clock.set(-HOUR)
        await rig.clock.elapse(5)

        assert schedules.overtaken == 1
        assert jobs_of(rig) == []
        assert process.failures == []
        corrected = rig.database.schedules["posts"]
        assert corrected.next_run_at <= rig.clock.now() + PERIOD + SURELY
