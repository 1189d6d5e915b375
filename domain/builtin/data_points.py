"""Data points: single measurements, and which of them are valid."""

import hashlib
import math
import struct
from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

from domain.dataset import Dataset, Role
from domain.fields import fields_of
from domain.filters import Condition, Filter, Operator
from domain.times import time_of

#: A point that arrives later than this after its measurement is invalid.
OLDEST = timedelta(hours=1)
TOO_OLD = "too old"
#: A point with one of these tags is about the machine itself, or doubtful.
UNTRUSTED = frozenset({"system", "suspect"})

_FLOAT32 = struct.Struct("<f")
_ID_DIGITS = 16


class DataPoint(msgspec.Struct, frozen=True, kw_only=True):
    """One measurement; `tags` are the upstream's, and `too old` for a late arrival."""

    id: str
    time: datetime
    value: float
    valid: bool
    tags: tuple[str, ...] = ()


_VALID = Filter((Condition(fields_of(DataPoint)["valid"], Operator.EQ, True),))

DATA_POINTS = Dataset(
    name="data_points",
    record=DataPoint,
    key=("id",),
    # A point that is sent again later would be too old then.
    keeps_first=True,
    default_sort="-time",
    # Users read valid points by time, admins all of them.
    indexes=(("valid", "time"), ("time",)),
    read_by=Role.USER,
    fetch_by=Role.ADMIN,
    visible={Role.ANYONE: _VALID, Role.USER: _VALID},
)


def point_of(
    time: int, value: Sequence[int], tags: Sequence[str], received_at: datetime
) -> DataPoint:
    """Return the point of Unix seconds and bytes; raise ValueError if there is none.

    Its age depends on its time of arrival, so that processing it again gives the same point.
    """
    measured_at, number = time_of(time, received_at), float32_of(value)
    late = received_at - measured_at > OLDEST
    return DataPoint(
        id=id_of(time, value, tags),
        time=measured_at,
        value=number,
        valid=not late and UNTRUSTED.isdisjoint(tags),
        tags=(*tags, TOO_OLD) if late and TOO_OLD not in tags else tuple(tags),
    )


def float32_of(value: Sequence[int]) -> float:
    """Return the number in four little-endian bytes; raise ValueError if there is none."""
    if len(value) != _FLOAT32.size:
        raise ValueError(f"the value has {len(value)} bytes, and {_FLOAT32.size} were expected")
    if not all(0 <= byte <= 255 for byte in value):
        raise ValueError("the value holds numbers outside 0 to 255, which are not bytes")
    [number] = _FLOAT32.unpack(bytes(value))
    if not math.isfinite(number):
        raise ValueError("the value is not a finite number")
    return float(number)


def id_of(time: int, value: Sequence[int], tags: Sequence[str]) -> str:
    """Return the identifier of a point, which is equal for equal points.

    It is the first 16 hexadecimal digits of the SHA-256 of `[time,[bytes],[tags]]` as JSON without
    spaces in UTF-8, with the tags as they were received, in their order.
    """
    canonical = msgspec.json.encode((time, value, tags))
    return hashlib.sha256(canonical).hexdigest()[:_ID_DIGITS]
