"""Units of settings: durations, sizes, rates, and values per dataset."""

import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Generic, TypeVar

import msgspec

from adapters.outbound.polite.urls import ascii_key
from domain.politeness import Rate

V = TypeVar("V")

_DURATION = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,3})?)(s|m|h|d)")
_SIZE = re.compile(r"([0-9]{1,9})(B|KiB|MiB|GiB)")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_LONGEST_S = 10 * 365 * 86400
_BYTES = {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}


class PerDataset(msgspec.Struct, Generic[V], frozen=True):
    """A default value, and other values for some datasets."""

    default: V
    special: Mapping[str, V]

    def of(self, dataset: str) -> V:
        """Return the value for a dataset."""
        return self.special.get(dataset, self.default)


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


def per_dataset(read: Callable[[str], V]) -> Callable[[str], PerDataset[V]]:
    """Read `60s,posts=5m`: a value for all, then others by name."""

    def parse(text: str) -> PerDataset[V]:
        default, *special = text.split(",")
        pairs = [item.partition("=") for item in special]
        if "=" in default or any(not separator for _, separator, _ in pairs):
            raise ValueError("expected one value for all, then name=value for some: 60s,posts=5m")
        return PerDataset(read(default), {name.strip(): read(value) for name, _, value in pairs})

    return parse


def rates(text: str) -> dict[str, Rate]:
    """Read `api.github.com=60/1h,127.0.0.1:8900=20/5s`."""
    pairs = [item.rpartition("=") for item in text.split(",") if item]
    if any(not separator or not host for host, separator, _ in pairs):
        raise ValueError("expected host=count/window, such as api.github.com=60/1h")
    return {ascii_key(host.strip()): rate(value) for host, _, value in pairs}
