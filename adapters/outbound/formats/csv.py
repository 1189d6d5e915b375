"""CSV: reads the header, and the rows one by one, also in a partly broken table."""

import re
from array import array
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
from adapters.outbound.formats.packed import unpacked
from domain.dataset import R
from domain.errors import UnexpectedContent
from domain.fields import Field, fields_of
from domain.payloads import Batch, Payload
from domain.sources import E, RecordMapping
from domain.value_parsing import Reader, reader_of

#: The version of the reader; raise it when the same bytes give other records.
READING = "csv-2"

#: A longer row is an error: a quote is open, or the file is not CSV.
LONGEST_ROW = MIB

LINE_END = re.compile(rb"[\r\n](?:(?<=\r)\n)?")

_DELIMITERS = (",", ";", "\t")
#: The first line in which spreadsheets declare the delimiter; it is not a row.
_NAMED = re.compile(rb"\"?sep=([\t !#-/:-@\[-`{-~])\"?[,;\t ]*(?:\r\n?|\n|\Z)", re.IGNORECASE)
#: A line with a value, not only delimiters.
_LINE_WITH_VALUE = re.compile(rb"[^\s,;\"][^\r\n]*+")

_NOT_CLOSED = "has a quote that is not closed where a cell ends"
_TOO_LONG = f"is longer than {LONGEST_ROW // MIB} MiB"


def read_csv(payload: Payload, mapping: RecordMapping[E, R], line: int | None = None) -> Batch[R]:
    """Read a table row by row; an invalid row is a rejection, with its line.

    `line` is that of the first row if the payload is a page of a larger file. Raise
    UnexpectedContent if the table cannot be split into rows.
    """
    text = to_utf8(unpacked(payload.body), payload.content_type)
    _check_length(text)
    columns = columns_of(mapping.element)
    header = header_of(text, columns.required, columns.fields)
    cells = _Cells(columns, header.columns)
    lines = array("Q")
    batch: Batch[R] = Batch([], [], lambda number: _place(lines[number]))
    for row in header.layout.rows(text, header.row.end, line or header.row.next_line):
        if row.is_blank:
            continue
        check_rejections(batch)
        try:
            element = mapping.element(**cells.values(row))
            batch.records.append(mapping.record(element, payload))
            lines.append(row.line)
        except ValueError as error:
            batch.rejections.append(rejection_of(_place(row.line), str(error), row.raw))
    return batch


def _place(line: int) -> str:
    return f"line {line}"


def _check_length(text: bytes) -> None:
    # Counting lines is fast; only for a large count are the blank ones left out.
    if line_ends(text) > MAX_RECORDS:
        rows = sum(1 for _ in _LINE_WITH_VALUE.finditer(text))
        if rows > MAX_RECORDS:
            raise too_many_records()


class Columns(NamedTuple):
    """The columns to read from a table, by name, and which of them are required.

    `attributes` are the names of the columns' fields in an element.
    """

    fields: dict[str, Field]
    required: tuple[str, ...]
    attributes: dict[str, str]


def columns_of(element: type[Any]) -> Columns:
    """Return the columns of a row type: one for each field, required if it has no default."""
    described = msgspec.structs.fields(element)
    fields = fields_of(element)
    return Columns(
        {field.encode_name: fields[field.name] for field in described},
        tuple(field.encode_name for field in described if field.required),
        {field.encode_name: field.name for field in described},
    )


class _Cells:
    """The cells to read from a row: for each its parser and its index."""

    def __init__(self, columns: Columns, names: list[str]) -> None:
        attributes = columns.attributes
        self._readers: list[tuple[str, str, Reader, int]] = [
            (name, attributes[name], reader_of(field), names.index(name))
            for name, field in columns.fields.items()
            if name in names
        ]
        self._required = [(name, attributes[name]) for name in columns.required]
        absent = (name for name in columns.required if columns.fields[name].nullable)
        self._absent = {attributes[name]: None for name in absent}

    def values(self, row: "CsvRow") -> dict[str, Any]:
        """Return the values of a row by attribute; raise ValueError, with the reason, if wrong."""
        if row.reason:
            raise ValueError(row.reason)
        values: dict[str, Any] = {**self._absent}
        cells = row.cells
        for name, attribute, read, index in self._readers:
            text = cells[index].strip()
            if text:
                try:
                    values[attribute] = read(text)
                except ValueError as error:
                    raise ValueError(f"{name}: {error}") from error
        if missing := [name for name, attribute in self._required if attribute not in values]:
            raise ValueError(f"{missing[0]} is empty")
        return values


# ---------------------------------------------------------------- rows


class CsvRow(NamedTuple):
    """One row on line `line`: its cells, or the reason why there are none.

    `end` is the position of the next row, on line `next_line`.
    """

    line: int
    raw: bytes
    end: int
    next_line: int
    cells: list[str]
    reason: str = ""

    @property
    def is_blank(self) -> bool:
        """Return whether the row has no value."""
        return not self.reason and not any(map(str.strip, self.cells))


