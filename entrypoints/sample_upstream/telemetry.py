"""The telemetry server's points: one for each request, most of them valid."""

import random
import struct
from collections import deque
from datetime import datetime

from entrypoints.sample_upstream.documents import Record

FLOAT32 = struct.Struct("<f")
SYSTEM, SUSPECT, LATE = 0.08, 0.15, 0.2
"""The upper bounds of a random number below 1 for these kinds; above, a point is valid."""
LATE_SECONDS = (3700, 6 * 3600)


class Telemeter:
    """The source of points: queued ones first, then those of a seeded random walk."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)  # noqa: S311 - sample values, not secrets
        self._value = 20.0
        self._queued: deque[Record] = deque()

    def queue(self, points: list[Record]) -> None:
        """Serve exactly these points next, instead of earlier queued ones."""
        self._queued = deque(points)

    def next(self, now: datetime) -> Record:
        """Return the next point; a generated one is of now, tagged, or over an hour old."""
        if self._queued:
            return self._queued.popleft()
        self._value = self._value * 0.98 + self._chance.gauss(0, 1.5)
        kind, time = self._chance.random(), int(now.timestamp())
        tags = ["system"] if kind < SYSTEM else ["suspect"] if kind < SUSPECT else []
        if SUSPECT <= kind < LATE:
            time -= self._chance.randint(*LATE_SECONDS)
        return point(time, self._value, tags)


def point(time: int, value: float, tags: list[str]) -> Record:
    """Return a point as the telemetry server sends it; the value must fit a float32."""
    return {"time": time, "value": value_bytes(value), "tags": tags}


def value_bytes(value: float) -> list[int]:
    """Return the four bytes of a little-endian float32."""
    return list(FLOAT32.pack(value))
