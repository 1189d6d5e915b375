"""The targets: ratios of figures, their bounds, and whether they are met."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from tests.bench.figures import Figures

Value = float | None
Formula = Callable[[Figures], Value]


class Target(NamedTuple):
    """A target: `at_least` or at most `bar`."""

    name: str
    formula: Formula
    bar: float
    at_least: bool
    unit: str = "×"

    def text(self) -> str:
        """Return the bound as text."""
        return f"{'≥' if self.at_least else '≤'} {self.bar:g} {self.unit}"


class Verdict(NamedTuple):
    """A target with its value; None if a figure for it was not measured."""

    target: Target
    value: Value

    @property
    def kept(self) -> bool | None:
        """Whether the target is met, if it was measured."""
        if self.value is None:
            return None
        bar = self.target.bar
        return self.value >= bar if self.target.at_least else self.value <= bar


def verdicts(figures: Figures) -> list[Verdict]:
    """Return the verdict on every target, in order."""
    return [Verdict(target, target.formula(figures)) for target in TARGETS]


# ---------------------------------------------------------------- formulas


def _over(name: str, other: str) -> Formula:
    return lambda figures: figures.over(name, other)


def _plain(name: str) -> Formula:
    return lambda figures: figures.get(name)


def _largest(*formulas: Formula) -> Formula:
    """Return a formula for the largest of the measured values."""

    def largest(figures: Figures) -> Value:
        found = [value for formula in formulas if (value := formula(figures)) is not None]
        return max(found, default=None)

    return largest


def _deepest(engine: str) -> Formula:
    """Return a formula for the cost of the deepest page against the first, in the worst order."""

    def deepest(figures: Figures) -> Value:
        ratios = []
        for first in figures.beginning(f"depth/{engine}/sort="):
            order, _, page = first.name.rpartition(", page ")
            if page == "1":
                [deep] = [f for f in figures.beginning(f"{order}, page ") if f is not first]
                ratios.append(first.value / deep.value)
        return max(ratios, default=None)

    return deepest


def _grown(engine: str, what: str, invert: bool) -> Formula:
    """Return a formula for the cost with the most records stored, against the fewest."""

    def grown(figures: Figures) -> Value:
        found = figures.beginning(f"growth/{engine}/{what},")
        if len(found) < 2:
            return None
        ratio = found[-1].value / found[0].value
        return 1 / ratio if invert else ratio

    return grown


def _delay(engine: str) -> Formula:
    """Return a formula for the delay that slow queries add to one read in a thousand."""

    def delay(figures: Figures) -> Value:
        beside = figures.get(f"latency/{engine}/beside slow queries, p99.9")
        idle = figures.get(f"latency/{engine}/idle, median")
        return None if beside is None or idle is None else beside - idle

    return delay


def _targets() -> Iterator[Target]:
    bare, orm = "reads/bare", "FastAPI + ORM"
    for engine in ("sqlite", "postgres"):
        repeated, known = f"reads/{engine}/repeated page", f"reads/{engine}/not modified"
        yield Target(f"repeated page, {engine}, of bare ASGI", _over(repeated, bare), 0.60, True)
        yield Target(f"If-None-Match, {engine}, of bare ASGI", _over(known, bare), 0.60, True)
    for engine, limit, times in (("sqlite", 0.20, 7), ("postgres", 0.11, 3)):
        first, peer = f"reads/{engine}/first page", f"reads/{engine}/{orm}"
        yield Target(f"first page, {engine}, of bare ASGI", _over(first, bare), limit, True)
        yield Target(f"first page, {engine}, of FastAPI + ORM", _over(first, peer), times, True)
    for engine in ("sqlite", "postgres"):
        busy, idle = "while a fetch changes every record", f"latency/{engine}/idle, p99"
        ratio = _over(f"latency/{engine}/{busy}, p99", idle)
        yield Target(f"p99 while a fetch commits, {engine}, of idle", ratio, 2, False)
        yield Target(f"delay beside slow queries, {engine}", _delay(engine), 10, False, "ms")
        yield Target(f"page 1 against page 10 000, {engine}", _deepest(engine), 1.2, False)
    for engine, times in (("sqlite", 8), ("postgres", 5)):
        start = f"ingest/{engine}"
        for what in ("first load", "nothing changed"):
            ours = f"{start}/{what}"
            limit = _over(ours, f"{start}/bare, {what}")
            yield Target(f"ingest, {engine}, {what}, of the bare limit", limit, 0.6, True)
            peer = _over(ours, f"{start}/dlt, {what}")
            yield Target(f"ingest, {engine}, {what}, of dlt", peer, times, True)
        touched = _plain(f"untouched/{engine}/records touched by the same bytes")
        yield Target(f"records touched by the same bytes, {engine}", touched, 0, False, "records")
    for engine in ("sqlite", "postgres"):
        parts = [
            f"memory/{engine}/while {w}" for w in ("fetching", "exporting NDJSON", "exporting CSV")
        ]
        above = _largest(*map(_plain, parts))
        yield Target(f"memory above idle, {engine}", above, 150, False, "MiB")
        record, page = _grown(engine, "a record", False), _grown(engine, "pages", True)
        yield Target(f"cost of a record, most stored against fewest, {engine}", record, 1.5, False)
        yield Target(f"cost of a page, most stored against fewest, {engine}", page, 1.5, False)
        start = _plain(f"starting/{engine}/database that is there")
        yield Target(f"start to first answer, {engine}", start, 1.5, False, "s")


TARGETS: tuple[Target, ...] = tuple(_targets())
