"""Formats: records as JSON, NDJSON or CSV."""

import codecs
import csv
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from operator import attrgetter
from typing import Any

import msgspec

from adapters.http.datasets.query_string import CsvOptions, Format, ReadQuery
from domain.dataset import Dataset
from domain.fields import Field, FieldType

_json = msgspec.json.Encoder()

#: A spreadsheet runs a cell with this beginning as a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def project(dataset: Dataset[Any], rows: Sequence[Any], fields: tuple[str, ...]) -> Sequence[Any]:
    """Return the rows with these fields only; () means all fields."""
    if not fields:
        return rows
    projection = _projection(dataset, fields)
    return [projection(row) for row in rows]


@lru_cache(maxsize=512)
def _projection(dataset: Dataset[Any], fields: tuple[str, ...]) -> Callable[[Any], Any]:
    types = {f.name: f.type for f in msgspec.structs.fields(dataset.row)}
    part = msgspec.defstruct(f"{dataset.row.__name__}Part", [(n, types[n]) for n in fields])
    values = attrgetter(*fields)
    if len(fields) == 1:
        return lambda row: part(values(row))
    return lambda row: part(*values(row))


def first_line(dataset: Dataset[Any], query: ReadQuery) -> bytes:
    """Return the first line of an export: the column names in CSV, otherwise nothing."""
    if query.format is not Format.CSV:
        return b""
    names = _csv([query.fields or tuple(dataset.fields)], query.csv)
    return codecs.BOM_UTF8 + names if query.csv.bom else names


def encode_chunk(dataset: Dataset[Any], rows: Sequence[Any], query: ReadQuery) -> bytes:
    """Return rows as a chunk of an export."""
    if query.format is Format.NDJSON:
        return _json.encode_lines(project(dataset, rows, query.fields))
    fields = [dataset.fields[name] for name in query.fields or dataset.fields]
    guarded = query.csv.guard
    # Column by column, because all values of a column have one type.
    columns = (_cells(f, map(attrgetter(f.name), rows), guarded) for f in fields)
    return _csv(zip(*columns, strict=True), query.csv)


def _csv(lines: Iterable[Iterable[Any]], options: CsvOptions) -> bytes:
    text = io.StringIO()
    csv.writer(text, delimiter=options.delimiter).writerows(lines)
    return text.getvalue().encode()


def _cells(field: Field, values: Iterable[Any], guarded: bool) -> Iterable[Any]:
    """Return a column's values as cells; a missing value is an empty cell."""
    cell = _CELL.get(field.type)
    if cell is _text_cell and not guarded:
        cell = None
    return values if cell is None else (None if v is None else cell(v) for v in values)


def _text_cell(value: str) -> str:
    return f"'{value}" if value.startswith(_FORMULA) else value


def _time_cell(value: datetime) -> str:
    # All of one width, because readers guess a column's format from its first rows.
    return value.isoformat(timespec="microseconds").replace("+00:00", "Z")


#: How values are shown in cells; those of other types are written as they are.
_CELL: Mapping[FieldType, Callable[[Any], str]] = {
    FieldType.TEXT: _text_cell,
    FieldType.CHOICE: _text_cell,
    FieldType.BOOLEAN: lambda value: "true" if value else "false",
    FieldType.TIME: lru_cache(maxsize=256)(_time_cell),
    FieldType.TEXTS: lambda value: _json.encode(value).decode(),
}
