"""Values of settings that differ by dataset or by host."""

from collections.abc import Callable, Mapping
from typing import Generic, TypeVar

import msgspec

from adapters.outbound.polite.urls import ascii_key
from domain.politeness import Rate
from domain.units import rate

V = TypeVar("V")


class PerDataset(msgspec.Struct, Generic[V], frozen=True):
    """A default value, and other values for some datasets."""

    default: V
    special: Mapping[str, V]

    def of(self, dataset: str) -> V:
        """Return the value for a dataset."""
        return self.special.get(dataset, self.default)


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
