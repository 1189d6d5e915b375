"""Throttling: allowances of clients, and waits after password attempts."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.politeness import Rate
from domain.throttling import (
    FORGOTTEN,
    FREE_GUESSES,
    FREE_GUESSES_OF_STRANGERS,
    LONGEST_LOCK,
    Attempts,
    Guess,
    allowance,
    spacing_s,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)
NOTHING = Guess(Attempts(), Attempts())


# ---------------------------------------------------------------- requests


def test_a_client_that_has_spent_nothing_has_everything_left() -> None:
    found = allowance(Rate(10, 60.0), 0.0, allowed=True)

    assert (found.left, found.wait_s) == (10, 0.0)


def test_a_client_that_has_spent_everything_waits_for_one_request() -> None:
    found = allowance(Rate(10, 60.0), 60.0, allowed=False)

    assert (found.allowed, found.left, found.wait_s) == (False, 0, 6.0)


@given(st.integers(1, 1000), st.floats(1, 3600), st.integers(0, 1000))
def test_each_request_takes_one_away(count: int, window_s: float, spent: int) -> None:
    rate = Rate(count, window_s)

    found = allowance(rate, spent * spacing_s(rate), allowed=True)

    assert found.left == max(0, count - spent)
    assert (found.wait_s > 0) is (spent >= count)


# ---------------------------------------------------------------- guesses


def guessed(times: int, start: Guess = NOTHING, now: datetime = NOW) -> Guess:
    """So many wrong guesses, each as soon as it may be made."""
    for _ in range(times):
        now += timedelta(seconds=start.wait_s(now))
        start = start.after_attempt(now)
    return start


def test_a_few_wrong_passwords_cause_no_wait() -> None:
    assert guessed(FREE_GUESSES - 1).wait_s(NOW) == 0


@pytest.mark.parametrize(("more", "wait_s"), [(0, 1), (1, 2), (2, 4), (9, 512)])
def test_each_wrong_guess_after_those_doubles_the_wait(more: int, wait_s: int) -> None:
    now, guess = NOW, NOTHING
    for _ in range(FREE_GUESSES + more):
        now += timedelta(seconds=guess.wait_s(now))
        guess = guess.after_attempt(now)

    assert guess.wait_s(now) == wait_s


def test_the_wait_has_an_end() -> None:
    now, guess = NOW, NOTHING
    for _ in range(60):
        now += timedelta(seconds=guess.wait_s(now))
        guess = guess.after_attempt(now)

    assert guess.wait_s(now) == LONGEST_LOCK.total_seconds()


def test_after_a_day_the_count_starts_from_zero() -> None:
    tired = guessed(FREE_GUESSES)
    assert tired.here.seen_at is not None

    just_not = tired.after_attempt(tired.here.seen_at + FORGOTTEN)
    later = tired.after_attempt(tired.here.seen_at + FORGOTTEN + timedelta(microseconds=1))

    assert just_not.here.failures == FREE_GUESSES + 1
    assert later.here.failures == 1


def test_a_right_guess_forgets_the_wrong_ones() -> None:
    guess = guessed(FREE_GUESSES + 3).succeeded(NOW)

    assert (guess.here, guess.wait_s(NOW)) == (Attempts(known=True, seen_at=NOW), 0)


def test_a_right_guess_does_not_count_against_unknown_networks() -> None:
    guess = NOTHING.after_attempt(NOW).succeeded(NOW)

    assert guess.strangers.failures == 0


def test_guesses_from_many_places_add_up() -> None:
    strangers, now = Attempts(), NOW
    for _ in range(FREE_GUESSES_OF_STRANGERS):
        strangers = Guess(Attempts(), strangers).after_attempt(now).strangers

    assert Guess(Attempts(), strangers).wait_s(now) == 1


def test_in_a_network_with_an_earlier_login_they_do_not_count() -> None:
    strangers = Attempts(FREE_GUESSES_OF_STRANGERS, NOW + timedelta(minutes=5))
    owner = Guess(Attempts(known=True), strangers)

    assert owner.wait_s(NOW) == 0
    assert owner.after_attempt(NOW).strangers == strangers
    assert owner.after_attempt(NOW).succeeded(NOW).strangers == strangers
