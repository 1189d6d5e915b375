"""The source of data points: a machine that returns its latest measurement."""

import msgspec

from domain.builtin.data_points import DataPoint, point_of
from domain.pages import LinkHeader, Pages
from domain.payloads import Payload
from domain.sources import JsonFormat, RecordMapping, Request, SourceDefinition


class PointPayload(msgspec.Struct):
    """A point as the machine sends it: Unix seconds, and the bytes of a float32."""

    time: int
    value: list[int]
    tags: list[str]


def telemetry(url: str) -> SourceDefinition[DataPoint]:
    """Return the source of a machine's latest point."""
    return SourceDefinition(
        name="telemetry",
        request=Request(url),
        pages=Pages(paginator=LinkHeader()),
        format=JsonFormat(single=True),
        mapping=RecordMapping(PointPayload, _point),
        normaliser_version="telemetry-1",
    )


def _point(element: PointPayload, payload: Payload) -> DataPoint:
    return point_of(element.time, element.value, element.tags, payload.received_at)
