"""Formats: records as JSON, NDJSON or CSV."""

import csv
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from operator import attrgetter
from typing import Any

import msgspec

from adapters.http.datasets.query_string import Format
from domain.dataset import Dataset
from domain.fields import Field, FieldType

_json = msgspec.json.Encoder()

#: A spreadsheet runs a cell that begins like this as a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def project(dataset: Dataset[Any], rows: Sequence[Any], fields: tuple[str, ...]) -> Sequence[Any]:
    """Return the rows with the wanted fields alone; () wants all of them."""
    if not fields:
        return rows
    narrowed = _projection(dataset, fields)
    return [narrowed(row) for row in rows]


@lru_cache(maxsize=512)
def _projection(dataset: Dataset[Any], fields: tuple[str, ...]) -> Callable[[Any], Any]:
    types = {f.name: f.type for f in msgspec.structs.fields(dataset.row)}
    narrow = msgspec.defstruct(f"{dataset.row.__name__}Part", [(n, types[n]) for n in fields])
    values = attrgetter(*fields)
    if len(fields) == 1:
        return lambda row: narrow(values(row))
    return lambda row: narrow(*values(row))


def first_line(dataset: Dataset[Any], fields: tuple[str, ...], format: Format) -> bytes:
    """Return what an export begins with: the names of its columns, in CSV."""
    return _csv([fields or tuple(dataset.fields)]) if format is Format.CSV else b""


def encode_chunk(
    dataset: Dataset[Any], rows: Sequence[Any], fields: tuple[str, ...], format: Format
) -> bytes:
    """Return some rows of an export."""
    if format is Format.NDJSON:
        return _json.encode_lines(project(dataset, rows, fields))
    names = fields or tuple(dataset.fields)
    # Column by column: what a column holds is the same in every row.
    columns = (_cells(dataset.fields[name], map(attrgetter(name), rows)) for name in names)
    return _csv(zip(*columns, strict=True))


def _csv(lines: Iterable[Iterable[Any]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(lines)
    return text.getvalue().encode()


def _cells(field: Field, values: Iterable[Any]) -> Iterable[Any]:
    """A column's values as cells; a missing one is an empty cell."""
    cell = _CELL.get(field.type)
    return values if cell is None else (None if v is None else cell(v) for v in values)


def _text_cell(value: str) -> str:
    return f"'{value}" if value.startswith(_FORMULA) else value


#: How a value is shown in a cell; None as the writer of cells shows it.
_CELL: Mapping[FieldType, Callable[[Any], str]] = {
    FieldType.TEXT: _text_cell,
    FieldType.CHOICE: _text_cell,
    FieldType.BOOLEAN: lambda value: "true" if value else "false",
    FieldType.TIME: lru_cache(maxsize=256)(lambda value: value.isoformat().replace("+00:00", "Z")),
    FieldType.TEXTS: lambda value: _json.encode(value).decode(),
}
