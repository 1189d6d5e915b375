"""Tables of figures and targets, for a terminal and for the performance page."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from tests.bench.figures import Figure, Figures
from tests.bench.targets import Verdict, verdicts

PAGE = Path(__file__).parents[2] / "docs" / "performance.md"
BEGIN = "<!-- measured: begin -->"
END = "<!-- measured: end -->"


def printed(figures: Figures) -> str:
    """Return both tables as plain text."""
    rows = [[f.name, _number(f.value), f.unit, _cpu(f), _ratio(f, figures)] for f in figures]
    names = ["what", "", "", "CPU µs", "of bare"]
    wanted = [[v.target.name, _measured(v), v.target.text(), _mark(v)] for v in verdicts(figures)]
    return "\n\n".join([_text(names, rows), _text(["target", "measured", "wanted", ""], wanted)])


def write_page(run: Mapping[str, Any]) -> None:
    """Write the results of a run between the markers of the page."""
    page = PAGE.read_text()
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(f"{before}{BEGIN}\n{rendered(run)}\n{END}{after}")


def rendered(run: Mapping[str, Any]) -> str:
    """Return the results of a run as Markdown."""
    figures = Figures.from_json(run["figures"])
    return "\n".join(_paragraphs(run, figures))


def _paragraphs(run: Mapping[str, Any], figures: Figures) -> Iterator[str]:
    kind = "A quick run, which only shows that it works" if run["quick"] else "One run"
    yield f"{kind}, on {run['machine']}."
    for missing, why in run["missing"].items():
        yield f"\n{missing} could not be had ({why}), so its rows are left out."
    yield "\n| target | measured | wanted | |"
    yield "|---|---|---|---|"
    for verdict in verdicts(figures):
        target = verdict.target
        yield f"| {target.name} | {_measured(verdict)} | {target.text()} | {_mark(verdict)} |"
    for measure, group in groupby(figures, key=lambda figure: figure.name.partition("/")[0]):
        yield f"\n**{measure}**\n"
        yield "| | | CPU µs | of bare ASGI |"
        yield "|---|---|---|---|"
        for figure in group:
            name = figure.name.partition("/")[2].replace("/", ": ", 1)
            value = f"{_number(figure.value)} {figure.unit}"
            yield f"| {name} | {value} | {_cpu(figure)} | {_ratio(figure, figures)} |"


def _measured(verdict: Verdict) -> str:
    if verdict.value is None:
        return "not measured"
    return f"{_number(verdict.value)} {verdict.target.unit}"


def _mark(verdict: Verdict) -> str:
    return {None: "", True: "ok", False: "missed"}[verdict.kept]


def _ratio(figure: Figure, figures: Figures) -> str:
    bare = figures.get("reads/bare")
    if bare is None or figure.unit != "requests/s":
        return ""
    return f"{figure.value / bare:.3f}"


def _cpu(figure: Figure) -> str:
    return "" if figure.cpu_us is None else f"{figure.cpu_us:.0f}"


def _number(value: float) -> str:
    digits = 0 if abs(value) >= 100 or value == int(value) else 1 if abs(value) >= 10 else 2
    return f"{value:,.{digits}f}".replace(",", " ")


def _text(names: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    table = [list(names), *map(list, rows)]
    widths = [max(len(row[n]) for row in table) for n in range(len(names))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if number in (0, len(names) - 1) else cell.rjust(width)
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in table
    )
