"""Times: how they are parsed, which are plausible, and how they are stored and formatted."""

import re
from datetime import UTC, datetime, timedelta
from typing import overload

#: Earlier times come from clocks that were never set.
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
#: The tolerance for clocks that differ and time zones that are confused.
MOST_AHEAD = timedelta(days=1)
#: Go's zero time, for a time that was never set; other systems write it too.
NEVER_SET = datetime(1, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

#: RFC 3339, and how pandas, SQL and Go write the same: a blank for the T, `+0000`, `+00`, ` UTC`.
_TIME = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt ]((?:[01][0-9]|2[0-3]):[0-9]{2}:[0-9]{2})"
    r"(?:\.([0-9]{1,30}))? ?"
    r"(?:[Zz]|UTC|([+-][0-9]{2})(?::?([0-9]{2}))?(?: [A-Z]{1,5})?)"
)


def parse_time(text: str) -> datetime:
    """Parse a time with its zone, cut to microseconds, in UTC; raise ValueError if it is invalid.

    All times are parsed here, in JSON, in CSV and in query strings.
    """
    problem = "expected a time with its zone, such as 2026-01-31T12:00:00Z"
    found = _TIME.fullmatch(text)
    if found is None:
        raise ValueError(problem)
    date, clock, fraction, hours, minutes = found.groups()
    plain = f"{date}T{clock}.{(fraction or '')[:6]:0<6}{hours or '+00'}:{minutes or '00'}"
    try:
        return datetime.fromisoformat(plain).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ValueError(problem) from error


def check_time(time: datetime, received_at: datetime) -> None:
    """Raise ValueError, with the reason, if a time is implausible."""
    if time < EARLIEST:
        raise ValueError("the time lies before the year 2000")
    if time > received_at + MOST_AHEAD:
        raise ValueError("the time lies more than a day ahead of its arrival")


def time_of(seconds: int, received_at: datetime) -> datetime:
    """Return the time of Unix seconds; raise ValueError if it is implausible."""
    # Compared as numbers first: a far time, such as one in milliseconds, does not fit a datetime.
    if seconds < EARLIEST.timestamp():
        raise ValueError("the time lies before the year 2000; Unix seconds were expected")
    if seconds > (received_at + MOST_AHEAD).timestamp():
        raise ValueError(
            "the time lies more than a day ahead of its arrival; Unix seconds were expected"
        )
    return datetime.fromtimestamp(seconds, UTC)


@overload
def to_micros(time: datetime) -> int: ...
@overload
def to_micros(time: datetime | None) -> int | None: ...


def to_micros(time: datetime | None) -> int | None:
    """Return a time as whole microseconds since the epoch."""
    return None if time is None else (time - _EPOCH) // MICROSECOND


@overload
def from_micros(micros: int) -> datetime: ...
@overload
def from_micros(micros: int | None) -> datetime | None: ...


def from_micros(micros: int | None) -> datetime | None:
    """Return the time of so many microseconds since the epoch."""
    return None if micros is None else _EPOCH + micros * MICROSECOND


def shown(time: datetime | None) -> str:
    """Return a time as text for a sentence."""
    return "-" if time is None else f"{time:%Y-%m-%dT%H:%M:%SZ}"
