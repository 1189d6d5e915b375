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
from adapters.outbound.formats.packed import unpacked
from domain.dataset import R
from domain.errors import UnexpectedContent
from domain.fields import Field, fields_of
from domain.payloads import Batch, Payload
from domain.sources import E, RecordMapping
from domain.value_parsing import Reader, reader_of

#: Names what comes out of the same bytes: raise it with every change of that.
READING = "csv-2"

#: A longer row is no row: a quote is open, or the file is something else.
LONGEST_ROW = MIB

LINE_END = re.compile(rb"[\r\n](?:(?<=\r)\n)?")

_DELIMITERS = (",", ";", "\t")
#: The first line by which spreadsheets name the delimiter; it is no row.
_NAMED = re.compile(rb"\"?sep=([\t !#-/:-@\[-`{-~])\"?[,;\t ]*(?:\r\n?|\n|\Z)", re.IGNORECASE)
#: A line with more in it than delimiters.
_LINE_WITH_VALUE = re.compile(rb"[^\s,;\"][^\r\n]*+")

_NOT_CLOSED = "has a quote that is not closed where a cell ends"
_TOO_LONG = f"is longer than {LONGEST_ROW // MIB} MiB"


def read_csv(payload: Payload, mapping: RecordMapping[E, R], line: int | None = None) -> Batch[R]:
    """Read a table row by row; a row that cannot be read is a rejection, with its line.

    The row behind the header stands on this `line` where the payload is a page of a larger file.
    UnexpectedContent when rows cannot be told apart.
    """
    text = to_utf8(unpacked(payload.body), payload.content_type)
    _check_length(text)
    columns = columns_of(mapping.element)
    header = header_of(text, columns.required, columns.fields)
    cells = _Cells(columns, header.columns)
    batch: Batch[R] = Batch([], [])
    for row in header.layout.rows(text, header.row.end, line or header.row.next_line):
        if row.is_blank:
            continue
        check_rejections(batch)
        try:
            element = mapping.element(**cells.values(row))
            batch.records.append(mapping.record(element, payload))
        except ValueError as error:
            batch.rejections.append(rejection_of(f"line {row.line}", str(error), row.raw))
    return batch


def _check_length(text: bytes) -> None:
    # A row has a line at least, and lines are counted at once; blank ones only where it matters.
    if line_ends(text) > MAX_RECORDS:
        rows = sum(1 for _ in _LINE_WITH_VALUE.finditer(text))
        if rows > MAX_RECORDS:
            raise too_many_records()


class Columns(NamedTuple):
    """The columns of a table that are read, by name, and which of them must be there.

    `attributes` are the names of the columns' fields in an element.
    """

    fields: dict[str, Field]
    required: tuple[str, ...]
    attributes: dict[str, str]


def columns_of(element: type[Any]) -> Columns:
    """Return the columns of a type of row: one for each field, required if it has no default."""
    described = msgspec.structs.fields(element)
    fields = fields_of(element)
    return Columns(
        {field.encode_name: fields[field.name] for field in described},
        tuple(field.encode_name for field in described if field.required),
        {field.encode_name: field.name for field in described},
    )


class _Cells:
    """The cells of a table that are read: what reads each, and in which place of a row it is."""

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
        """Return the values of a row by attribute; a ValueError says what is wrong with it."""
        if row.reason:
            raise ValueError(row.reason)
        values: dict[str, Any] = {**self._absent}
        cells = row.cells
        for name, attribute, read, place in self._readers:
            text = cells[place].strip()
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
        """Whether there is no value in it."""
        return not self.reason and not any(map(str.strip, self.cells))


class Layout:
    """How rows look: which delimiter stands between cells, and how many of them a row has.

    Of its `width` cells a row has the first `least` ones in any case; others that are empty may be
    left out at its end, and more that are empty may follow.
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
        """The cells of a row of so many lines, or the reason why there are none."""
        try:
            cells = self._cells(raw.decode())
        except UnicodeDecodeError:
            return [], NOT_TEXT
        if self._width is None or len(cells) == self._width:
            return cells, ""
        return self._fitted(cells, self._width, lines)

    def _fitted(self, cells: list[str], width: int, lines: int) -> tuple[list[str], str]:
        """The cells of a row that has too many or too few, as far as those are empty."""
        if not any(map(str.strip, cells)):
            return [""] * width, ""
        if len(cells) > width and not any(map(str.strip, cells[width:])):
            return cells[:width], ""
        # A row of several lines must be whole: it may have swallowed the ones that follow it.
        if self._least <= len(cells) < width and lines == 1:
            return cells + [""] * (width - len(cells)), ""
        return [], f"has {len(cells)} cells, and {width} were expected"

    def _cells(self, text: str) -> list[str]:
        if '"' not in text:
            return text.split(self.delimiter)
        # With a delimiter behind the last cell, too, all of them are alike.
        found = self._cell.findall(text + self.delimiter)
        return [quoted.replace('""', '"') or plain for quoted, plain in found]


class Header(NamedTuple):
    """The first row that is not blank: what its columns are called, and how the rows look.

    `named` is the line before it that names the delimiter, where there is such a line.
    """

    row: CsvRow
    columns: list[str]
    layout: Layout
    named: bytes

    @property
    def raw(self) -> bytes:
        """All that a part of the table needs before its rows to be read by itself."""
        return self.named + self.row.raw + b"\n"


def header_of(text: bytes, required: Collection[str], known: Collection[str]) -> Header:
    """Find the header, and by it the delimiter; names are matched stripped and in lower case.

    UnexpectedContent when there is nothing at all, when it cannot be read, when required columns
    are missing, or when one that is known comes twice.
    """
    found = _NAMED.match(text)
    named = found[0] if found else b""
    delimiters = (*([found[1].decode()] if found else []), *_DELIMITERS)
    headers = [header for each in delimiters if (header := _header(text, each, named, required))]
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


def _header(text: bytes, delimiter: str, named: bytes, required: Collection[str]) -> Header | None:
    for row in Layout(delimiter).rows(text, len(named), 1 + line_ends(named)):
        if not row.is_blank:
            columns = [cell.strip().lower() for cell in row.cells]
            least = 1 + max((columns.index(n) for n in required if n in columns), default=0)
            return Header(row, columns, Layout(delimiter, len(columns), least), named)
    return None


def _line_end(text: bytes, start: int) -> tuple[int, int]:
    """Where the line ends, and where the next one begins."""
    found = LINE_END.search(text, start)
    return found.span() if found else (len(text), len(text))
