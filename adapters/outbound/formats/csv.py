"""CSV as it arrives: its header, and its rows one by one, even where they are broken."""

import re
from collections.abc import Collection, Iterator
from functools import cached_property
from typing import Any, NamedTuple

import msgspec

from adapters.outbound.formats.bounds import (
    MAX_RECORDS,
    MIB,
    check_rejections,
    rejection_of,
    too_many_records,
)
from adapters.outbound.formats.charsets import NOT_TEXT, to_utf8
from domain.dataset import R
from domain.errors import UnexpectedContent
from domain.fields import Field, fields_of
from domain.payloads import Batch, Payload
from domain.sources import E, RecordMapping

#: A longer row is no row: a quote is open, or the file is something else.
LONGEST_ROW = MIB

LINE_END = re.compile(rb"[\r\n](?:(?<=\r)\n)?")

_DELIMITERS = (",", ";", "\t")

_NOT_CLOSED = "has a quote that is not closed where a cell ends"
_TOO_LONG = f"is longer than {LONGEST_ROW // MIB} MiB"


def read_csv(payload: Payload, mapping: RecordMapping[E, R], line: int | None = None) -> Batch[R]:
    """Read a table row by row; a row that cannot be read is a rejection, with its line.

    The row behind the header stands on this `line` where the payload is a page of a larger file.
    UnexpectedContent when rows cannot be told apart.
    """
    text = to_utf8(payload.body, payload.content_type)
    # A row has a line at least, and lines are counted at once.
    if line_ends(text) > MAX_RECORDS:
        raise too_many_records()
    fields, required = columns_of(mapping.element)
    header = header_of(text, required, fields)
    columns = header.columns
    places = [(each, columns.index(each.name)) for each in fields.values() if each.name in columns]
    batch: Batch[R] = Batch([], [])
    for row in header.layout.rows(text, header.row.end, line or header.row.next_line):
        if row.is_blank:
            continue
        check_rejections(batch)
        try:
            element = mapping.element(**_values(row, places, required))
            batch.records.append(mapping.record(element, payload))
        except ValueError as error:
            batch.rejections.append(rejection_of(f"line {row.line}", str(error), row.raw))
    return batch


class Columns(NamedTuple):
    """The columns of a table that are read, by name, and which of them must be there."""

    fields: dict[str, Field]
    required: tuple[str, ...]


def columns_of(element: type[msgspec.Struct]) -> Columns:
    """Return the columns of a type of row: one for each field, required if it has no default."""
    required = tuple(field.name for field in msgspec.structs.fields(element) if field.required)
    return Columns(fields_of(element), required)


def _values(
    row: "CsvRow", places: list[tuple[Field, int]], required: tuple[str, ...]
) -> dict[str, Any]:
    """Return the values of a row by column; a ValueError says what is wrong with it."""
    if row.reason:
        raise ValueError(row.reason)
    values = {
        field.name: _parsed(field, text)
        for field, place in places
        if (text := row.cells[place].strip())
    }
    if missing := [name for name in required if name not in values]:
        raise ValueError(f"{missing[0]} is empty")
    return values


def _parsed(field: Field, text: str) -> Any:
    try:
        return field.parse(text)
    except ValueError as error:
        raise ValueError(f"{field.name}: {error}") from error


# ---------------------------------------------------------------- rows


class CsvRow(NamedTuple):
    """One row as it stands on line `line`: its cells, or the reason why there are none.

    `end` is where the next row begins, on line `next_line`.
    """

    line: int
    raw: bytes
    end: int
    next_line: int
    cells: list[str]
    reason: str = ""

    @property
    def is_blank(self) -> bool:
        """Whether there is nothing in it."""
        return not self.raw.strip()


