"""Times in upstream data: implausible ones are refused, to the microsecond."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.times import EARLIEST, MOST_AHEAD, check_time, parse_time, time_of

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


# ---------------------------------------------------------------- read

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
#: Ways to write a moment, each with what it does to the digits behind the point.
SPELLINGS = (
    "{date}T{clock}{zone}",
    "{date}t{clock}{zone}",
    "{date} {clock}{zone}",
    "{date} {clock} {zone}",
)


@pytest.mark.parametrize(
    ("text", "microsecond"),
    [
        ("2026-01-31T12:00:00Z", 0),
        ("2026-01-31t12:00:00z", 0),
        ("2026-01-31 12:00:00+00:00", 0),
        ("2026-01-31 12:00:00+00", 0),
        ("2026-01-31T12:00:00+0000", 0),
        ("2026-01-31 14:00:00+0200", 0),
        ("2026-01-31 07:00:00 -0500 EST", 0),
        ("2026-01-31 12:00:00 UTC", 0),
        ("2026-01-31T12:00:00.1234567Z", 123_456),
        ("2026-01-31T12:00:00.123456789Z", 123_456),
        ("2026-01-31T12:00:00.9999999Z", 999_999),
        ("2026-01-31 12:00:00.5 +0000 UTC", 500_000),
    ],
)
def test_a_time_is_read_as_rfc_3339_pandas_sql_and_go_write_it(text: str, microsecond: int) -> None:
    assert parse_time(text) == NOON.replace(microsecond=microsecond)


@given(
    st.datetimes(*(datetime(year, 1, 1) for year in (2, 9998))),  # noqa: DTZ001 - as it is drawn
    st.integers(-14 * 60, 14 * 60),
    st.sampled_from(SPELLINGS),
    st.sampled_from(["%+03d:%02d", "%+03d%02d"]),
    st.text("0123456789", max_size=3),
)
def test_any_time_reads_back_however_it_is_spelled(
    naive: datetime, minutes: int, spelling: str, zones: str, more: str
) -> None:
    zone = timezone(timedelta(minutes=minutes))
    hours, rest = divmod(abs(minutes), 60)
    offset = zones % (hours, rest)
    text = spelling.format(
        date=f"{naive:%Y-%m-%d}".zfill(10),
        clock=f"{naive:%H:%M:%S.%f}{more}",
        zone=offset.replace("+", "-") if minutes < 0 else offset,
    )

    assert parse_time(text) == naive.replace(tzinfo=zone)


@pytest.mark.parametrize(
    "text",
    [
        "", "2026-01-31", "2026-01-31T12:00:00", "2026-01-31T12:00Z", "2026-01-31_12:00:00Z",
        "2026-02-30T12:00:00Z", "2026-01-31T24:00:00Z", "2026-01-31T12:00:00.Z",
        "2026-01-31T12:00:00+1:00", "2026-01-31T12:00:00+01:", "2026-01-31T12:00:00+99:00",
        "2026-01-31T12:00:00 01:00", "0001-01-01T00:00:00+01:00", "1767225600",
        "٢026-01-31T12:00:00Z",
        "2026-01-31T12:00:00Z\n",
    ],
)  # fmt: skip
def test_what_is_no_time_with_a_zone_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected a time with its zone") as refused:
        parse_time(text)

    assert "%2B" not in str(refused.value)
