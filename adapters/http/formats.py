"""Formats: records as JSON, NDJSON or CSV."""

import csv
import io
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import lru_cache
from operator import attrgetter
from typing import Any

import msgspec

from adapters.http.question import Format
from domain.dataset import Dataset

_json = msgspec.json.Encoder()

#: A spreadsheet runs a cell that begins like this as a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def shown(dataset: Dataset[Any], rows: Sequence[Any], fields: tuple[str, ...]) -> Sequence[Any]:
    """The rows with the wanted fields alone; () wants all of them."""
    if not fields:
        return rows
    project = _projection(dataset, fields)
    return [project(row) for row in rows]


@lru_cache(maxsize=512)
def _projection(dataset: Dataset[Any], fields: tuple[str, ...]) -> Callable[[Any], Any]:
    types = {f.name: f.type for f in msgspec.structs.fields(dataset.row)}
    narrow = msgspec.defstruct(f"{dataset.row.__name__}Part", [(n, types[n]) for n in fields])
    values = attrgetter(*fields)
    if len(fields) == 1:
        return lambda row: narrow(values(row))
    return lambda row: narrow(*values(row))


def json_of(value: Any) -> bytes:
    """Anything as JSON."""
    return _json.encode(value)


def first_line_of(dataset: Dataset[Any], fields: tuple[str, ...], format: Format) -> bytes:
    """What an export begins with: the names of its columns, in CSV."""
    return _csv([fields or tuple(dataset.fields)]) if format is Format.CSV else b""


def chunk_of(
    dataset: Dataset[Any], rows: Sequence[Any], fields: tuple[str, ...], format: Format
) -> bytes:
    """Some rows of an export."""
    if format is Format.NDJSON:
        return _json.encode_lines(shown(dataset, rows, fields))
    names = fields or tuple(dataset.fields)
    return _csv([[_cell(getattr(row, name)) for name in names] for row in rows])


def _csv(lines: Sequence[Sequence[Any]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(lines)
    return text.getvalue().encode()


def _cell(value: Any) -> Any:
    if isinstance(value, str):
        return f"'{value}" if value.startswith(_FORMULA) else value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    return _json.encode(value).decode() if isinstance(value, list | tuple) else value
