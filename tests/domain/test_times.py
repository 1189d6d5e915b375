"""Times in upstream data: implausible ones are refused, to the microsecond."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.times import EARLIEST, MOST_AHEAD, check_time, time_of

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
SECOND = timedelta(seconds=1)


@pytest.mark.parametrize("time", [EARLIEST, NOW, NOW + MOST_AHEAD])
def test_a_time_within_bounds_is_plausible(time: datetime) -> None:
    check_time(time, NOW)

    assert time_of(int(time.timestamp()), NOW) == time


@pytest.mark.parametrize(
    ("time", "reason"),
    [
        (EARLIEST - MICROSECOND, "before the year 2000"),
        (datetime(1970, 1, 1, tzinfo=UTC), "before the year 2000"),
        (datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14))), "before the year 2000"),
        (NOW + MOST_AHEAD + MICROSECOND, "more than a day ahead"),
        (datetime(9999, 12, 31, 23, 59, tzinfo=timezone(-timedelta(hours=14))), "a day ahead"),
    ],
)
def test_an_implausible_time_is_refused(time: datetime, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        check_time(time, NOW)


@pytest.mark.parametrize(
    ("seconds", "reason"),
    [
        (int((EARLIEST - SECOND).timestamp()), "before the year 2000"),
        (0, "before the year 2000"),
        (-(10**30), "before the year 2000"),
        (int((NOW + MOST_AHEAD + SECOND).timestamp()), "more than a day ahead"),
        (1_713_798_477_000, "more than a day ahead of its arrival; Unix seconds were expected"),
        (10**30, "more than a day ahead"),
    ],
)
def test_implausible_seconds_are_refused(seconds: int, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        time_of(seconds, NOW)


@given(st.integers())
def test_any_number_of_seconds_is_a_time_or_refused(seconds: int) -> None:
    try:
        time = time_of(seconds, NOW)
    except ValueError:
        return

    assert time.timestamp() == seconds
    check_time(time, NOW)
