"""Times upstreams name: which of them can be meant."""

from datetime import UTC, datetime, timedelta

#: Nothing we keep was measured before: an earlier time is a clock that was never set.
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
#: Clocks differ, and zones are mistaken; what lies further ahead is no time of a measurement.
MOST_AHEAD = timedelta(days=1)


def check_time(moment: datetime, received_at: datetime) -> None:
    """Let a time pass that an upstream can mean; a ValueError says what is absurd about it."""
    if moment < EARLIEST:
        raise ValueError("the time lies before the year 2000")
    if moment > received_at + MOST_AHEAD:
        raise ValueError("the time lies more than a day ahead of its arrival")


def time_of(seconds: int, received_at: datetime) -> datetime:
    """The moment so many seconds after the epoch; a ValueError when it cannot be meant."""
    # Compared as numbers first: a moment far off, such as one in milliseconds, is no datetime.
    if seconds < EARLIEST.timestamp():
        raise ValueError("the time lies before the year 2000; Unix seconds were expected")
    if seconds > (received_at + MOST_AHEAD).timestamp():
        raise ValueError(
            "the time lies more than a day ahead of its arrival; Unix seconds were expected"
        )
    return datetime.fromtimestamp(seconds, UTC)
