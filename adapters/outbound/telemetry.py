"""Telemetry: a machine that answers with its latest measurement, one at a time."""

import msgspec

from adapters.outbound.json_list import JsonListSource
from domain.builtin.data_points import DataPoint, point_of
from domain.payloads import Payload


class PointPayload(msgspec.Struct):
    """A point as the machine spells it: Unix seconds, and the bytes of a float32."""

    time: int
    value: list[int]
    tags: list[str]


class TelemetrySource(JsonListSource[PointPayload, DataPoint]):
    """The machine's latest point, or that of anything that answers like it."""

    name = "telemetry"
    normaliser_version = "telemetry-1"
    payload = PointPayload
    single = True

    def record(self, element: PointPayload, payload: Payload) -> DataPoint:
        """The point, judged by when it arrived."""
        return point_of(element.time, element.value, element.tags, payload.received_at)
