"""CSV text is cut into rows and cells as its author meant it, even where it is broken (U30)."""

import csv
import io
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.outbound.formats.csv import LONGEST_ROW, Layout, header_of
from domain.errors import UnexpectedContent

REQUIRED = ("symbol", "price")
KNOWN = ("symbol", "price", "rank")

cells = st.text(st.sampled_from('ab,;"\t\r\né \0'), max_size=4)


def rows(text: bytes, delimiter: str = ",", width: int = 2) -> list[tuple[int, list[str]]]:
    """The number of the line and the cells of every row; none for one that cannot be read."""
    return [(row.line, row.cells) for row in Layout(delimiter, width).rows(text)]


def reasons(text: bytes, width: int = 2) -> list[tuple[int, str]]:
    """The rows that cannot be read, and why."""
    return [(row.line, row.reason) for row in Layout(",", width).rows(text) if row.reason]


# ---------------------------------------------------------------- sound rows


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"", []),
        (b"a,b", [(1, ["a", "b"])]),
        (b"a,b\nc,d\r\ne,f\rg,h\n", [(1, [*"ab"]), (2, [*"cd"]), (3, [*"ef"]), (4, [*"gh"])]),
        (b'"a","b"\n', [(1, ["a", "b"])]),
        (b'"a,b","c""d"\n', [(1, ["a,b", 'c"d'])]),
        (b'"",""\n,\n', [(1, ["", ""]), (2, ["", ""])]),
        (b'"a\nb\r\nc",d\ne,f', [(1, ["a\nb\r\nc", "d"]), (4, ["e", "f"])]),
        (b'5" disk,b\n', [(1, ['5" disk', "b"])]),
        (b'=cmd("x"),@sum\n', [(1, ['=cmd("x")', "@sum"])]),
        ("é,b".encode(), [(1, ["é", "b"])]),
    ],
)
def test_sound_rows_are_their_cells(text: bytes, expected: list[tuple[int, list[str]]]) -> None:
    assert rows(text) == expected


@given(st.lists(st.lists(cells, min_size=2, max_size=2), max_size=5), st.sampled_from(",;\t"))
def test_whatever_is_written_as_csv_is_read_back(table: list[list[str]], delimiter: str) -> None:
    file = io.StringIO()
    csv.writer(file, delimiter=delimiter, quoting=csv.QUOTE_ALL).writerows(table)

    assert [found for _, found in rows(file.getvalue().encode(), delimiter)] == table


# ---------------------------------------------------------------- broken rows


def test_u30_a_quote_that_is_not_closed_costs_its_own_line_alone() -> None:
    text = b'a,"b\nc,d\ne,f\n'

    assert reasons(text) == [(1, "has a quote that is not closed where a cell ends")]
    assert rows(text)[1:] == [(2, ["c", "d"]), (3, ["e", "f"])]


def test_u30_a_quote_closed_by_the_next_one_swallows_nothing() -> None:
    text = b'a,"b\nc,d\ne,"f"\ng,h\n'

    assert [line for line, _ in reasons(text)] == [1]
    assert rows(text)[1:] == [(2, [*"cd"]), (3, [*"ef"]), (4, [*"gh"])]


def test_u30_a_row_of_several_lines_that_is_ragged_swallows_nothing() -> None:
    text = b'a,"b\nc,d\ne,f",g\nh,i\n'

    assert reasons(text) == [
        (1, "has 3 cells, and 2 were expected"),
        (3, "has 3 cells, and 2 were expected"),
    ]
    assert (2, ["c", "d"]) in rows(text)
    assert (4, ["h", "i"]) in rows(text)


@pytest.mark.parametrize("text", [b"a\n", b"a,b,c\n", b"a,b,,c\n", b'"a,b"\n'])
def test_u30_a_ragged_row_is_no_row(text: bytes) -> None:
    [(line, reason)] = reasons(text)

    assert line == 1
    assert "were expected" in reason


def test_text_after_a_closing_quote_is_a_mistake() -> None:
    assert [line for line, _ in reasons(b'"a"x,b\nc,d\n')] == [1]


def test_bytes_that_are_no_text_cost_their_own_row() -> None:
    assert reasons(b"a,\xe9\nc,d\n") == [(1, "holds bytes that are not text in its charset")]


