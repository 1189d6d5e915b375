"""Schedules: every tick at most once, with jitter, and delays after failures."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.politeness import LONGEST_BLOCK
from domain.schedules import JITTER_SHARE, LONGEST_BACKOFF, MAX_JITTER, Schedule

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
LONGEST_PERIOD = timedelta(days=3650)

periods = st.timedeltas(timedelta(milliseconds=1), LONGEST_PERIOD) | st.sampled_from(
    [timedelta(seconds=1), MINUTE, HOUR, DAY, LONGEST_PERIOD]
)
fractions = st.floats(0.0, 1.0, exclude_max=True)
delays = st.timedeltas(timedelta(0), timedelta(days=400)) | st.sampled_from(
    [timedelta(0), MICROSECOND]
)


def schedule(every: timedelta = HOUR, **changed: object) -> Schedule:
    """Return a schedule that is first due a period from now."""
    return msgspec.structs.replace(Schedule.starting("posts", every, NOW), **changed)


@st.composite
def schedules(draw: st.DrawFn) -> Schedule:
    """Any schedule time and fetches can lead to."""
    one = schedule(draw(periods))
    now = NOW
    for _ in range(draw(st.integers(0, 3))):
        now = max(now, one.next_run_at) + draw(delays)
        one = one.fired(now, draw(fractions))
        not_before = draw(st.none() | delays.map(lambda delay, now=now: now + delay))
        one = one.after_run(draw(st.booleans()), not_before, now)
    return one


# ---------------------------------------------------------------- ticks


def test_a_new_schedule_is_first_due_a_period_from_now() -> None:
    one = schedule(HOUR)

    assert not one.is_due(NOW + HOUR - MICROSECOND)
    assert one.is_due(NOW + HOUR)


@given(schedules(), delays, fractions)
def test_ticks_stay_on_their_grid_whenever_they_are_fired(
    one: Schedule, late: timedelta, fraction: float
) -> None:
    following = one.fired(one.next_run_at + late, fraction)

    assert (following.tick_at - one.tick_at) % one.every == timedelta(0)
    assert (following.dataset, following.every) == (one.dataset, one.every)


@given(schedules(), delays, fractions)
def test_no_point_of_the_grid_is_fired_twice(
    one: Schedule, late: timedelta, fraction: float
) -> None:
    now = one.next_run_at + late

    following = one.fired(now, fraction)

    assert following.tick_at > one.tick_at
    assert following.tick_at > now
    assert not following.is_due(now)


@given(schedules(), delays, fractions)
def test_missed_ticks_are_made_up_once(one: Schedule, late: timedelta, fraction: float) -> None:
    now = one.next_run_at + late

    following = one.fired(now, fraction)

    assert following.tick_at <= now + one.every, "the very next point of the grid"


@given(schedules(), delays, fractions)
def test_a_run_comes_late_by_a_share_of_the_period_and_never_by_much(
    one: Schedule, late: timedelta, fraction: float
) -> None:
    following = one.fired(one.next_run_at + late, fraction)

    jitter = following.next_run_at - following.tick_at
    assert timedelta(0) <= jitter <= min(one.every * JITTER_SHARE, MAX_JITTER)
    assert following.next_run_at < following.tick_at + one.every


def test_the_fraction_decides_the_delay() -> None:
    runs = [schedule(MINUTE).fired(NOW + MINUTE, fraction) for fraction in (0.0, 0.5)]

    assert [run.next_run_at - run.tick_at for run in runs] == [
        timedelta(0),
        MINUTE * JITTER_SHARE / 2,
    ]


@given(periods, st.lists(fractions, min_size=1, max_size=20))
def test_a_schedule_checked_in_time_is_fired_once_a_period(
    every: timedelta, some: list[float]
) -> None:
    one = schedule(every)
    for number, fraction in enumerate(some, start=1):
        assert one.tick_at == NOW + number * every
        one = one.fired(one.next_run_at, fraction)


# ---------------------------------------------------------------- another period


@given(schedules())
def test_the_same_period_again_changes_nothing(one: Schedule) -> None:
    assert one.changed(one.every, NOW) == one


@given(schedules(), periods, delays)
def test_with_another_period_the_next_run_comes_no_later_than_that_from_now(
    one: Schedule, every: timedelta, passed: timedelta
) -> None:
    now = NOW + passed

    other = one.changed(every, now)

    assert other.every == every
    if every != one.every:
        assert other.next_run_at == min(one.next_run_at, now + every)
        assert other.tick_at == min(one.tick_at, now + every)
    assert other.tick_at <= other.next_run_at
    assert other.failures == one.failures


def test_a_shorter_period_begins_at_once_and_a_longer_one_after_the_tick_that_was_promised() -> (
    None
):
    assert schedule(HOUR).changed(MINUTE, NOW).next_run_at == NOW + MINUTE
    assert schedule(HOUR).changed(DAY, NOW).next_run_at == NOW + HOUR


# ---------------------------------------------------------------- how fetches end

settlings = st.tuples(st.booleans(), st.none() | st.timedeltas(-HOUR, timedelta(days=9)), delays)


@given(schedules(), settlings)
def test_no_end_of_a_fetch_moves_the_next_run_forward_except_a_success_after_failures(
    one: Schedule, settling: tuple[bool, timedelta | None, timedelta]
) -> None:
    ok, not_before, passed = settling
    now = NOW + passed

    settled = one.after_run(ok, None if not_before is None else now + not_before, now)

    if not (ok and one.failures):
        assert settled.next_run_at >= one.next_run_at
    assert settled.next_run_at >= min(one.next_run_at, now)
    assert settled == msgspec.structs.replace(
        one,
        failures=settled.failures,
        next_run_at=settled.next_run_at,
        moved_at=settled.moved_at,
    )


@given(schedules(), settlings)
def test_no_end_of_a_fetch_moves_the_next_run_further_back_than_allowed(
    one: Schedule, settling: tuple[bool, timedelta | None, timedelta]
) -> None:
    ok, not_before, passed = settling
    now = NOW + passed

    settled = one.after_run(ok, None if not_before is None else now + not_before, now)

    furthest = max(LONGEST_BACKOFF, one.every, LONGEST_BLOCK)
    assert settled.next_run_at <= max(one.next_run_at, now + furthest)


@given(periods, st.integers(0, 10_000))
def test_one_failure_more_never_shortens_the_wait(every: timedelta, failures: int) -> None:
    one, more = (
        schedule(every, failures=count).after_run(False, None, NOW)
        for count in (failures, failures + 1)
    )

    assert (one.failures, more.failures) == (failures + 1, failures + 2)
    assert one.next_run_at <= more.next_run_at
    assert more.next_run_at >= NOW + every


def test_the_wait_doubles_with_every_failure_but_the_first_up_to_an_hour() -> None:
    one, waits = schedule(10 * MINUTE), []
    for _ in range(6):
        one = one.after_run(False, None, NOW)
        waits.append((one.next_run_at - NOW) // MINUTE)

    assert waits == [10, 20, 40, 60, 60, 60]


@pytest.mark.parametrize("every", [HOUR, 3 * HOUR, LONGEST_PERIOD])
def test_a_long_period_is_wait_enough(every: timedelta) -> None:
    assert schedule(every, failures=99).after_run(False, None, NOW).next_run_at == NOW + every


@given(schedules())
def test_a_success_resets_the_failures(one: Schedule) -> None:
    settled = one.after_run(True, None, NOW)

    assert settled.failures == 0
    usual = max(one.tick_at + min(one.every / 10, MAX_JITTER), NOW + one.every)
    assert settled.next_run_at == (min(one.next_run_at, usual) if one.failures else one.next_run_at)


@given(schedules())
def test_a_failure_of_a_manual_fetch_is_not_counted(one: Schedule) -> None:
    assert one.after_run(False, None, NOW, by_hand=True).failures == one.failures


@pytest.mark.parametrize("ok", [True, False])
@pytest.mark.parametrize(
    ("asked_for", "waited"),
    [
        (-HOUR, HOUR),
        (MINUTE, HOUR),
        (2 * HOUR, 2 * HOUR),
        (DAY, DAY),
        (30 * DAY, DAY),
    ],
)
def test_the_upstream_may_postpone_the_next_run_by_a_day(
    ok: bool, asked_for: timedelta, waited: timedelta
) -> None:
    settled = schedule(HOUR).after_run(ok, NOW + asked_for, NOW)

    assert settled.next_run_at == NOW + waited


def test_of_failures_and_the_upstream_the_later_time_decides() -> None:
    failing = schedule(10 * MINUTE, failures=1)

    assert failing.after_run(False, NOW + HOUR, NOW).next_run_at == NOW + HOUR
    assert failing.after_run(False, NOW + MINUTE, NOW).next_run_at == NOW + 20 * MINUTE


@given(schedules(), st.timedeltas(timedelta(0), DAY), fractions)
def test_after_a_postponed_run_the_ticks_stay_on_their_grid(
    one: Schedule, push: timedelta, fraction: float
) -> None:
    pushed = one.after_run(True, one.next_run_at + push, one.next_run_at)

    following = pushed.fired(pushed.next_run_at, fraction)

    assert (following.tick_at - one.tick_at) % one.every == timedelta(0)
    assert following.tick_at > pushed.next_run_at


# ---------------------------------------------------------------- a clock that was set back


@given(schedules(), st.timedeltas(timedelta(0), timedelta(days=400)))
def test_a_clock_set_back_keeps_the_grid_and_makes_no_wait_longer(
    one: Schedule, back: timedelta
) -> None:
    now = one.moved_at - back

    bounded = one.bounded(now)

    assert bounded.tick_at <= now + one.every + min(one.every * JITTER_SHARE, MAX_JITTER)
    assert (one.tick_at - bounded.tick_at) % one.every == timedelta(0)
    assert bounded.tick_at <= bounded.next_run_at
    waited = max(one.next_run_at - one.moved_at, bounded.tick_at - now)
    assert bounded.next_run_at - now <= waited
    assert bounded.bounded(now) == bounded


def test_a_schedule_of_a_clock_that_goes_on_is_left_as_it_is() -> None:
    one = schedule(HOUR)

    assert one.bounded(NOW) is one
    assert one.bounded(NOW + DAY) is one
