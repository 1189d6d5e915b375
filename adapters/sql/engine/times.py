"""Times as SQL keeps them: whole microseconds since the epoch, and NULL for none."""

from datetime import UTC, datetime, timedelta
from typing import overload

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@overload
def to_micros(moment: datetime) -> int: ...
@overload
def to_micros(moment: datetime | None) -> int | None: ...


def to_micros(moment: datetime | None) -> int | None:
    """A time as whole microseconds since the epoch."""
    return None if moment is None else (moment - _EPOCH) // _MICROSECOND


@overload
def from_micros(micros: int) -> datetime: ...
@overload
def from_micros(micros: int | None) -> datetime | None: ...


def from_micros(micros: int | None) -> datetime | None:
    """The time of so many microseconds since the epoch."""
    return None if micros is None else _EPOCH + micros * _MICROSECOND
