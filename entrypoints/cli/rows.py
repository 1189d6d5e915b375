"""Rows of records on a terminal."""

from collections.abc import Iterable
from typing import Any

import msgspec

_WIDEST = 24


def row(values: Iterable[Any]) -> str:
    """Return the values of a record as one line."""
    return " | ".join(map(cell, values))


def cell(value: Any) -> str:
    """Return a value as a short text, empty where there is none."""
    text = "" if value in (None, msgspec.UNSET) else str(value)
    return text if len(text) <= _WIDEST else text[: _WIDEST - 1] + "…"
