"""Politeness: budgets that hold in every window, breakers, blocks, retries and freshness."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from domain.checkpoints import Checkpoint, Freshness
from domain.jobs import JobStatus
from domain.politeness import (
    BREAKER_LONGEST_S,
    BREAKER_MINIMUM,
    BREAKER_OPEN_S,
    BREAKER_WINDOW,
    LONGEST_BLOCK,
    MAX_TRIES,
    PROBE_S,
    RETRIES_FLOOR,
    RETRY_BASE_S,
    RETRY_CAP_S,
    Admission,
    Breaker,
    Cadence,
    Host,
    Outcomes,
    Rate,
    clamp_block_s,
    retry_delay_s,
)

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
NOW_S = NOW.timestamp()
MINUTE = timedelta(minutes=1)
QUICK = Rate(1000, 1.0)

rates = st.builds(Rate, st.integers(1, 60), st.sampled_from([0.5, 1.0, 10.0, 60.0, 3600.0]))


def checkpoint(source: str = "one", fetched_at: datetime = NOW) -> Checkpoint:
    """Return a source that answered then."""
    return Checkpoint(source=source, fetched_at=fetched_at, job_id="job")


def known(*checkpoints: Checkpoint, last: JobStatus | None = JobStatus.SUCCEEDED) -> Freshness:
    """Return what is known of a dataset."""
    return Freshness(1, checkpoints, last)


# ---------------------------------------------------------------- freshness


def test_a_source_that_never_answered_is_due() -> None:
    assert Cadence().is_due(None, NOW)


@pytest.mark.parametrize(
    ("seconds", "due"), [(0, False), (59.999999, False), (60, True), (61, True)]
)
def test_a_source_is_due_when_the_interval_has_passed(seconds: float, due: bool) -> None:
    cadence = Cadence(interval=MINUTE)

    assert cadence.is_due(checkpoint(), NOW + timedelta(seconds=seconds)) is due


def test_a_tick_finds_a_source_due_half_a_period_after_its_answer() -> None:
    cadence = Cadence(interval=MINUTE, every=MINUTE)

    assert cadence.is_due(checkpoint(), NOW + MINUTE / 2, scheduled=True)
    assert not cadence.is_due(checkpoint(), NOW + MINUTE / 3, scheduled=True)
    assert not cadence.is_due(checkpoint(), NOW + MINUTE / 2)
    assert not Cadence(interval=MINUTE).is_due(checkpoint(), NOW + MINUTE / 2, scheduled=True)


def test_the_next_fetch_is_allowed_when_the_first_source_is_due() -> None:
    freshness = known(checkpoint("one"), checkpoint("two", NOW - timedelta(seconds=20)))

    cadence = Cadence(interval=MINUTE)

    assert cadence.next_allowed_at(freshness, NOW) == NOW + timedelta(seconds=40)
    assert cadence.next_allowed_at(Freshness(), NOW) is None


@pytest.mark.parametrize(
    ("cadence", "stale_from"),
    [
        (Cadence(stale_after=MINUTE), MINUTE),
        (Cadence(every=MINUTE), MINUTE * 2),
        (Cadence(every=MINUTE, stale_after=MINUTE * 5), MINUTE * 5),
    ],
)
def test_data_is_stale_when_the_last_success_is_too_long_ago(
    cadence: Cadence, stale_from: timedelta
) -> None:
    freshness = known(checkpoint(), last=JobStatus.FAILED)

    assert not cadence.is_stale(freshness, NOW + stale_from)
    assert cadence.is_stale(freshness, NOW + stale_from + timedelta(microseconds=1))


def test_data_is_not_stale_before_a_run_that_the_upstream_postponed() -> None:
    freshness = Freshness(1, (checkpoint(),), JobStatus.SUCCEEDED, NOW + MINUTE * 60)
    failing = msgspec.structs.replace(freshness, last_status=JobStatus.FAILED)
    cadence = Cadence(every=MINUTE)

    assert cadence.stale_at(freshness) == NOW + MINUTE * 61
    assert cadence.stale_at(failing) == NOW + MINUTE * 2
    assert Cadence(every=MINUTE, stale_after=MINUTE).stale_at(freshness) == NOW + MINUTE


def test_data_never_fetched_is_stale() -> None:
    assert Cadence(stale_after=MINUTE).is_stale(Freshness(), NOW)
    assert Cadence().is_stale(Freshness(), NOW)


@pytest.mark.parametrize("status", [None, *JobStatus])
def test_without_a_schedule_only_a_failure_makes_data_stale(
    status: JobStatus | None,
) -> None:
    freshness = known(checkpoint(), last=status)

    assert Cadence().is_stale(freshness, NOW + MINUTE * 9999) is (status is JobStatus.FAILED)


# ---------------------------------------------------------------- rate


def _busiest(times: list[float], window_s: float) -> int:
    """Return the most requests in any window; `times` are in order."""
    busiest = start = 0
    for end, time in enumerate(times):
        while time - times[start] >= window_s:
            start += 1
        busiest = max(busiest, end - start + 1)
    return busiest


@given(
    rates,
    st.lists(st.floats(0.0, 3.0) | st.sampled_from([0.0, 0.01, 1.0]), min_size=1, max_size=200),
)
def test_no_window_ever_holds_more_requests_than_agreed(rate: Rate, pauses: list[float]) -> None:
    host, now_s, left = Host(), NOW_S, []
    for pause in pauses:
        now_s += pause * rate.spacing_s
        host, verdict, _ = host.spend(rate, now_s)
        if verdict is Admission.GO:
            left.append(now_s)

    assert _busiest(left, rate.window_s) <= rate.count


def _greedy(rate: Rate, windows: int) -> list[float]:
    host, now_s, left = Host(), NOW_S, list[float]()
    while now_s < NOW_S + windows * rate.window_s:
        host, verdict, now_s = host.spend(rate, now_s)
        if verdict is Admission.GO:
            left.append(now_s)
    return left


@given(rates)
def test_a_request_at_the_announced_time_is_allowed(rate: Rate) -> None:
    left = _greedy(rate, windows=3)

    assert _busiest(left, rate.window_s) <= rate.count
    assert len(left) >= 2


@pytest.mark.parametrize("count", [*range(5, 40), 99, 100, 101, 1000])
def test_steady_demand_gets_four_fifths_of_what_was_agreed(count: int) -> None:
    windows = 20

    left = _greedy(Rate(count, 60.0), windows)

    assert len(left) >= 0.8 * count * windows


def test_an_idle_host_saves_no_more_than_its_burst() -> None:
    rate = Rate(100, 10.0)
    host = Host(arrival_s=NOW_S - 1e6)
    verdicts = []
    for _ in range(rate.burst + 1):
        host, verdict, _ = host.spend(rate, NOW_S)
        verdicts.append(verdict)

    assert verdicts == [Admission.GO] * 10 + [Admission.BUDGET]


@given(rates, st.lists(st.floats(0.0, 3.0), max_size=30))
def test_what_is_left_is_what_is_admitted_at_once(rate: Rate, pauses: list[float]) -> None:
    host, now_s = Host(), NOW_S
    for pause in pauses:
        now_s += pause * rate.spacing_s
        host, _, _ = host.spend(rate, now_s)

    def admitted(pause_s: float) -> int:
        asking, count, at_s = host, 0, now_s
        while asking.spend(rate, at_s + pause_s)[1] is Admission.GO:
            at_s += pause_s
            asking, count = asking.spend(rate, at_s)[0], count + 1
        return count

    # Times have a resolution: what is admitted within it may count already.
    assert admitted(0.0) <= host.left(rate, now_s) <= admitted(rate.spacing_s / 500)


def test_nothing_is_left_behind_an_open_breaker_and_one_probe_behind_a_half_open_one() -> None:
    host = failing(BREAKER_MINIMUM)

    assert host.left(QUICK, NOW_S) == 0
    assert host.left(QUICK, NOW_S + BREAKER_OPEN_S) == 1


def test_a_refused_request_costs_nothing() -> None:
    rate = Rate(1, 10.0)
    spent, _, _ = Host().spend(rate, NOW_S)

    again, verdict, at_s = spent.spend(rate, NOW_S)

    assert (again, verdict) == (spent, Admission.BUDGET)
    assert at_s == pytest.approx(NOW_S + rate.spacing_s)


# ---------------------------------------------------------------- blocks


@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6))
def test_a_block_lasts_as_long_as_the_longest_one_and_at_most_a_day(a: float, b: float) -> None:
    host = Host().block(NOW_S + a, NOW_S).block(NOW_S + b, NOW_S)

    expected_s = max(0.0, min(NOW_S + max(a, b), NOW_S + LONGEST_BLOCK.total_seconds()))
    assert host.blocked_until_s == expected_s


def test_a_blocked_host_is_asked_when_the_block_is_over() -> None:
    host = Host().block(NOW_S + 30, NOW_S)

    assert host.spend(QUICK, NOW_S + 29.9)[1:] == (Admission.BLOCKED, NOW_S + 30)
    assert host.spend(QUICK, NOW_S + 30)[1] is Admission.GO


@given(st.floats())
def test_a_waiting_time_is_bounded(seconds: float) -> None:
    clamped = clamp_block_s(seconds)

    assert 0.0 <= clamped <= LONGEST_BLOCK.total_seconds()
    if 0 <= seconds <= LONGEST_BLOCK.total_seconds():
        assert clamped == seconds


# ---------------------------------------------------------------- retries


@given(st.integers(1, 100), st.floats(0.0, 1.0, exclude_max=True))
def test_a_retry_waits_between_nothing_and_its_ceiling(failures: int, fraction: float) -> None:
    delay_s = retry_delay_s(failures, fraction)

    assert 0.0 <= delay_s <= RETRY_CAP_S


def test_the_ceiling_doubles_until_the_cap() -> None:
    ceilings = [retry_delay_s(failures, 1.0) for failures in (1, 2, 3, MAX_TRIES, 50)]

    assert ceilings == [RETRY_BASE_S, 1.0, 2.0, 4.0, RETRY_CAP_S]


def test_retries_are_a_share_of_the_successes() -> None:
    host = Host()
    for _ in range(3):
        host, verdict, _ = host.spend(QUICK, NOW_S, retry=True)
        assert verdict is Admission.GO

    refused, verdict, at_s = host.spend(QUICK, NOW_S, retry=True)
    assert (refused, verdict, at_s) == (host, Admission.RETRIES, NOW_S)

    for _ in range(5):
        host, _, _ = host.spend(QUICK, NOW_S)
    assert host.spend(QUICK, NOW_S, retry=True)[1] is Admission.GO


def test_retries_cannot_be_saved_up_for_ever() -> None:
    host = Host(credit=RETRIES_FLOOR)
    for step in range(500):
        host, _, _ = host.spend(QUICK, NOW_S + step)

    assert host.credit == 10.0


# ---------------------------------------------------------------- breaker


def failing(times: int, host: Host = Host(), now_s: float = NOW_S) -> Host:  # noqa: B008
    """Return a host that failed so often."""
    for _ in range(times):
        host = host.record_outcome(False, now_s)
    return host


def test_a_few_failures_do_not_open_the_breaker() -> None:
    assert failing(BREAKER_MINIMUM - 1).breaker(NOW_S) is Breaker.CLOSED


def test_the_breaker_opens_when_half_of_the_last_calls_failed() -> None:
    host = Host(outcomes=Outcomes("1111"))

    assert failing(3, host).breaker(NOW_S) is Breaker.CLOSED
    assert failing(4, host).breaker(NOW_S) is Breaker.OPEN


def test_a_success_never_opens_the_breaker() -> None:
    host = Host(outcomes=Outcomes("0000"))

    assert host.record_outcome(True, NOW_S).breaker(NOW_S) is Breaker.CLOSED
    assert host.record_outcome(False, NOW_S).breaker(NOW_S) is Breaker.OPEN


def test_only_the_last_calls_count() -> None:
    host = Host()
    for _ in range(1000):
        host = host.record_outcome(True, NOW_S)

    assert host.outcomes == "1" * BREAKER_WINDOW
    assert failing(BREAKER_WINDOW // 2 - 1, host).breaker(NOW_S) is Breaker.CLOSED
    assert failing(BREAKER_WINDOW // 2, host).breaker(NOW_S) is Breaker.OPEN


def test_an_open_breaker_lets_nothing_pass_until_it_is_half_open() -> None:
    host = failing(BREAKER_MINIMUM)

    refused, verdict, at_s = host.spend(QUICK, NOW_S)

    assert (refused, verdict, at_s) == (host, Admission.BREAKER, NOW_S + BREAKER_OPEN_S)
    assert host.breaker(at_s) is Breaker.HALF_OPEN


def test_a_request_sent_before_the_breaker_opened_decides_nothing() -> None:
    host = failing(BREAKER_MINIMUM)

    assert host.record_outcome(False, NOW_S + 1) == host
    assert host.record_outcome(True, NOW_S + 1) == host


def test_a_successful_probe_closes_the_breaker() -> None:
    at_s = NOW_S + BREAKER_OPEN_S
    probing, verdict, _ = failing(BREAKER_MINIMUM).spend(QUICK, at_s)

    closed = probing.record_outcome(True, at_s + 1)

    assert verdict is Admission.GO
    assert closed.breaker(at_s + 1) is Breaker.CLOSED
    assert (closed.outcomes, closed.open_for_s) == ("", 0.0)


def test_a_failed_probe_opens_it_for_twice_as_long_up_to_a_limit() -> None:
    host, now_s, lengths = failing(BREAKER_MINIMUM), NOW_S, []
    for _ in range(7):
        now_s = host.open_until_s
        host, _, _ = host.spend(QUICK, now_s)
        host = host.record_outcome(False, now_s)
        lengths.append(host.open_until_s - now_s)

    assert lengths == [
        60.0,
        120.0,
        240.0,
        480.0,
        BREAKER_LONGEST_S,
        BREAKER_LONGEST_S,
        BREAKER_LONGEST_S,
    ]


def test_a_probe_without_a_result_frees_its_place() -> None:
    at_s = NOW_S + BREAKER_OPEN_S
    probing, _, _ = failing(BREAKER_MINIMUM).spend(QUICK, at_s)

    assert probing.spend(QUICK, at_s + PROBE_S - 1)[1:] == (Admission.BREAKER, at_s + PROBE_S)
    assert probing.spend(QUICK, at_s + PROBE_S)[1] is Admission.GO


_LEGAL = {
    (Breaker.CLOSED, Breaker.OPEN),
    (Breaker.OPEN, Breaker.HALF_OPEN),
    (Breaker.HALF_OPEN, Breaker.OPEN),  # the probe is out
    (Breaker.OPEN, Breaker.CLOSED),  # … and came back well
    (Breaker.HALF_OPEN, Breaker.CLOSED),  # … and came back well, though late
}


class BreakerMachine(RuleBasedStateMachine):
    """Requests leave and end in any order while time passes."""

    def __init__(self) -> None:
        super().__init__()
        self.host = Host()
        self.now_s = NOW_S
        self.before = Breaker.CLOSED
        self.under_way = 0
        self.probe_until_s = 0.0
        self.probed = False

    @rule(seconds=st.sampled_from([0.1, 29.0, 61.0]))
    def time_passes(self, seconds: float) -> None:
        self.now_s += seconds

    @rule()
    def request_leaves(self) -> None:
        state = self.host.breaker(self.now_s)
        self.host, verdict, _ = self.host.spend(QUICK, self.now_s)
        assert (verdict is Admission.BREAKER) is (state is Breaker.OPEN)
        if verdict is Admission.GO:
            self.under_way += 1
            if state is Breaker.HALF_OPEN:
                assert self.now_s >= self.probe_until_s, "one probe at a time"
                self.probe_until_s = self.now_s + PROBE_S
                self.probed = True

    @precondition(lambda self: self.under_way > 0)
    @rule(ok=st.booleans())
    def request_ends(self, ok: bool) -> None:
        self.under_way -= 1
        opened = self.host.open_for_s > 0
        self.host = self.host.record_outcome(ok, self.now_s)
        if opened and not self.host.open_for_s:
            assert self.probed, "only a probe closes a breaker"
        if self.probed:
            self.probe_until_s, self.probed = 0.0, False

    @invariant()
    def every_step_is_legal(self) -> None:
        now = self.host.breaker(self.now_s)
        assert now is self.before or (self.before, now) in _LEGAL
        self.before = now


TestBreaker = BreakerMachine.TestCase


# ---------------------------------------------------------------- a clock that was set back


def test_a_clock_set_back_holds_no_request_up_for_longer_than_one_spacing() -> None:
    rate = Rate(10, 1.0)
    host = Host()
    for _ in range(5):
        host, _, ask_again_s = host.spend(rate, NOW_S)

    _, verdict, ask_again_s = host.spend(rate, NOW_S - 3600)

    assert verdict is Admission.BUDGET
    assert ask_again_s <= NOW_S - 3600 + rate.spacing_s * rate.burst


def test_a_clock_set_back_keeps_no_breaker_open_for_longer_than_it_opened() -> None:
    host = Host()
    for _ in range(BREAKER_MINIMUM):
        host = host.record_outcome(False, NOW_S)

    _, verdict, ask_again_s = host.spend(QUICK, NOW_S - 3600)

    assert verdict is Admission.BREAKER
    assert ask_again_s <= NOW_S - 3600 + max(BREAKER_OPEN_S, PROBE_S)


def test_a_clock_set_back_makes_a_source_due() -> None:
    cadence = Cadence(interval=MINUTE)

    assert cadence.is_due(checkpoint(), NOW - timedelta(hours=1))
    assert not cadence.is_due(checkpoint(), NOW - timedelta(seconds=1))


@given(st.floats(1, 1e6))
def test_a_clock_set_back_makes_no_wait_for_a_host_longer(back_s: float) -> None:
    host = Host().block(NOW_S + 600, NOW_S)
    for _ in range(BREAKER_MINIMUM):
        host = host.record_outcome(False, NOW_S)

    seen = host.at(NOW_S - back_s)

    now_s = NOW_S - back_s
    assert seen.blocked_until_s - now_s == pytest.approx(600)
    assert seen.open_until_s - now_s == pytest.approx(BREAKER_OPEN_S)
    assert seen.at(now_s) is seen


def test_a_block_that_ends_sooner_than_the_one_there_is_changes_nothing() -> None:
    host = Host().block(NOW_S + 600, NOW_S)

    assert host.block(NOW_S + 60, NOW_S + 1) is host


def test_the_next_fetch_is_allowed_an_interval_after_a_clock_was_set_back() -> None:
    cadence, now = Cadence(interval=MINUTE), NOW - timedelta(hours=1)

    assert cadence.next_allowed_at(known(checkpoint()), now) == now + MINUTE


def test_data_of_a_time_further_ahead_than_it_stays_fresh_is_stale() -> None:
    cadence = Cadence(stale_after=MINUTE)

    assert cadence.is_stale(known(checkpoint()), NOW - 2 * MINUTE)
    assert not cadence.is_stale(known(checkpoint()), NOW - MINUTE)
    assert cadence.fresh_from(Freshness()) is None


def test_data_may_be_stale_at_once() -> None:
    cadence = Cadence(every=MINUTE, stale_after=timedelta(0))

    assert cadence.is_stale(known(checkpoint()), NOW + timedelta(seconds=1))


def test_scheduled_data_is_fresh_for_half_a_period_and_other_data_for_the_interval() -> None:
    interval, every = timedelta(seconds=60), timedelta(minutes=15)

    assert Cadence(interval=interval, every=every).fresh_for == every / 2
    assert Cadence(interval=interval).fresh_for == interval
