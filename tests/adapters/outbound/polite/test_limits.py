"""When to come back is understood in every form it is told (U2-U5, U39)."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.outbound.polite.headers import http_date
from adapters.outbound.polite.rate_headers import is_used_up, renewed_s, wait_s

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
        ("7, 30", 30.0),
        ("2026-01-01T00:00:07Z", 7.0),
        (str(int(LATER.timestamp())), 7.0),
        (str(int(LATER.timestamp()) * 1000), 7.0),
        (str(int(NOW.timestamp()) - 7), None),
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


def test_a_used_up_rate_limit_has_the_time_of_its_reset() -> None:
    reset = str(int(NOW.timestamp()) + 60)

    assert wait_s({"x-ratelimit-remaining": ("0",), "x-ratelimit-reset": (reset,)}, NOW) == 60.0
    assert wait_s({"x-ratelimit-remaining": ("3",), "x-ratelimit-reset": (reset,)}, NOW) is None
    assert wait_s({"x-ratelimit-remaining": ("0",)}, NOW) is None


SPELLINGS: dict[str, Callable[[datetime, int], str]] = {
    "seconds from now": lambda now, s: str(s),
    "with a fraction": lambda now, s: f"{s}.0",
    "as Go writes durations": lambda now, s: f"{s // 60}m{s % 60}s",
    "since the epoch": lambda now, s: str(int(now.timestamp()) + s),
    "milliseconds since the epoch": lambda now, s: str((int(now.timestamp()) + s) * 1000),
    "microseconds since the epoch": lambda now, s: str((int(now.timestamp()) + s) * 10**6),
    "an HTTP date": lambda now, s: format_datetime(now + timedelta(seconds=s), usegmt=True),
    "RFC 3339": lambda now, s: (now + timedelta(seconds=s)).isoformat().replace("+00:00", "Z"),
    "without a zone": lambda now, s: str((now + timedelta(seconds=s)).replace(tzinfo=None)),
}
PAIRS = [
    ("x-ratelimit-remaining", "x-ratelimit-reset"),
    ("x-rate-limit-remaining", "x-rate-limit-reset"),
    ("ratelimit-remaining", "ratelimit-reset"),
    ("rate-limit-remaining", "rate-limit-reset"),
    ("x-ratelimit-remaining", "x-ratelimit-reset-after"),
    ("ratelimit-remaining", "ratelimit-resettime"),
    ("x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"),
    ("x-ratelimit-remaining-minute", "ratelimit-reset"),
]


@given(
    st.integers(0, 86_400),
    st.sampled_from(sorted(SPELLINGS)),
    st.sampled_from(PAIRS),
    st.sampled_from(["0", "0.0", " 0", "0;w=60"]),
    st.timedeltas(timedelta(days=-900), timedelta(days=900)),
)
def test_every_spelling_of_a_reset_means_the_same_wait(
    seconds: int, spelling: str, names: tuple[str, str], left: str, skew: timedelta
) -> None:
    there = (NOW + skew).replace(microsecond=0)
    headers = {
        names[0]: (left,),
        names[1]: (SPELLINGS[spelling](there, seconds),),
        "date": (format_datetime(there, usegmt=True),),
    }

    assert renewed_s(headers, NOW) == wait_s(headers, NOW) == float(seconds)
    assert is_used_up(headers)


@pytest.mark.parametrize(
    ("limit", "policy", "seconds"),
    [
        ("limit=100, remaining=0, reset=50", "", 50.0),
        ("limit=100;remaining=0;reset=50", "100;w=60", 50.0),
        ("limit=100, remaining=0", "100;w=60", 60.0),
        ('"default";r=0;t=30', "", 30.0),
        ('"burst";r=5;t=30, "daily";r=0;t=3600', "", 3600.0),
        ('"a, \\"b";r=0;t=7', "", 7.0),
        ('"daily";r=0', '"burst";q=10;w=1, "daily";q=1000;w=86400', 86_400.0),
        ('"daily"; r=0', '"daily"; q=1000; w=600; pk=:YWJj:', 600.0),
        ('"other";r=0', '"burst";q=10;w=1, "daily";q=1000;w=86400', None),
        ('"default";r=1;t=30', "", None),
        ("limit=100, remaining=1, reset=50", "", None),
        ("", "", None),
        (";", ";", None),
        (",;,", "", None),
    ],
)
def test_structured_limits_of_both_drafts(limit: str, policy: str, seconds: float | None) -> None:
    headers = {"ratelimit": (limit,), "ratelimit-policy": (policy,)}

    assert renewed_s(headers, NOW) == seconds


@pytest.mark.parametrize(
    "reset",
    [
        "4e9",
        "99999999999",
        "1",
        "-5",
        "",
        "soon",
        "1e30",
        "9" * 20,
        "2126-01-01",
        "1h2x",
        "12.5.7s",
    ],
)
def test_an_absurd_reset_is_none(reset: str) -> None:
    past = {"x-ratelimit-remaining": ("0",), "x-ratelimit-reset": (reset,)}

    assert renewed_s(past, NOW) == (1.0 if reset == "1" else None)


@given(
    st.dictionaries(
        st.sampled_from(["ratelimit", "ratelimit-policy", "x-ratelimit-remaining", "date"]),
        st.tuples(st.text(max_size=40) | st.text('"r=0;t,w ', max_size=40)),
    )
)
def test_no_limit_breaks_it(headers: dict[str, tuple[str]]) -> None:
    seconds = renewed_s(headers, NOW)

    assert seconds is None or 0.0 <= seconds <= DAY_S


@pytest.mark.parametrize("text", ["", "7", "yesterday", "Sun, 06 Nov 99994 08:49:37 GMT", "x" * 99])
def test_what_is_no_date_is_none(text: str) -> None:
    assert http_date(text) is None
