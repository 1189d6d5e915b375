"""Figures: what was measured, each with a name of its own, so that ratios can be formed."""

import statistics
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple


class Figure(NamedTuple):
    """One measured number; `name` is `measure/engine/what`, and more of `unit` may be good or bad.

    `cpu_us` is what one request cost the server's processor, where that was looked at: it says the
    same as the rate, and hardly minds what else the machine is doing.
    """

    name: str
    value: float
    unit: str
    cpu_us: float | None = None


class Figures:
    """Every figure of one run, in the order in which they were measured."""

    def __init__(self, figures: Iterable[Figure] = ()) -> None:
        self._by_name = {figure.name: figure for figure in figures}

    def __iter__(self) -> Iterator[Figure]:
        return iter(self._by_name.values())

    def add(self, figure: Figure) -> None:
        """Take another figure in."""
        self._by_name[figure.name] = figure

    def get(self, name: str) -> float | None:
        """The value of a figure, if it was measured."""
        figure = self._by_name.get(name)
        return None if figure is None else figure.value

    def over(self, name: str, other: str) -> float | None:
        """One figure divided by another; None unless both were measured."""
        value, limit = self.get(name), self.get(other)
        return None if value is None or not limit else value / limit

    def beginning(self, start: str) -> list[Figure]:
        """The figures whose names begin so."""
        return [figure for figure in self if figure.name.startswith(start)]

    def as_json(self) -> list[dict[str, Any]]:
        """The figures as JSON has them."""
        return [figure._asdict() for figure in self]

    @classmethod
    def from_json(cls, told: Iterable[dict[str, Any]]) -> "Figures":
        """The figures that `as_json` has written."""
        return cls(Figure(**each) for each in told)


def median(values: Iterable[float]) -> float:
    """The median."""
    return statistics.median(values)


def percentile(values: Iterable[float], of: float) -> float:
    """The value that so much of all, from 0 to 1, does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * of))]
