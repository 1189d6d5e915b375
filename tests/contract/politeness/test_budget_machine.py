"""A budget against the log of its grants, through any order of calls, outcomes and blocks."""

import asyncio
from datetime import datetime, timedelta

from hypothesis import strategies as st
from hypothesis.stateful import invariant, precondition, rule

from domain.politeness import Admission, Breaker
from tests.contract.backends import RATES, Open
from tests.contract.machines import Machine, hold_to

HOST = "strict.example"
COUNT, WINDOW = RATES[HOST].count, timedelta(seconds=RATES[HOST].window_s)
OPEN_FOR, LONGEST_OPEN, PROBE = timedelta(seconds=30), timedelta(minutes=15), timedelta(seconds=60)
TINY = timedelta(microseconds=2)
LAST, LEAST = 20, 5


class BudgetMachine(Machine):
    """Requests are admitted or not, succeed or fail, and the host demands pauses."""

    def __init__(self, open_backend: Open, runner: asyncio.Runner) -> None:
        super().__init__(open_backend, runner)
        self.granted: list[datetime] = []
        self.out = 0
        self.blocked_until = self.now
        self.outcomes: list[bool] = []
        #: When the open breaker lets a probe through, how long it is open, and when one left.
        self.opens_at: datetime | None = None
        self.open_for = OPEN_FOR
        self.probing_until: datetime | None = None

    @property
    def now(self) -> datetime:
        return self.backend.clock.now()

    @rule(seconds=st.sampled_from([0.1, 1.0, 2.1, 10.0, 31.0, 60.0]))
    def time_passes(self, seconds: float) -> None:
        self.backend.clock.advance(seconds)

    @rule(retry=st.booleans())
    def spend(self, retry: bool) -> None:
        verdict, again_at = self.run(self.backend.budget.spend(HOST, retry))
        if verdict is Admission.GO:
            self.goes()
        elif verdict is Admission.BLOCKED:
            assert abs(again_at - self.blocked_until) <= TINY
        elif verdict is Admission.BREAKER:
            waits = self.probing_until or self.opens_at
            assert waits is not None
            assert abs(again_at - waits) <= TINY
        elif verdict is Admission.RETRIES:
            assert retry
        else:
            assert again_at > self.now

    def goes(self) -> None:
        """Record an admitted request; it must have been allowed."""
        assert self.now >= self.blocked_until - TINY
        if self.opens_at is not None:
            assert self.now >= self.opens_at - TINY
            assert self.probing_until is None or self.now >= self.probing_until - TINY
            self.probing_until = self.now + PROBE
        self.granted.append(self.now)
        self.out += 1

    @rule()
    def wait_as_returned(self) -> None:
        verdict, again_at = self.run(self.backend.budget.spend(HOST))
        if verdict is Admission.GO:
            self.goes()
            return
        self.backend.clock.advance(again_at - self.now)
        verdict, later = self.run(self.backend.budget.spend(HOST))
        if verdict is Admission.GO:
            self.goes()
        else:
            # There was more than one thing in the way; each names a later time.
            assert later > self.now

    @precondition(lambda self: self.out > 0)
    @rule(ok=st.booleans() | st.just(False))
    def a_request_ends(self, ok: bool) -> None:
        self.run(self.backend.budget.record_outcome(HOST, ok))
        self.out -= 1
        if self.opens_at is not None:
            if self.probing_until is not None:
                self.probe_ends(ok)
            return
        self.outcomes = [*self.outcomes, ok][-LAST:]
        bad = self.outcomes.count(False)
        if not ok and len(self.outcomes) >= LEAST and 2 * bad >= len(self.outcomes):
            self.opens(OPEN_FOR)

    def probe_ends(self, ok: bool) -> None:
        """Return a probe decides: closed, or open for twice as long."""
        if ok:
            self.opens_at = self.probing_until = None
            self.outcomes = []
        else:
            self.opens(min(self.open_for * 2, LONGEST_OPEN))

    def opens(self, open_for: timedelta) -> None:
        """Return the breaker opens."""
        self.open_for, self.opens_at, self.probing_until = open_for, self.now + open_for, None
        self.outcomes = []

    @rule(seconds=st.sampled_from([1.0, 15.0, 90.0]))
    def the_host_asks_to_be_left_alone(self, seconds: float) -> None:
        until = self.now + timedelta(seconds=seconds)
        self.run(self.backend.budget.block(HOST, until))
        self.blocked_until = max(self.blocked_until, until)

    @invariant()
    def no_window_holds_more_than_the_rate_allows(self) -> None:
        if len(self.granted) > COUNT:
            assert self.granted[-1] - self.granted[-1 - COUNT] >= WINDOW

    @invariant()
    def the_breaker_is_that_of_the_model(self) -> None:
        state = self.run(self.backend.budget.state(HOST)).breaker(self.now.timestamp())
        waits = self.probing_until or self.opens_at
        if waits is None:
            assert state is Breaker.CLOSED
        elif abs(waits - self.now) > TINY:
            assert state is (Breaker.OPEN if self.now < waits else Breaker.HALF_OPEN)


def test_a_budget_agrees_with_its_log_whatever_happens(open_backend: Open) -> None:
    hold_to(BudgetMachine, open_backend, steps=40)
