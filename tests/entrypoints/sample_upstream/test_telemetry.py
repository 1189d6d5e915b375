"""The sample upstream as the telemetry server: a point for each request."""

import json
import math
import struct
from datetime import UTC, datetime
from typing import Any

import httpx
from hypothesis import given
from hypothesis import strategies as st

from entrypoints.sample_upstream import SampleUpstream
from entrypoints.sample_upstream.documents import encode
from entrypoints.sample_upstream.telemetry import point

NOON = datetime(2026, 3, 1, 12, 0, 0, 500_000, tzinfo=UTC)
HOUR_S = 3600


def value_of(served: dict[str, Any]) -> float:
    """Return the value of the four bytes."""
    (value,) = struct.unpack("<f", bytes(served["value"]))
    return float(value)


async def many(client: httpx.AsyncClient, number: int = 200) -> list[dict[str, Any]]:
    return [(await client.get("/telemetry")).json() for _ in range(number)]


@given(st.floats(width=32, allow_nan=False))
def test_every_float32_comes_through(value: float) -> None:
    served = json.loads(encode(point(0, value, [])))

    assert len(served["value"]) == 4
    assert all(0 <= byte <= 255 for byte in served["value"])
    # Compared with their signs: 0.0 equals -0.0.
    assert struct.pack("<d", value_of(served)) == struct.pack("<d", value)


def test_a_value_is_spelled_as_the_real_server_spells_it() -> None:
    assert point(1713798477, -0.19938130676746368, []) == {
        "time": 1713798477,
        "value": [157, 42, 76, 190],
        "tags": [],
    }


async def test_every_request_is_given_another_point(client: httpx.AsyncClient) -> None:
    points = await many(client)

    assert len({tuple(one["value"]) for one in points}) == len(points)
    assert all(list(one) == ["time", "value", "tags"] for one in points)
    assert all(math.isfinite(value_of(one)) for one in points)


async def test_most_points_are_good_and_some_are_tagged_or_late(
    client: httpx.AsyncClient, upstream: SampleUpstream
) -> None:
    upstream.now = lambda: NOON
    now = int(NOON.timestamp())

    points = await many(client)

    tags = [tuple(one["tags"]) for one in points]
    late = [one for one in points if one["time"] < now - HOUR_S]
    good = [one for one in points if one["time"] == now and not one["tags"]]
    assert set(tags) == {(), ("system",), ("suspect",)}
    assert all(not one["tags"] for one in late)
    assert len(good) > 140
    assert len(late) > 2
    assert len(good) + len(late) + sum(map(bool, tags)) == 200


async def test_the_same_seed_gives_the_same_points() -> None:
    first, same, other = SampleUpstream(), SampleUpstream(), SampleUpstream(seed=2)

    points = [[each.telemeter.next(NOON) for _ in range(50)] for each in (first, same, other)]

    assert points[0] == points[1]
    assert points[0] != points[2]


async def test_points_may_not_be_cached(client: httpx.AsyncClient) -> None:
    answer = await client.get("/telemetry")

    assert answer.headers["cache-control"] == "no-store"
    assert "etag" not in answer.headers


async def test_serves_the_queued_points_and_then_generated_ones(
    client: httpx.AsyncClient, upstream: SampleUpstream
) -> None:
    given_points = [
        {"time": 1713798477, "value": [157, 42, 76, 190], "tags": []},
        {"time": "?", "value": None},
    ]
    upstream.set_points(given_points)

    points = await many(client, 3)

    assert points[:2] == given_points
    assert len(points[2]["value"]) == 4