class Layout:
    """The layout of rows: the delimiter between cells, and their number.

    A row has `width` cells. At its end, empty cells after the first `least` ones may be missing,
    and more empty ones may follow.
    """

    def __init__(self, delimiter: str, width: int | None = None, least: int | None = None) -> None:
        self.delimiter = delimiter
        self._width = width
        self._least = (width or 0) if least is None else least
        self._blank = " " if delimiter == "\t" else "[ \t]"

    @cached_property
    def _row(self) -> re.Pattern[bytes]:
        apart, blank = re.escape(self.delimiter).encode(), self._blank.encode()
        quoted = rb'"(?:[^"]++|"")*+"' + blank + rb"*+(?=" + apart + rb"|[\r\n]|\Z)"
        cell = rb"(?:" + blank + rb"*+" + quoted + rb'|(?!")[^\r\n' + apart + rb"]*+)"
        return re.compile(cell + rb"(?:" + apart + cell + rb")*+(?=[\r\n]|\Z)")

    @cached_property
    def _cell(self) -> re.Pattern[str]:
        apart, blank = re.escape(self.delimiter), self._blank
        return re.compile(rf'(?:{blank}*+"((?:[^"]++|"")*+)"{blank}*+|([^{apart}]*+)){apart}')

    def rows(self, text: bytes, start: int = 0, line: int = 1) -> Iterator[CsvRow]:
        """Yield every row from `start` on, also blank ones.

        Of an invalid row of several lines only the first line is rejected, because the quote opened
        there may be the error: so it swallows no following rows.
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
            return CsvRow(line, first, following, line + 1, *self._parsed(first, 1))
        found = self._row.match(text, start, start + LONGEST_ROW + 1)
        if found is None or len(found[0]) > LONGEST_ROW:
            return CsvRow(line, first, following, line + 1, [], _NOT_CLOSED)
        lines = line_ends(found[0]) + 1
        cells, reason = self._parsed(found[0], lines)
        if reason:
            return CsvRow(line, first, following, line + 1, [], reason)
        next_line = line + lines
        return CsvRow(line, found[0], _line_end(text, found.end())[1], next_line, cells)

    def _parsed(self, raw: bytes, lines: int) -> tuple[list[str], str]:
        """Return the cells of a row of so many lines, or the reason why there are none."""
        try:
            cells = self._cells(raw.decode())
        except UnicodeDecodeError:
            return [], NOT_TEXT
        if self._width is None or len(cells) == self._width:
            return cells, ""
        return self._fitted(cells, self._width, lines)

    def _fitted(self, cells: list[str], width: int, lines: int) -> tuple[list[str], str]:
        """Return the cells of a row with too many or too few, if the difference is empty cells."""
        if not any(map(str.strip, cells)):
            return [""] * width, ""
        if len(cells) > width and not any(map(str.strip, cells[width:])):
            return cells[:width], ""
        # A row of several lines must be complete: it may have swallowed the following ones.
        if self._least <= len(cells) < width and lines == 1:
            return cells + [""] * (width - len(cells)), ""
        return [], f"has {len(cells)} cells, and {width} were expected"

    def _cells(self, text: str) -> list[str]:
        if '"' not in text:
            return text.split(self.delimiter)
        # With a delimiter after the last cell, too, one pattern matches all of them.
        found = self._cell.findall(text + self.delimiter)
        return [quoted.replace('""', '"') or plain for quoted, plain in found]


class Header(NamedTuple):
    """The first row that is not blank: the names of its columns, and the layout of the rows.

    `named` is the line before it that declares the delimiter, if there is one.
    """

    row: CsvRow
    columns: list[str]
    layout: Layout
    named: bytes

    @property
    def raw(self) -> bytes:
        """Return the bytes to put before some rows, so that they are a complete table."""
        return self.named + self.row.raw + b"\n"


def header_of(text: bytes, required: Collection[str], known: Collection[str]) -> Header:
    """Return the header, which gives the delimiter; names are stripped and in lower case.

    Raise UnexpectedContent if the text is empty, the header is invalid, a required column is
    missing, or a known one is repeated.
    """
    found = _NAMED.match(text)
    named = found[0] if found else b""
    delimiters = (*([found[1].decode()] if found else []), *_DELIMITERS)
    headers = [header for each in delimiters if (header := _header(text, each, named, required))]
    if not headers:
        raise UnexpectedContent("the file is empty, without even a CSV header", code="empty")
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
    """Return the number of line ends in a text."""
    return text.count(b"\n") + text.count(b"\r") - text.count(b"\r\n")


def _header(text: bytes, delimiter: str, named: bytes, required: Collection[str]) -> Header | None:
    for row in Layout(delimiter).rows(text, len(named), 1 + line_ends(named)):
        if not row.is_blank:
            columns = [cell.strip().lower() for cell in row.cells]
            least = 1 + max((columns.index(n) for n in required if n in columns), default=0)
            return Header(row, columns, Layout(delimiter, len(columns), least), named)
    return None


def _line_end(text: bytes, start: int) -> tuple[int, int]:
    """Return the end of the line, and the start of the next one."""
    found = LINE_END.search(text, start)
    return found.span() if found else (len(text), len(text))
