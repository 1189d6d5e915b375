"""The sample CSV of assets: the file next to this one, and its rows."""

import csv
import io
from pathlib import Path

ASSETS_FILE = Path(__file__).with_name("assets.csv")
CSV = "text/csv; charset=utf-8"

Row = list[str]


def sample_assets() -> str:
    """Return the text of the file."""
    return ASSETS_FILE.read_text(encoding="utf-8")


def read_rows(text: str) -> list[Row]:
    """Return the header and the rows of a CSV with commas."""
    return list(csv.reader(io.StringIO(text, newline="")))


def write_rows(rows: list[Row], delimiter: str = ",") -> str:
    """Return rows as CSV."""
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter, lineterminator="\n").writerows(rows)
    return text.getvalue()
