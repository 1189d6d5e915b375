"""Telemetry: one point at a time, from a machine that answers over a real socket."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from adapters.memory.system import SteerableClock
from adapters.outbound.builtin.data_points import telemetry
from adapters.outbound.sources import HttpSource
from domain.builtin.data_points import DATA_POINTS, DataPoint, id_of, point_of
from domain.payloads import Payload
from domain.reports import Counts, SourceReport, SourceStatus
from tests.adapters.outbound.client_fixture import Answering, ClientFixture, open_client, reply

NOW = SteerableClock().now()
AT = int(NOW.timestamp())
BYTES = [157, 42, 76, 190]
POINT = {"time": AT, "value": BYTES, "tags": []}


def told(point: Any) -> bytes:
    """A machine's reply."""
    body = point if isinstance(point, bytes) else json.dumps(point).encode()
    return reply(body, "Content-Type: application/json")


@pytest.fixture
async def machine() -> AsyncIterator[Answering]:
    """A machine whose replies can be set."""
    async with Answering(told(POINT)) as machine:
        yield machine


@pytest.fixture
async def fixture(machine: Answering) -> AsyncIterator[ClientFixture]:
    """A client that may ask it."""
    async with open_client(allowed_private=frozenset({machine.place})) as fixture:
        yield fixture


@pytest.fixture
def source(fixture: ClientFixture, machine: Answering) -> HttpSource[DataPoint]:
    """The source that asks it."""
    return HttpSource(telemetry(machine.url("/point")), fixture.client)


async def fetched(fixture: ClientFixture, source: HttpSource[DataPoint]) -> SourceReport:
    """What a fetch gave."""
    return await fixture.gather(DATA_POINTS, source)


async def test_a_point_is_a_record(fixture: ClientFixture, source: HttpSource[DataPoint]) -> None:
    report = await fetched(fixture, source)

    assert report.counts == Counts(received=1, inserted=1)
    assert fixture.records(DATA_POINTS) == [
        DATA_POINTS.stored(
            DataPoint(
                id=id_of(AT, BYTES, []), time=NOW, value=-0.19938130676746368, valid=True, tags=()
            ),
            NOW,
        )
    ]


async def test_points_add_up(
    fixture: ClientFixture, source: HttpSource[DataPoint], machine: Answering
) -> None:
    machine.replies = [told(POINT | {"time": AT - number}) for number in range(3)]

    reports = [await fetched(fixture, source) for _ in range(3)]

    assert [report.counts.inserted for report in reports] == [1, 1, 1]
    assert len(fixture.records(DATA_POINTS)) == 3


async def test_the_same_point_again_is_the_same_record(
    fixture: ClientFixture, source: HttpSource[DataPoint], machine: Answering
) -> None:
    machine.replies = [told(POINT), told(POINT | {"time": AT - 1}), told(POINT)]

    reports = [await fetched(fixture, source) for _ in range(3)]

    assert reports[2].counts == Counts(received=1, unchanged=1)
    assert len(fixture.records(DATA_POINTS)) == 2


@pytest.mark.parametrize(
    ("late_s", "tags", "valid", "kept"),
    [
        (3600, [], True, ()),
        (3601, [], False, ("too old",)),
        (0, ["suspect"], False, ("suspect",)),
        (9999, ["system"], False, ("system", "too old")),
    ],
)
async def test_a_point_is_judged_when_it_arrives(
    fixture: ClientFixture,
    source: HttpSource[DataPoint],
    machine: Answering,
    late_s: int,
    tags: list[str],
    valid: bool,
    kept: tuple[str, ...],
) -> None:
    machine.replies = [told(POINT | {"tags": tags})]
    fixture.clock.advance(late_s)

    await fetched(fixture, source)

    [point] = fixture.records(DATA_POINTS)
    assert (point.valid, point.tags) == (valid, kept)


async def test_a_point_that_is_read_again_later_is_what_it_was(
    fixture: ClientFixture, source: HttpSource[DataPoint]
) -> None:
    await fetched(fixture, source)
    [kept] = fixture.database.kept["data_points", "telemetry"]
    fixture.clock.advance(9999)

    again = source.normalise(kept)

    assert again.records == [point_of(AT, BYTES, [], NOW)]
    assert again == source.normalise(kept)


@pytest.mark.parametrize(
    ("changed", "pointer", "reason"),
    [
        ({"value": BYTES[:3]}, "", "the value has 3 bytes, and 4 were expected"),
        ({"value": [*BYTES, 0]}, "", "the value has 5 bytes, and 4 were expected"),
        ({"value": [256, 0, 0, 0]}, "", "numbers outside 0 to 255, which are not bytes"),
        ({"value": [-1, 0, 0, 0]}, "", "numbers outside 0 to 255, which are not bytes"),
        ({"value": [0, 0, 128, 127]}, "", "not a finite number"),
        ({"value": [0, 0, 192, 127]}, "", "not a finite number"),
        ({"value": [0, 0, 0, "x"]}, "/value/3", "Expected `int`, got `str`"),
        ({"value": -0.199}, "/value", "Expected `array`, got `float`"),
        ({"value": "nUx2vg=="}, "/value", "Expected `array`, got `str`"),
        ({"time": 0}, "", "before the year 2000"),
        ({"time": AT * 1000}, "", "more than a day ahead of its arrival; Unix seconds"),
        ({"time": AT + 86_401}, "", "more than a day ahead"),
        ({"time": 10**30}, "", "more than a day ahead"),
        ({"time": f"{AT}s"}, "/time", "Expected `int`, got `str`"),
        ({"time": None}, "/time", "Expected `int`, got `null`"),
        ({"tags": None}, "/tags", "Expected `array`, got `null`"),
        ({"tags": [1]}, "/tags/0", "Expected `str`, got `int`"),
    ],
)
async def test_an_invalid_point_is_quarantined(
    fixture: ClientFixture,
    source: HttpSource[DataPoint],
    machine: Answering,
    changed: dict[str, Any],
    pointer: str,
    reason: str,
) -> None:
    machine.replies = [told(POINT | changed)]

    report = await fetched(fixture, source)

    assert report.counts == Counts(received=1, quarantined=1)
    assert report.status is SourceStatus.PARTIAL
    [(where, why)] = fixture.rejections
    assert where == pointer
    assert reason in why


async def test_u23_a_tag_with_a_nul_is_quarantined(
    fixture: ClientFixture, source: HttpSource[DataPoint], machine: Answering
) -> None:
    machine.replies = [told(POINT | {"tags": ["a\0b"]})]

    await fetched(fixture, source)

    assert fixture.rejections[0][1] == "tags holds the character U+0000"


@pytest.mark.parametrize(
    "body", [b"[]", b"[" + json.dumps(POINT).encode() + b"]", b"42", b"null", b"<html>"]
)
async def test_an_answer_that_is_no_point_fails(
    fixture: ClientFixture, source: HttpSource[DataPoint], machine: Answering, body: bytes
) -> None:
    machine.replies = [told(body)]

    report = await fetched(fixture, source)

    assert report.error is not None
    assert report.error.code == "unexpected_content"


def test_the_same_payload_gives_the_same_batch(source: HttpSource[DataPoint]) -> None:
    payload = Payload(url="", body=json.dumps(POINT).encode(), received_at=NOW)

    assert source.normalise(payload) == source.normalise(payload)
