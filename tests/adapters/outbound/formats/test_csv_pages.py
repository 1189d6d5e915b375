"""A file in pages is the same rows as the whole file, and never much of it at a time (U23, U30)."""

import codecs
import io
import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.outbound.formats.charsets import to_utf8
from adapters.outbound.formats.csv import CsvRow, header_of
from adapters.outbound.formats.csv_pages import PAGE, CsvPage, pages_of
from domain.errors import UnexpectedContent

REQUIRED = ("symbol", "price")
UTF8 = "text/csv; charset=utf-8"
HEADER = b"symbol,price\n"

#: What is held of a file, and given out as one page, at most.
LONGEST_PAGE = 4 * PAGE
#: What reading takes of memory altogether, however large the file is.
MOST_MEMORY = 32 * PAGE


class Repeated(io.RawIOBase):
    """A large file that is nowhere: a header, and the same row over and over."""

    def __init__(self, row: bytes, size: int) -> None:
        self._row = row
        self._left = size
        self._next = HEADER + row

    def read(self, size: int = -1, /) -> bytes:
        """The next bytes."""
        assert size > 0, "a large file is never read at once"
        while len(self._next) < size and self._left > 0:
            rows = self._row * (1 + size // len(self._row))
            self._next, self._left = self._next + rows, self._left - len(rows)
        block, self._next = self._next[:size], self._next[size:]
        return block


def pages(text: bytes, content_type: str = UTF8) -> Iterator[CsvPage]:
    """The pages of a file."""
    return pages_of(io.BytesIO(text), content_type, REQUIRED, REQUIRED)


def rows_of(page: CsvPage) -> list[CsvRow]:
    """The rows on one page, as whoever reads it alone sees them."""
    header = header_of(page.body, REQUIRED, REQUIRED)
    return list(header.layout.rows(page.body, header.row.end, page.line))


def told(rows: list[CsvRow]) -> list[tuple[Any, ...]]:
    """What there is to say of rows, wherever they stand; a bad one may be cut short."""
    return [(row.line, row.cells, bool(row.reason)) for row in rows if not row.is_blank]


def whole(text: bytes) -> list[CsvRow]:
    """The rows of a text that is read at once."""
    text = to_utf8(text, UTF8)
    header = header_of(text, REQUIRED, REQUIRED)
    return list(header.layout.rows(text, header.row.end, header.row.next_line))


def paged(text: bytes) -> list[CsvRow]:
    """The rows of a text that is read in pages."""
    return [row for page in pages(text) for row in rows_of(page)]


# ---------------------------------------------------------------- the same rows

#: Rows of every kind, among them some that are long: a page holds a few of those.
LONG = b"x" * (PAGE // 3)
ROWS = [
    b"a,1\n",
    b"b,2\r\n",
    b"c,3\r",
    b"\n",
    b"ragged\n",
    b"x," + LONG + b"\n",
    b'"' + LONG.replace(b"xxxx", b"x\n\r\n") + b'",4\n',
    b'open,"' + LONG + b"\n",
    b'"closed"badly,5\n',
    b"too long," + LONG * 4 + b"\n",
    b"far too long," + LONG * 12 + b"\r\n",
    "é,6\n".encode(),
    b"\xff,7\n",
]


@settings(max_examples=25)
@given(
    st.lists(st.integers(0, len(ROWS) - 1), max_size=12), st.sampled_from([b"", b"last,8", b'"'])
)
def test_the_rows_of_all_pages_are_those_of_the_file(parts: list[int], last: bytes) -> None:
    text = HEADER + b"".join(ROWS[part] for part in parts) + last

    assert told(paged(text)) == told(whole(text))


def test_a_page_ends_with_the_row_that_makes_it_long_enough() -> None:
    row = b"a," + b"1" * 997 + b"\n"
    text = HEADER + row * 3000

    found = list(pages(text))

    rows = -(-PAGE // len(row))
    assert [page.line for page in found] == [2, 2 + rows, 2 + 2 * rows]
    assert all(page.body.startswith(HEADER) for page in found)
    assert sum(page.body.count(row) for page in found) == 3000


def test_a_small_file_is_one_page() -> None:
    assert list(pages(HEADER + b"a,1\n")) == [CsvPage(2, HEADER + b"a,1\n")]


def test_a_file_with_nothing_but_a_header_is_one_page_without_rows() -> None:
    for text in (HEADER, HEADER.strip()):
        assert list(pages(text)) == [CsvPage(2, HEADER)]


def test_the_first_row_is_counted_from_behind_a_header_of_several_lines() -> None:
    [page] = pages(b'\n\n"symbol",price,"of\nwhat"\r\na,1,x\n')

    assert [row.line for row in rows_of(page)] == [5]


# ---------------------------------------------------------------- charsets


@pytest.mark.parametrize(
    ("text", "content_type"),
    [
        (codecs.BOM_UTF8 + "symbol,price\né,1\n".encode(), UTF8),
        ("symbol,price\né,1\n".encode("utf-16"), UTF8),
        (codecs.BOM_UTF16_BE + "symbol,price\né,1\n".encode("utf-16-be"), UTF8),
        ("symbol,price\né,1\n".encode("utf-32"), UTF8),
        ("symbol,price\né,1\n".encode("cp1252"), "text/csv; charset=windows-1252"),
    ],
)
def test_u23_every_page_is_utf8(text: bytes, content_type: str) -> None:
    assert list(pages(text, content_type)) == [CsvPage(2, "symbol,price\né,1\n".encode())]


def test_u23_a_large_file_in_utf16_is_cut_between_characters() -> None:
    row = "é," + "1" * 997 + "\n"
    text = "symbol,price\n" + row * 3000

    found = b"".join(page.body.removeprefix(HEADER) for page in pages(text.encode("utf-16")))

    assert found == row.encode() * 3000


def test_u13_a_file_that_ends_within_a_character_is_incomplete() -> None:
    with pytest.raises(UnexpectedContent) as unexpected:
        list(pages("symbol,price\né,1\n".encode("utf-16")[:-1]))

    assert unexpected.value.code == "incomplete"


# ---------------------------------------------------------------- what cannot be read


@pytest.mark.parametrize("text", [b"", b"\n \r\n", codecs.BOM_UTF8])
def test_an_empty_file_is_refused(text: bytes) -> None:
    with pytest.raises(UnexpectedContent) as unexpected:
        list(pages(text))

    assert unexpected.value.code == "empty"


@pytest.mark.parametrize("text", [b"name,other\n" * 3, b"symbol,price," + b"x" * 9 * PAGE])
def test_a_file_without_a_usable_header_is_one_page_that_is_refused_too(text: bytes) -> None:
    [page] = pages(text)

    assert len(page.body) <= LONGEST_PAGE
    with pytest.raises(UnexpectedContent, match="the CSV header"):
        rows_of(page)


# ---------------------------------------------------------------- flat memory


@pytest.mark.parametrize(
    "row",
    [
        pytest.param(b"a,1\n", id="short rows"),
        pytest.param(b"x," + b"1" * (PAGE - 10) + b"\n", id="long rows"),
        pytest.param(b'"' + b"x\n" * (PAGE // 3) + b'",1\n', id="rows of many lines"),
        pytest.param(b'a,"' + b"x" * 900_000 + b"\n", id="open quotes"),
        pytest.param(b"x" * 5 * PAGE + b"\n", id="rows that are too long"),
        pytest.param(b"x" * PAGE, id="one line"),
    ],
)
def test_no_more_than_a_few_megabytes_of_a_large_file_are_held(row: bytes) -> None:
    tracemalloc.start()
    try:
        longest = max(
            len(page.body)
            for page in pages_of(Repeated(row, 96 * PAGE), UTF8, REQUIRED, REQUIRED)  # type: ignore[arg-type]
        )
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert longest <= LONGEST_PAGE
    assert most <= MOST_MEMORY
