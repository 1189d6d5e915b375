"""The performance page: figures are written between its markers and compared with targets."""

import pytest

from tests.bench.figures import Figure, Figures
from tests.bench.table import BEGIN, END, PAGE, printed, rendered
from tests.bench.targets import TARGETS, verdicts

SOME = Figures(
    [
        Figure("reads/bare", 1000, "requests/s", 30.0),
        Figure("reads/sqlite/repeated page", 700, "requests/s", 45.0),
        Figure("reads/sqlite/first page", 100, "requests/s", 300.0),
        Figure("depth/sqlite/sort=id, page 1", 90, "requests/s"),
        Figure("depth/sqlite/sort=id, page 10000", 60, "requests/s"),
        Figure("latency/sqlite/idle, median", 1.0, "ms"),
        Figure("latency/sqlite/beside slow queries, p99.9", 4.5, "ms"),
        Figure("growth/sqlite/a record, 10000 stored", 10.0, "µs"),
        Figure("growth/sqlite/a record, 1000000 stored", 12.0, "µs"),
        Figure("growth/sqlite/pages, 10000 stored", 100, "requests/s"),
        Figure("growth/sqlite/pages, 1000000 stored", 80, "requests/s"),
        Figure("memory/sqlite/while fetching", 12.0, "MiB"),
        Figure("memory/sqlite/while exporting CSV", 40.0, "MiB"),
    ]
)


@pytest.mark.parametrize(
    ("target", "value", "kept"),
    [
        ("repeated page, sqlite, of bare ASGI", 0.7, True),
        ("first page, sqlite, of bare ASGI", 0.1, False),
        ("page 1 against page 10 000, sqlite", 1.5, False),
        ("delay beside slow queries, sqlite", 3.5, True),
        ("cost of a record, most stored against fewest, sqlite", 1.2, True),
        ("cost of a page, most stored against fewest, sqlite", 1.25, True),
        ("memory above idle, sqlite", 40.0, True),
        ("start to first answer, sqlite", None, None),
    ],
)
def test_a_target_is_compared_with_the_measured_figure(
    target: str, value: float | None, kept: bool | None
) -> None:
    [found] = [verdict for verdict in verdicts(SOME) if verdict.target.name == target]

    assert found.value == pytest.approx(value) if value else found.value is None
    assert found.kept is kept


def test_a_run_is_shown_with_every_target_and_every_figure() -> None:
    measured = {
        "quick": False,
        "machine": "2 cores",
        "missing": {"dlt": "no network"},
        "figures": SOME.as_json(),
    }

    page, table = rendered(measured), printed(SOME)

    assert all(target.name in page and target.name in table for target in TARGETS)
    assert "dlt could not be had (no network)" in page
    assert "| sqlite: repeated page | 700 requests/s | 45 | 0.700 |" in page


def test_the_page_has_markers_for_the_figures() -> None:
    text = PAGE.read_text(encoding="utf-8")

    assert text.index(BEGIN) < text.index(END)
