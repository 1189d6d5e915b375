"""Figures: named measurements, from which ratios are formed."""

import statistics
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple


class Figure(NamedTuple):
    """A measured number; `name` is `measure/engine/what`.

    `cpu_us` is the server's CPU time for one request, if measured: it means the same as the rate,
    and hardly depends on what else the machine is doing.
    """

    name: str
    value: float
    unit: str
    cpu_us: float | None = None


class Figures:
    """The figures of a run, in the order of measurement."""

    def __init__(self, figures: Iterable[Figure] = ()) -> None:
        self._by_name = {figure.name: figure for figure in figures}

    def __iter__(self) -> Iterator[Figure]:
        return iter(self._by_name.values())

    def add(self, figure: Figure) -> None:
        """Add a figure."""
        self._by_name[figure.name] = figure

    def get(self, name: str) -> float | None:
        """Return the value of a figure, if it was measured."""
        figure = self._by_name.get(name)
        return None if figure is None else figure.value

    def over(self, name: str, other: str) -> float | None:
        """Return one figure divided by another; None unless both were measured."""
        value, limit = self.get(name), self.get(other)
        return None if value is None or not limit else value / limit

    def beginning(self, start: str) -> list[Figure]:
        """Return the figures whose names begin so."""
        return [figure for figure in self if figure.name.startswith(start)]

    def as_json(self) -> list[dict[str, Any]]:
        """Return the figures as JSON values."""
        return [figure._asdict() for figure in self]

    @classmethod
    def from_json(cls, figures: Iterable[dict[str, Any]]) -> "Figures":
        """Return the figures from the result of `as_json`."""
        return cls(Figure(**each) for each in figures)


def median(values: Iterable[float]) -> float:
    """Return the median."""
    return statistics.median(values)


def percentile(values: Iterable[float], of: float) -> float:
    """Return the value at a fraction (0 to 1) of the sorted values."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * of))]
