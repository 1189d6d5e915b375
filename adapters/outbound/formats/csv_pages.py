"""Large CSV files, cut into pages that are complete tables: the header, and some rows."""

from collections.abc import Collection, Iterator
from typing import NamedTuple

from adapters.outbound.formats.bounds import MIB
from adapters.outbound.formats.charsets import HEAD, Recoder
from adapters.outbound.formats.csv import LINE_END, LONGEST_ROW, Header, header_of, line_ends
from adapters.outbound.formats.packed import Readable
from domain.errors import UnexpectedContent

#: A page ends with the first row that makes it this long.
PAGE = MIB

#: Enough that every row that starts within a page also ends within the buffer.
_BUFFER_SIZE = PAGE + 2 * LONGEST_ROW
_BLOCK = 256 * 1024


class CsvPage(NamedTuple):
    """A part of the file as UTF-8, and the line number of its first row."""

    line: int
    body: bytes


def pages_of(
    file: Readable, content_type: str, required: Collection[str], known: Collection[str]
) -> Iterator[CsvPage]:
    """Cut an open file into pages; a few MiB of it are in memory at most.

    A file without a valid header is one page, whose reading fails. Raise UnexpectedContent if the
    file is empty, or ends within a character.
    """
    buffer = _Buffer(file, content_type)
    try:
        header = header_of(buffer.text, required, known)
    except UnexpectedContent as error:
        if error.code == "empty":
            raise
        yield CsvPage(1, buffer.text)
        return
    line = header.row.next_line
    buffer.drop(header.row.end)
    while True:
        end, next_line = _cut(header, buffer.text, line)
        yield CsvPage(line, header.raw + buffer.text[:end])
        cut_off = end == len(buffer.text) and buffer.ends_within_line
        buffer.drop(end)
        if cut_off:
            buffer.drop_line()
        if not buffer.text:
            return
        line = next_line


def _cut(header: Header, text: bytes, line: int) -> tuple[int, int]:
    """Return the end of the page, and the number of the line after it."""
    # Lines before the first quote are rows, whatever they contain.
    quote = text.find(b'"', 0, PAGE)
    end = text.rfind(b"\n", 0, PAGE - 1 if quote < 0 else quote) + 1
    line += line_ends(text[:end])
    for row in header.layout.rows(text, end, line):
        end, line = row.end, row.next_line
        if end >= PAGE:
            break
    return end, line


class _Buffer:
    """The buffered part of a file: always enough for a page and a row, until the end."""

    def __init__(self, file: Readable, content_type: str) -> None:
        self.text = b""
        self._file = file
        self._at_end = False
        head = self._head()
        self._recode = Recoder(head, content_type)
        if head:
            self._take(head)
        self._fill()

    @property
    def ends_within_line(self) -> bool:
        """Return whether the buffer ends in the middle of a line."""
        return not self._at_end and not self.text.endswith((b"\r", b"\n"))

    def drop(self, end: int) -> None:
        """Drop the text up to `end`, and fill the buffer again."""
        self.text = self.text[end:]
        self._fill()

    def drop_line(self) -> None:
        """Drop the text up to the end of the line, at any distance."""
        found = LINE_END.search(self.text)
        while found is None and not self._at_end:
            self.text = b""
            self._fill()
            found = LINE_END.search(self.text)
        self.drop(found.end() if found else len(self.text))

    def _fill(self) -> None:
        # A line end of two characters is never split.
        while not self._at_end and (len(self.text) < _BUFFER_SIZE or self.text.endswith(b"\r")):
            self._read()

    def _head(self) -> bytes:
        """Return the first bytes, even if they arrive a few at a time."""
        head = b""
        while len(head) < HEAD and (block := self._file.read(HEAD - len(head))):
            head += block
        return head

    def _read(self) -> None:
        self._take(self._file.read(_BLOCK))

    def _take(self, block: bytes) -> None:
        self._at_end = not block
        self.text += self._recode(block, last=self._at_end)