def test_u30_a_cell_of_a_megabyte_is_a_cell_and_a_longer_row_is_none() -> None:
    fits = b"a," + b"x" * (LONGEST_ROW - 2)

    assert rows(fits + b"\nc,d")[1] == (2, ["c", "d"])
    assert reasons(fits) == []
    assert reasons(fits + b"x\nc,d") == [(1, "is longer than 1 MiB")]
    assert reasons(b'a,"' + b"x" * (LONGEST_ROW - 4) + b'"') == []


def test_u30_an_open_quote_is_followed_for_a_megabyte_and_no_further() -> None:
    text = b'a,"' + b"x" * (LONGEST_ROW // 2) + b"\n" + b"x" * (LONGEST_ROW // 2) + b'"\nc,d'

    assert [line for line, _ in reasons(text)] == [1, 2]
    assert rows(text)[2] == (3, ["c", "d"])


@given(st.lists(st.sampled_from([b'"', b",", b"a", b"\n", b"\r", b'""', b"\xff"]), max_size=60))
def test_any_text_is_cut_into_lines_that_are_all_accounted_for(pieces: list[bytes]) -> None:
    text = b"".join(pieces)

    found = list(Layout(",", 2).rows(text))

    assert [row.end for row in found] == sorted({row.end for row in found})
    assert not text or found[-1].end == len(text)
    assert [row.line for row in found[1:]] == [row.next_line for row in found[:-1]]
    assert all(bool(row.reason) != bool(row.cells) for row in found)


def test_a_file_full_of_open_quotes_is_read_in_reasonable_time() -> None:
    began = time.process_time()

    found = reasons(b'a,"b\n' * 100_000 + b"x,y\n" * 100_000)

    assert len(found) == 100_000
    assert time.process_time() - began < 10.0


# ---------------------------------------------------------------- the header


@pytest.mark.parametrize(
    ("text", "delimiter", "columns"),
    [
        (b"symbol,price\n", ",", ["symbol", "price"]),
        (b"symbol;price", ";", ["symbol", "price"]),
        (b"symbol\tprice\r\n", "\t", ["symbol", "price"]),
        (b' Symbol ;"PRICE";a, b\n', ";", ["symbol", "price", "a, b"]),
        (b'"symbol","the\nprice",price', ",", ["symbol", "the\nprice", "price"]),
        (b"\n \r\nsymbol,price\n", ",", ["symbol", "price"]),
        (b"symbol,price,other,other\n", ",", ["symbol", "price", "other", "other"]),
    ],
)
def test_the_header_says_what_the_columns_are_and_what_is_between_them(
    text: bytes, delimiter: str, columns: list[str]
) -> None:
    header = header_of(text, REQUIRED, KNOWN)

    assert (header.layout.delimiter, header.columns) == (delimiter, columns)


def test_rows_are_read_from_behind_the_header_on() -> None:
    text = b"\nsymbol,price\r\na,b\n"
    header = header_of(text, REQUIRED, KNOWN)

    [row] = header.layout.rows(text, header.row.end, header.row.next_line)

    assert (row.line, row.cells) == (3, ["a", "b"])


@pytest.mark.parametrize(
    ("text", "code", "told"),
    [
        (b"", "empty", "without even a CSV header"),
        (b" \r\n\n", "empty", "without even a CSV header"),
        (b"symbol,prize\n", "unexpected_content", "lacks these columns: price"),
        (b"name,other\n", "unexpected_content", "lacks these columns: symbol, price"),
        (b'"symbol,price\n', "unexpected_content", "header has a quote that is not closed"),
        (b"symbol|price\n", "unexpected_content", "lacks these columns: symbol, price"),
        (b"<html>", "unexpected_content", "lacks these columns: symbol, price"),
        (b"symbol,price,Rank,rank", "unexpected_content", "these columns twice: rank"),
        (b"symbol,price,\xff", "unexpected_content", "header holds bytes that are not text"),
        (b"x" * 2 * LONGEST_ROW + b",symbol,price", "unexpected_content", "header is longer than"),
    ],
)
def test_u30_a_header_that_has_changed_is_refused_and_says_what_is_missing(
    text: bytes, code: str, told: str
) -> None:
    with pytest.raises(UnexpectedContent, match=told) as unexpected:
        header_of(text, REQUIRED, KNOWN)

    assert unexpected.value.code == code


# ---------------------------------------------------------------- as spreadsheets write it


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b'a, "b" \n', ["a", "b"]),
        (b' "a" ,\t"b, c"\n', ["a", "b, c"]),
        (b' "a""b" ,b\n', ['a"b', "b"]),
        (b'a, ""\n', ["a", ""]),
        (b'a, "b\nc"\n', ["a", "b\nc"]),
        (b'a, "Weird" Al\n', ["a", ' "Weird" Al']),
        (b'a, "b\n', ["a", ' "b']),
        (b"a, b\n", ["a", " b"]),
    ],
)
def test_blanks_around_a_quoted_cell_are_no_part_of_it(text: bytes, expected: list[str]) -> None:
    assert rows(text) == [(1, expected)]


