"""Large CSV files, in pages that can each be read by itself: the header, and some whole rows."""

from collections.abc import Collection, Iterator
from typing import NamedTuple

from adapters.outbound.formats.bounds import MIB
from adapters.outbound.formats.charsets import HEAD, Recoder
from adapters.outbound.formats.csv import LINE_END, LONGEST_ROW, Header, header_of, line_ends
from adapters.outbound.formats.packed import Readable
from domain.errors import UnexpectedContent

#: A page ends with the first row that makes it this long.
PAGE = MIB

#: Every row that begins within a page then ends within what is held of the file.
_HELD = PAGE + 2 * LONGEST_ROW
_BLOCK = 256 * 1024


class CsvPage(NamedTuple):
    """A part of the file as UTF-8, and the number of the line on which its first row stands."""

    line: int
    body: bytes


def pages_of(
    file: Readable, content_type: str, required: Collection[str], known: Collection[str]
) -> Iterator[CsvPage]:
    """Cut an open file into pages; no more than a few MiB of it are held at any time.

    A file without a usable header is one page, which cannot be read either. UnexpectedContent when
    there is nothing in it, or when it ends within a character.
    """
    held = _Held(file, content_type)
    try:
        header = header_of(held.text, required, known)
    except UnexpectedContent as error:
        if error.code == "empty":
            raise
        yield CsvPage(1, held.text)
        return
    line = header.row.next_line
    held.drop(header.row.end)
    while True:
        end, next_line = _cut(header, held.text, line)
        yield CsvPage(line, header.raw + held.text[:end])
        cut_off = end == len(held.text) and held.goes_on
        held.drop(end)
        if cut_off:
            held.drop_line()
        if not held.text:
            return
        line = next_line


def _cut(header: Header, text: bytes, line: int) -> tuple[int, int]:
    """Where the page ends, and the number of the line after it."""
    # Lines before the first quote are rows, whatever is in them.
    quote = text.find(b'"', 0, PAGE)
    end = text.rfind(b"\n", 0, PAGE - 1 if quote < 0 else quote) + 1
    line += line_ends(text[:end])
    for row in header.layout.rows(text, end, line):
        end, line = row.end, row.next_line
        if end >= PAGE:
            break
    return end, line


class _Held:
    """What is held of a file: always enough for a page and a row, as long as there is more."""

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
    def goes_on(self) -> bool:
        """Whether what is held ends in the middle of a line."""
        return not self._at_end and not self.text.endswith((b"\r", b"\n"))

    def drop(self, end: int) -> None:
        """Let go of what was read, and hold as much of what follows."""
        self.text = self.text[end:]
        self._fill()

    def drop_line(self) -> None:
        """Let go of everything up to the end of the line, however far off it is."""
        found = LINE_END.search(self.text)
        while found is None and not self._at_end:
            self.text = b""
            self._fill()
            found = LINE_END.search(self.text)
        self.drop(found.end() if found else len(self.text))

    def _fill(self) -> None:
        # A line end of two characters is never held by half.
        while not self._at_end and (len(self.text) < _HELD or self.text.endswith(b"\r")):
            self._read()

    def _head(self) -> bytes:
        """The first bytes, however few of them come at a time."""
        head = b""
        while len(head) < HEAD and (block := self._file.read(HEAD - len(head))):
            head += block
        return head

    def _read(self) -> None:
        self._take(self._file.read(_BLOCK))

    def _take(self, block: bytes) -> None:
        self._at_end = not block
        self.text += self._recode(block, last=self._at_end)
