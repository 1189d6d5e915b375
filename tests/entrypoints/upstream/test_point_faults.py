"""Faults of telemetry points."""

import json
import math
import struct
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from entrypoints.upstream import FAULTS, SampleUpstream

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
NOW = int(NOON.timestamp())
RIGHT = {"time": NOW, "value": [157, 42, 76, 190], "tags": []}
NAMES = [name for name in FAULTS if name.startswith("point-")]


@pytest.fixture
async def ask(client: httpx.AsyncClient, upstream: SampleUpstream) -> Any:
    async def asked(name: str) -> Any:
        upstream.now = lambda: NOON
        upstream.set_points([RIGHT, RIGHT])
        answer = await client.get(upstream.fault_url(name))
        assert answer.status_code == 200
        return json.loads(answer.content, parse_int=str if "5000" in name else int)

    return asked


@pytest.mark.parametrize("name", NAMES)
async def test_every_fault_spoils_the_point(ask: Any, name: str) -> None:
    assert await ask(name) != RIGHT


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("point-no-bytes", []),
        ("point-three-bytes", [157, 42, 76]),
        ("point-five-bytes", [157, 42, 76, 190, 0]),
        ("point-byte-256", [157, 256, 76, 190]),
        ("point-byte-negative", [157, -1, 76, 190]),
        ("point-byte-fraction", [157, 42.5, 76, 190]),
        ("point-byte-text", ["157", "42", "76", "190"]),
        ("point-byte-null", [157, None, 76, 190]),
        ("point-value-text", "nUxMvg=="),
        ("point-value-number", -0.19938),
        ("point-value-null", None),
    ],
)
async def test_the_value_is_no_float32(ask: Any, name: str, value: object) -> None:
    assert await ask(name) == {**RIGHT, "value": value}


@pytest.mark.parametrize(
    ("name", "value"),
    [("point-infinity", math.inf), ("point-negative-infinity", -math.inf), ("point-nan", math.nan)],
)
async def test_the_value_is_not_finite(ask: Any, name: str, value: float) -> None:
    point = await ask(name)

    assert str(struct.unpack("<f", bytes(point["value"]))[0]) == str(value)


@pytest.mark.parametrize(
    ("name", "time"),
    [
        ("point-time-zero", 0),
        ("point-time-negative", -86_400),
        ("point-time-far", 253_402_300_799),
        ("point-time-absurd", 10**15),
        ("point-time-huge", 2**64),
        ("point-time-5000-digits", "9" * 5000),
        ("point-time-text", "1713798477"),
        ("point-time-iso", "2024-04-22T15:07:57Z"),
        ("point-time-null", None),
        ("point-time-fraction", 1_713_798_477.25),
        ("point-time-milliseconds", NOW * 1000),
        ("point-time-tomorrow", NOW + 86_400),
    ],
)
async def test_the_time_is_absurd(ask: Any, name: str, time: object) -> None:
    assert (await ask(name))["time"] == time


async def test_the_time_is_not_a_number(ask: Any) -> None:
    assert math.isnan((await ask("point-time-nan"))["time"])


@pytest.mark.parametrize(
    ("name", "tags"),
    [("point-tags-text", "system"), ("point-tags-null", None), ("point-tags-numbers", [1, 2])],
)
async def test_the_tags_are_no_texts(ask: Any, name: str, tags: object) -> None:
    assert await ask(name) == {**RIGHT, "tags": tags}


@pytest.mark.parametrize("field", ["time", "value", "tags"])
async def test_a_field_is_missing(ask: Any, field: str) -> None:
    assert await ask(f"point-no-{field}") == {name: RIGHT[name] for name in RIGHT if name != field}


async def test_it_is_no_point(ask: Any) -> None:
    assert await ask("point-list") == [RIGHT, RIGHT]
    assert await ask("point-null") is None


async def test_it_may_have_a_field_more(ask: Any) -> None:
    assert await ask("point-new-field") == {**RIGHT, "unit": "kPa"}