class Layout:
    """How rows look: which delimiter stands between cells, and how many of them a row has."""

    def __init__(self, delimiter: str, width: int | None = None) -> None:
        self.delimiter = delimiter
        self._width = width

    @cached_property
    def _row(self) -> re.Pattern[bytes]:
        apart = re.escape(self.delimiter.encode())
        cell = rb'(?:"(?:[^"]++|"")*+"|(?!")[^\r\n' + apart + rb"]*+)"
        return re.compile(cell + rb"(?:" + apart + cell + rb")*+(?=[\r\n]|\Z)")

    @cached_property
    def _cell(self) -> re.Pattern[str]:
        apart = re.escape(self.delimiter)
        return re.compile(rf'(?:"((?:[^"]++|"")*+)"|([^{apart}]*+)){apart}')

    def rows(self, text: bytes, start: int = 0, line: int = 1) -> Iterator[CsvRow]:
        """Every row from `start` on, blank ones too.

        A row of several lines that cannot be read is given up with its first line alone, because
        the quote that is open there may be the mistake: so it swallows nothing.
        """
        while start < len(text):
            row = self._read(text, start, line)
            yield row
            start, line = row.end, row.next_line

    def _read(self, text: bytes, start: int, line: int) -> CsvRow:
        stop, following = _line_end(text, start)
        first = text[start:stop]
        if len(first) > LONGEST_ROW:
            return CsvRow(line, first, following, line + 1, [], _TOO_LONG)
        if b'"' not in first:
            return CsvRow(line, first, following, line + 1, *self._parsed(first))
        found = self._row.match(text, start, start + LONGEST_ROW + 1)
        if found is None or len(found[0]) > LONGEST_ROW:
            return CsvRow(line, first, following, line + 1, [], _NOT_CLOSED)
        cells, reason = self._parsed(found[0])
        if reason:
            return CsvRow(line, first, following, line + 1, [], reason)
        next_line = line + line_ends(found[0]) + 1
        return CsvRow(line, found[0], _line_end(text, found.end())[1], next_line, cells)

    def _parsed(self, raw: bytes) -> tuple[list[str], str]:
        """The cells of a row, or the reason why there are none."""
        try:
            cells = self._cells(raw.decode())
        except UnicodeDecodeError:
            return [], NOT_TEXT
        if self._width is not None and len(cells) != self._width:
            return [], f"has {len(cells)} cells, and {self._width} were expected"
        return cells, ""

    def _cells(self, text: str) -> list[str]:
        if '"' not in text:
            return text.split(self.delimiter)
        # With a delimiter behind the last cell, too, all of them are alike.
        found = self._cell.findall(text + self.delimiter)
        return [quoted.replace('""', '"') or plain for quoted, plain in found]


class Header(NamedTuple):
    """The first row that is not blank: what its columns are called, and how the rows look."""

    row: CsvRow
    columns: list[str]
    layout: Layout


def header_of(text: bytes, required: Collection[str], known: Collection[str]) -> Header:
    """Find the header, and by it the delimiter; names are matched stripped and in lower case.

    UnexpectedContent when there is nothing at all, when it cannot be read, when required columns
    are missing, or when one that is known comes twice.
    """
    headers = [header for each in _DELIMITERS if (header := _header(text, each))]
    if not headers:
        raise UnexpectedContent("there is nothing in it, not even a CSV header", code="empty")
    header = max(
        headers, key=lambda each: (len({*required} & {*each.columns}), not each.row.reason)
    )
    if header.row.reason:
        raise UnexpectedContent(f"the CSV header {header.row.reason}")
    if missing := [name for name in required if name not in header.columns]:
        raise UnexpectedContent(f"the CSV header lacks these columns: {', '.join(missing)}")
    if repeated := [name for name in known if header.columns.count(name) > 1]:
        raise UnexpectedContent(f"the CSV header has these columns twice: {', '.join(repeated)}")
    return header


def line_ends(text: bytes) -> int:
    """How many lines end in a text."""
    return text.count(b"\n") + text.count(b"\r") - text.count(b"\r\n")


def _header(text: bytes, delimiter: str) -> Header | None:
    for row in Layout(delimiter).rows(text):
        if not row.is_blank:
            columns = [cell.strip().lower() for cell in row.cells]
            return Header(row, columns, Layout(delimiter, len(columns)))
    return None


def _line_end(text: bytes, start: int) -> tuple[int, int]:
    """Where the line ends, and where the next one begins."""
    found = LINE_END.search(text, start)
    return found.span() if found else (len(text), len(text))
