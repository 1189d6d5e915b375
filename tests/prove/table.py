"""The figures as a table, as JSON, and within a page of the documentation."""

import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from tests.prove.figures import Figure
from tests.prove.promises import PROMISES

BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"


class Proven(msgspec.Struct, frozen=True):
    """All that was found for one promise, and how long that took."""

    promise: str
    says: str
    value: str
    bar: str
    ok: bool
    seconds: float
    more: str = ""


class Measured(msgspec.Struct, frozen=True):
    """One run of the proofs: when, on what, and what was found."""

    measured_at: str
    python: str
    cpus: int
    proofs: list[Proven]


def proven(promise: str, says: str, figures: Sequence[Figure], seconds: float) -> Proven:
    """What was found for one promise, by one proof or by several."""
    # What is found on either database is the same, as a rule, and is then shown once.
    found = dict.fromkeys((figure.value, figure.bar) for figure in figures)
    return Proven(
        promise=promise,
        says=says,
        value=" · ".join(value for value, _ in found),
        bar=" · ".join(bar for _, bar in found),
        ok=bool(figures) and all(figure.ok for figure in figures),
        seconds=round(seconds, 1),
        more=" · ".join(figure.more for figure in figures if figure.more),
    )


def measured(found: list[Proven], cpus: int) -> Measured:
    """A run that ends now."""
    now = datetime.now(UTC).isoformat(timespec="seconds")  # noqa: TID251 - nothing depends on it
    return Measured(now.replace("+00:00", "Z"), platform.python_version(), cpus, found)


def as_text(found: Sequence[Proven]) -> str:
    """`promise | value | bar | ok`, a line each."""
    rows = [("promise", "value", "bar", "ok")]
    rows += [(each.promise, each.value, each.bar, _ok(each)) for each in found]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    lines = [
        " | ".join([*(cell.ljust(n) for cell, n in zip(row, widths, strict=False)), row[3]])
        for row in rows
    ]
    lines.insert(1, "-|-".join("-" * width for width in [*widths, 4]))
    return "\n".join(lines)


def as_markdown(run: Measured) -> str:
    """The same for a page, with the sentence each promise is."""
    head = f"Measured {run.measured_at[:10]}, Python {run.python}, {run.cpus} CPUs."
    lines = [head, "", "| promise | | found | bar | |", "|---|---|---|---|---|"]
    for each in run.proofs:
        cells = (each.promise, each.says, f"`{each.value}`", f"`{each.bar}`", _ok(each))
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines)


def write_page(page: Path, run: Measured) -> None:
    """Put the table between the marks of a page; what other runs found of others stays."""
    before, _, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    page.write_text(f"{before}{BEGIN}\n\n{as_markdown(run)}\n\n{END}{after}", encoding="utf-8")


def read(path: Path) -> Measured:
    """A run that was kept as JSON."""
    return msgspec.json.decode(path.read_bytes(), type=Measured)


def joined(runs: Sequence[Measured]) -> Measured:
    """Several runs as one; of a promise proven twice the last one counts."""
    found = {each.promise: each for run in runs for each in run.proofs}
    order: dict[Any, int] = {promise.name: n for n, promise in enumerate(PROMISES)}
    proofs = sorted(found.values(), key=lambda each: order.get(each.promise, len(order)))
    last = runs[-1]
    return Measured(last.measured_at, last.python, last.cpus, proofs)


def _ok(proven: Proven) -> str:
    return "ok" if proven.ok else "FAIL"
