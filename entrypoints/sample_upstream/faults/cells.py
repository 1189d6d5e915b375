"""Faults of the CSV: its marks, delimiters, quotes, header and cells (U30)."""

from collections.abc import Callable

from entrypoints.sample_upstream.assets import Row, read_rows, write_rows
from entrypoints.sample_upstream.documents import SPOILED
from entrypoints.sample_upstream.exchange import Exchange, Handler
from entrypoints.sample_upstream.faults.fault import Fault, befalling
from entrypoints.sample_upstream.subjects import ASSETS

NAME, PRICE = 2, 3
"""The indexes of the columns that are changed."""
ROW = SPOILED + 1
"""The index of the row that single-row faults change, counted from the header."""
HUGE_CELL_BYTES = 1024 * 1024

Change = Callable[[Row], Row]


def text(make: Callable[[str], str]) -> Handler:
    """Return a handler that answers with the changed text."""

    async def play(exchange: Exchange) -> None:
        await exchange.show(make(exchange.body.decode()).encode())

    return play


def table(make: Callable[[list[Row]], list[Row]], delimiter: str = ",") -> Handler:
    """Return a handler that answers with the changed header and rows."""
    return text(lambda right: write_rows(make(read_rows(right)), delimiter))


def changed(changes: dict[int, Change]) -> Handler:
    """Return a handler that answers with these rows changed; the header is row 0."""
    return table(
        lambda right: [changes.get(index, list)(cells) for index, cells in enumerate(right)]
    )


def cell(column: int, content: str) -> Handler:
    """Return a handler that answers with this content in one cell of the third row."""
    return changed({ROW: _with(column, content)})


def _with(column: int, content: str) -> Change:
    return lambda cells: [*cells[:column], content, *cells[column + 1 :]]


def _column_called(old: str, new: str) -> Handler:
    return changed({0: lambda names: [new if name == old else name for name in names]})


def _with_mixed_line_ends(right: str) -> str:
    lines = right.splitlines()
    return "".join(f"{line}\r\n" if index % 2 else f"{line}\n" for index, line in enumerate(lines))


def _unclosed(right: str) -> str:
    lines = right.splitlines(keepends=True)
    opened = [line.replace(",", ',"', 1) for line in lines[ROW : ROW + 1]]
    return "".join([*lines[:ROW], *opened, *lines[ROW + 1 :]])


def _repeated(right: list[Row]) -> list[Row]:
    return [*right, *map(_with(NAME, "the later name"), right[ROW : ROW + 1])]


def _mostly_bad(right: list[Row]) -> list[Row]:
    spoil = _with(PRICE, "NaN")
    return [spoil(cells) if index % 2 else cells for index, cells in enumerate(right)]


OF_ASSETS = {
    "csv-bom": Fault("A UTF-8 byte order mark comes first.", text("\ufeff{}".format)),
    "csv-semicolon": Fault("Cells are separated by semicolons.", table(list, ";")),
    "csv-tab": Fault("Cells are separated by tabs.", table(list, "\t")),
    "csv-crlf-mix": Fault(
        "Every other line ends in CRLF, the rest in LF.", text(_with_mixed_line_ends)
    ),
    "csv-unclosed-quote": Fault("A quote in the third row is never closed.", text(_unclosed)),
    "csv-embedded-newline": Fault(
        "The third name has two lines, in quotes, which is valid.", cell(NAME, "two\nlines")
    ),
    "csv-ragged": Fault(
        "The third row is three cells short, the fifth has two too many.",
        changed({ROW: lambda cells: cells[:-3], ROW + 2: lambda cells: [*cells, "one", "two"]}),
    ),
    "csv-huge-cell": Fault("The third name is 1 MiB long.", cell(NAME, "x" * HUGE_CELL_BYTES)),
    "csv-header-changed": Fault(
        "The column price_usd is called price.", _column_called("price_usd", "price")
    ),
    "csv-header-duplicated": Fault(
        "Two columns are called symbol, and none name.", _column_called("name", "symbol")
    ),
    "csv-header-missing": Fault("There is no header.", table(lambda right: right[1:])),
    "csv-header-only": Fault("There is a header and no row.", table(lambda right: right[:1])),
    "csv-blank-lines": Fault(
        "After each line comes an empty one.", text(lambda right: right.replace("\n", "\n\n"))
    ),
    "csv-formula": Fault("The third name is a formula.", cell(NAME, "=cmd()")),
    "csv-nul": Fault("The third name contains U+0000.", cell(NAME, "the \0 river")),
    "csv-price-text": Fault("The third price is a word.", cell(PRICE, "plenty")),
    "csv-price-comma": Fault("The third price has a decimal comma.", cell(PRICE, "137,91")),
    "csv-price-empty": Fault("The third price is empty.", cell(PRICE, "")),
    "csv-id-twice": Fault(
        "The third row comes again at the end, with another name.", table(_repeated)
    ),
    "csv-mostly-bad": Fault("Every other price is NaN.", table(_mostly_bad)),
}
CELLS = befalling(OF_ASSETS, ASSETS)
