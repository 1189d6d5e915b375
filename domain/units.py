"""Parsers of units as people write them: durations, sizes and rates."""

import re
from datetime import timedelta

from domain.politeness import Rate

_DURATION = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,3})?)(s|m|h|d)")
_SIZE = re.compile(r"([0-9]{1,9})(B|KiB|MiB|GiB)")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_LONGEST_S = 10 * 365 * 86400
_BYTES = {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}


def duration(text: str) -> timedelta:
    """Read `30s`, `15m`, `2h` or `1d`."""
    match = _DURATION.fullmatch(text)
    if not match:
        raise ValueError("expected a duration such as 30s, 15m, 2h or 1d")
    seconds = float(match[1]) * _SECONDS[match[2]]
    if seconds > _LONGEST_S:
        raise ValueError("expected a duration of at most ten years")
    return timedelta(seconds=seconds)


def positive_duration(text: str) -> timedelta:
    """Read a duration above zero."""
    if not (read := duration(text)):
        raise ValueError("expected a duration above zero")
    return read


def size(text: str) -> int:
    """Read `512KiB` or `20MiB` as bytes."""
    match = _SIZE.fullmatch(text)
    if not match or not int(match[1]):
        raise ValueError("expected a size such as 512KiB or 20MiB")
    return int(match[1]) * _BYTES[match[2]]


def rate(text: str) -> Rate:
    """Read `60/1h` as 60 requests in any window of one hour."""
    count, _, window = text.partition("/")
    if not re.fullmatch(r"[1-9][0-9]{0,8}", count) or not duration(window or "0s"):
        raise ValueError("expected requests per window, such as 60/1h")
    return Rate(int(count), duration(window).total_seconds())
