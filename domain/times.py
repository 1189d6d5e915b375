"""Times in upstream data: which of them are plausible."""

from datetime import UTC, datetime, timedelta

#: Earlier times come from clocks that were never set.
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
#: Clocks differ and zones are confused, but by no more than this.
MOST_AHEAD = timedelta(days=1)


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
