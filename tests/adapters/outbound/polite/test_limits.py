"""When to come back is understood in every form it is told (U2-U5, U39)."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.outbound.polite.messages import http_date, wait_s

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LATER = NOW + timedelta(seconds=7)
DAY_S = 86_400.0


def told(*values: str) -> float | None:
    return wait_s({"retry-after": values}, NOW)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7.0),
        (" 7 ", 7.0),
        ("0", 0.0),
        ("1.5", 1.5),
        ("1e9", DAY_S),
        ("1000000000", DAY_S),
        ("9" * 400, None),
        ("-5", None),
        ("abc", None),
        ("", None),
        ("nan", None),
        ("inf", None),
        ("1_000", None),
        ("٧", None),
        ("7, 30", None),
        (format_datetime(LATER, usegmt=True), 7.0),
        (LATER.strftime("%A, %d-%b-%y %H:%M:%S GMT"), 7.0),
        (LATER.strftime("%a %b %e %H:%M:%S %Y"), 7.0),
        (format_datetime(NOW + timedelta(days=3), usegmt=True), DAY_S),
        (format_datetime(NOW - timedelta(hours=1), usegmt=True), None),
        ("Thu, 99 Foo 20xx 25:61:61", None),
        ("Fri, 31 Dec 9999 23:59:59 -2359", None),
    ],
)
def test_every_form_of_retry_after(value: str, seconds: float | None) -> None:
    assert told(value) == seconds


def test_of_several_values_the_longest_counts() -> None:
    assert told("7", "abc", "30") == 30.0


@given(st.text(max_size=80))
def test_no_value_breaks_it_and_none_is_out_of_bounds(value: str) -> None:
    seconds = told(value)

    assert seconds is None or 0.0 <= seconds <= DAY_S


def test_a_used_up_rate_limit_tells_when_it_is_reset() -> None:
    reset = str(int(NOW.timestamp()) + 60)

    assert wait_s({"x-ratelimit-remaining": ("0",), "x-ratelimit-reset": (reset,)}, NOW) == 60.0
    assert wait_s({"x-ratelimit-remaining": ("3",), "x-ratelimit-reset": (reset,)}, NOW) is None
    assert wait_s({"x-ratelimit-remaining": ("0",), "x-ratelimit-reset": ("60",)}, NOW) is None
    assert wait_s({"x-ratelimit-remaining": ("0",)}, NOW) is None


@pytest.mark.parametrize("text", ["", "7", "yesterday", "Sun, 06 Nov 99994 08:49:37 GMT", "x" * 99])
def test_what_is_no_date_is_none(text: str) -> None:
    assert http_date(text) is None
