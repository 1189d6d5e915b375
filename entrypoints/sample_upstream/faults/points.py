"""Faults of telemetry points: invalid float32 values, invalid times, missing fields."""

from collections.abc import Callable

import msgspec

from entrypoints.sample_upstream.documents import Record, encode
from entrypoints.sample_upstream.exchange import Exchange, Handler
from entrypoints.sample_upstream.faults.fault import Fault, befalling
from entrypoints.sample_upstream.subjects import POINT
from entrypoints.sample_upstream.telemetry import value_bytes

MILLISECONDS = 1000


def changed(change: Callable[[Record], Record]) -> Handler:
    """Return a handler that answers with the next point, changed."""

    async def play(exchange: Exchange) -> None:
        await exchange.answer(200, encode(change(exchange.state.next_point())))

    return play


def having(field: str, value: object) -> Handler:
    """Return a handler that answers with this value of a field."""
    return changed(lambda point: {**point, field: value})


def lacking(field: str) -> Handler:
    """Return a handler that answers without the field."""
    return changed(lambda point: {name: point[name] for name in point if name != field})


async def a_list(exchange: Exchange) -> None:
    """Answer with a list of two points instead of one."""
    await exchange.answer(200, encode([exchange.state.next_point() for _ in range(2)]))


async def nothing(exchange: Exchange) -> None:
    """Answer with null instead of a point."""
    await exchange.answer(200, b"null")


VALUES: dict[str, tuple[str, object]] = {
    "no-bytes": ("Its value has no bytes.", []),
    "three-bytes": ("Its value has three bytes.", [157, 42, 76]),
    "five-bytes": ("Its value has five bytes.", [157, 42, 76, 190, 0]),
    "byte-256": ("One of its bytes is 256.", [157, 256, 76, 190]),
    "byte-negative": ("One of its bytes is -1.", [157, -1, 76, 190]),
    "byte-fraction": ("One of its bytes is 42.5.", [157, 42.5, 76, 190]),
    "byte-text": ("Its bytes are strings.", ["157", "42", "76", "190"]),
    "byte-null": ("One of its bytes is null.", [157, None, 76, 190]),
    "value-text": ("Its value is a string.", "nUxMvg=="),
    "value-number": ("Its value is a number.", -0.199380),
    "value-null": ("Its value is null.", None),
    "nan": ("Its value is a float32 that is not a number.", value_bytes(float("nan"))),
    "infinity": ("Its value is a float32 that is infinite.", value_bytes(float("inf"))),
    "negative-infinity": ("Its value is minus infinity.", value_bytes(float("-inf"))),
}
TIMES: dict[str, tuple[str, object]] = {
    "time-zero": ("Its time is in 1970.", 0),
    "time-negative": ("Its time is before 1970.", -86_400),
    "time-far": ("Its time is in the year 9999.", 253_402_300_799),
    "time-absurd": ("Its time is in no year of the calendar.", 10**15),
    "time-huge": ("Its time does not fit 64 bits.", 2**64),
    "time-5000-digits": ("Its time has 5000 digits.", msgspec.Raw(b"9" * 5000)),
    "time-nan": ("Its time is NaN.", msgspec.Raw(b"NaN")),
    "time-text": ("Its time is a string.", "1713798477"),
    "time-iso": ("Its time is an ISO date.", "2024-04-22T15:07:57Z"),
    "time-null": ("Its time is null.", None),
    "time-fraction": ("Its time has a fraction.", 1_713_798_477.25),
}
TAGS: dict[str, tuple[str, object]] = {
    "tags-text": ("Its tags are a string.", "system"),
    "tags-null": ("Its tags are null.", None),
    "tags-numbers": ("Its tags are numbers.", [1, 2]),
}


def _faults(field: str, values: dict[str, tuple[str, object]]) -> dict[str, Fault]:
    return {
        f"point-{name}": Fault(description, having(field, value))
        for name, (description, value) in values.items()
    }


def _later(seconds: int) -> Handler:
    return changed(lambda point: {**point, "time": point["time"] + seconds})


POINTS = befalling(
    {
        **_faults("value", VALUES),
        **_faults("time", TIMES),
        "point-time-milliseconds": Fault(
            "Its time is in milliseconds.",
            changed(lambda point: {**point, "time": point["time"] * MILLISECONDS}),
        ),
        "point-time-tomorrow": Fault("Its time is tomorrow.", _later(86_400)),
        **_faults("tags", TAGS),
        "point-no-time": Fault("It has no time.", lacking("time")),
        "point-no-value": Fault("It has no value.", lacking("value")),
        "point-no-tags": Fault("It has no tags.", lacking("tags")),
        "point-new-field": Fault("It has another field.", having("unit", "kPa")),
        "point-list": Fault("Two points come in a list.", a_list),
        "point-null": Fault("null comes instead of a point.", nothing),
    },
    POINT,
)