def test_in_a_table_with_tabs_a_tab_is_no_blank() -> None:
    assert rows(b'\t "a" \n', "\t") == [(1, ["", "a"])]
    assert rows(b'"a"\t\t"b"\n', "\t", 3) == [(1, ["a", "", "b"])]


@pytest.mark.parametrize("line", [b"", b",", b",,,,,", b' , ""', b'"","",""', b"\t ,", b'"\n",'])
@pytest.mark.parametrize("width", [1, 2, 3])
def test_a_row_without_a_value_is_a_blank_line(line: bytes, width: int) -> None:
    assert all(row.is_blank for row in Layout(",", width).rows(line + b"\n"))


@pytest.mark.parametrize("line", [b"a", b",a", b'""""', b'"', b'","', b"\xff"])
def test_a_row_with_anything_in_it_is_none(line: bytes) -> None:
    [row] = Layout(",", 2).rows(line)

    assert not row.is_blank


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"a,b,c,,", ["a", "b", "c"]),
        (b'a,b,c, ,""', ["a", "b", "c"]),
        (b"a,b", ["a", "b", ""]),
        (b'a,"b"', ["a", "b", ""]),
        (b'a,"b\nc",d,', ["a", "b\nc", "d"]),
    ],
)
def test_empty_cells_at_the_end_of_a_row_may_be_more_or_left_out(
    text: bytes, expected: list[str]
) -> None:
    [row] = Layout(",", 3, 2).rows(text)

    assert (row.cells, row.reason) == (expected, "")


@pytest.mark.parametrize("text", [b"a", b"a,b,c,d", b"a,b,c,,d", b'a,"b\nc"'])
def test_a_row_that_lacks_what_it_must_have_is_ragged(text: bytes) -> None:
    row = next(Layout(",", 3, 2).rows(text))

    assert row.reason.endswith("and 3 were expected")


@pytest.mark.parametrize(
    ("named", "delimiter"),
    [(b"sep=;\r\n", ";"), (b"SEP=|\n", "|"), (b'"sep=,"\n', ","), (b"sep=\t\n", "\t")],
)
def test_a_first_line_that_names_the_delimiter_is_skipped(named: bytes, delimiter: str) -> None:
    text = named + delimiter.join(["symbol", "price", "a;b,c"]).encode() + b"\n"

    header = header_of(text, REQUIRED, KNOWN)

    assert (header.layout.delimiter, header.row.line, header.row.next_line) == (delimiter, 2, 3)
    assert header.columns[:2] == ["symbol", "price"]
    again = header_of(header.raw, REQUIRED, KNOWN)
    assert (again.layout.delimiter, again.columns) == (delimiter, header.columns)


def test_a_delimiter_that_is_named_and_not_used_does_not_count() -> None:
    assert header_of(b"sep=;\nsymbol,price\n", REQUIRED, KNOWN).layout.delimiter == ","
    with pytest.raises(UnexpectedContent, match="without even a CSV header"):
        header_of(b"sep=;\n", REQUIRED, KNOWN)


@given(
    st.lists(st.lists(cells, min_size=3, max_size=3), max_size=5),
    st.sampled_from(",;\t"),
    st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL, csv.QUOTE_NONNUMERIC]),
    st.sampled_from(["\r\n", "\n", "\r"]),
)
def test_whatever_python_writes_is_read_back(
    table: list[list[str]], delimiter: str, quoting: Any, end: str
) -> None:
    file = io.StringIO()
    # Of other line ends, it leaves the characters within cells as they are.
    end = "\r\n" if quoting == csv.QUOTE_MINIMAL else end
    writer = csv.writer(file, delimiter=delimiter, quoting=quoting, lineterminator=end)
    writer.writerows(table)

    found = [row for row in Layout(delimiter, 3).rows(file.getvalue().encode())]

    read = [[cell.strip() for cell in row.cells] for row in found if not row.is_blank]
    meant = [[cell.strip() for cell in row] for row in table]
    assert read == [row for row in meant if any(row)]
