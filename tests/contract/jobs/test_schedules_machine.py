"""Schedules against a dictionary, through any order of steps by schedulers with old states."""

import asyncio
from datetime import timedelta

from hypothesis import strategies as st
from hypothesis.stateful import Bundle, initialize, invariant, rule

from domain.builtin.posts import POSTS
from domain.jobs import JobStatus
from domain.schedules import Schedule
from tests.contract.backends import Open
from tests.contract.machines import Machine, hold_to
from tests.strategies import SAMPLES

NAMED = {dataset.name: dataset for dataset in (SAMPLES, POSTS)}
periods = st.dictionaries(
    st.sampled_from(sorted(NAMED)), st.sampled_from([timedelta(seconds=10), timedelta(minutes=1)])
)


class SchedulesMachine(Machine):
    """Schedules are declared, read, fired and postponed, from current and outdated states."""

    seen: Bundle[Schedule] = Bundle("seen")

    def __init__(self, open_backend: Open, runner: asyncio.Runner) -> None:
        super().__init__(open_backend, runner)
        self.schedules: dict[str, Schedule] = {}
        self.unfinished: dict[str, str] = {}

    @initialize(declared=periods)
    def start(self, declared: dict[str, timedelta]) -> None:
        self.they_are_declared(declared)

    @rule(seconds=st.sampled_from([1.0, 9.999999, 10.0, 61.0]))
    def time_passes(self, seconds: float) -> None:
        self.backend.clock.advance(seconds)

    @rule(declared=periods)
    def they_are_declared(self, declared: dict[str, timedelta]) -> None:
        now = self.backend.clock.now()
        self.run(self.backend.schedules.declare(declared))
        self.schedules = {
            name: self.schedules[name].changed(every, now)
            if name in self.schedules
            else Schedule.starting(name, every, now)
            for name, every in declared.items()
        }

    @rule(target=seen, name=st.sampled_from(sorted(NAMED)))
    def look(self, name: str) -> Schedule:
        now = self.backend.clock.now()
        return self.schedules.get(name) or Schedule.starting(name, timedelta(seconds=7), now)

    @rule(schedule=seen, fraction=st.sampled_from([0.0, 0.5]))
    def it_is_fired(self, schedule: Schedule, fraction: float) -> None:
        following = schedule.fired(self.backend.clock.now(), fraction)
        job = self.backend.queued(NAMED[schedule.dataset])
        fired = self.run(self.backend.schedules.fire(schedule, following, job))
        if self.schedules.get(schedule.dataset) != schedule:
            assert fired is None
            return
        self.schedules[schedule.dataset] = following
        assert fired is not None
        assert fired.id == self.unfinished.setdefault(schedule.dataset, job.id)

    @rule(schedule=seen, seconds=st.sampled_from([30.0, 300.0]))
    def it_is_postponed(self, schedule: Schedule, seconds: float) -> None:
        now = self.backend.clock.now()
        following = schedule.after_run(False, now + timedelta(seconds=seconds), now)
        expected = self.schedules.get(schedule.dataset) == schedule

        assert self.run(self.backend.schedules.move(schedule, following)) is expected
        if expected:
            self.schedules[schedule.dataset] = following

    @rule(name=st.sampled_from(sorted(NAMED)))
    def its_job_ends(self, name: str) -> None:
        job_id = self.unfinished.pop(name, None)
        if job_id is not None:
            claimed = self.run(self.backend.jobs.claim(job_id))
            self.run(self.backend.end(claimed, JobStatus.FAILED))

    @invariant()
    def they_are_those_of_the_model(self) -> None:
        expected = [self.schedules[name] for name in sorted(self.schedules)]

        now, standing = self.run(self.backend.schedules.current())

        assert (now, standing) == (self.backend.clock.now(), expected)

    @invariant()
    def the_next_fetch_is_when_its_schedule_says(self) -> None:
        schedule = self.schedules.get(SAMPLES.name)

        freshness = self.run(self.backend.store.freshness(SAMPLES))

        assert freshness.next_fetch_at == (schedule.next_run_at if schedule else None)


def test_schedules_agree_with_a_dictionary_whatever_happens(open_backend: Open) -> None:
    hold_to(SchedulesMachine, open_backend)
