"""Faults of the CSV."""

import csv
import io

import httpx
import pytest

from entrypoints.upstream import FAULTS, SampleUpstream

NAMES = [name for name in FAULTS if name.startswith("csv-")]
THIRD, FIFTH = 3, 5
"""Places counted from the header."""


async def text_of(client: httpx.AsyncClient, upstream: SampleUpstream, name: str) -> str:
    answer = await client.get(upstream.fault_url(name))
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/csv; charset=utf-8")
    return answer.content.decode()


def rows(text: str, delimiter: str = ",") -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))


async def rows_of(
    client: httpx.AsyncClient, upstream: SampleUpstream, name: str
) -> list[list[str]]:
    return rows(await text_of(client, upstream, name))


def right(upstream: SampleUpstream) -> list[list[str]]:
    return rows(upstream.assets.body.decode())


@pytest.mark.parametrize("name", NAMES)
async def test_every_fault_spoils_the_csv(
    client: httpx.AsyncClient, upstream: SampleUpstream, name: str
) -> None:
    assert await text_of(client, upstream, name) != upstream.assets.body.decode()


@pytest.mark.parametrize("text", ["", "a\n", "a,b\n1,2\n"])
@pytest.mark.parametrize("name", [*NAMES, "U23-latin1", "U43"])
async def test_a_fault_can_be_played_on_any_text(
    client: httpx.AsyncClient, upstream: SampleUpstream, name: str, text: str
) -> None:
    upstream.set_assets(text)

    answer = await client.get(upstream.fault_url(name, "/assets.csv"))

    assert answer.status_code == 200


async def test_a_byte_order_mark_comes_first(
    client: httpx.AsyncClient, upstream: SampleUpstream
) -> None:
    answer = await client.get(upstream.fault_url("csv-bom"))

    assert answer.content == b"\xef\xbb\xbf" + upstream.assets.body


@pytest.mark.parametrize(("name", "delimiter"), [("csv-semicolon", ";"), ("csv-tab", "\t")])
async def test_the_delimiter_is_another(
    client: httpx.AsyncClient, upstream: SampleUpstream, name: str, delimiter: str
) -> None:
    text = await text_of(client, upstream, name)

    assert rows(text, delimiter) == right(upstream)


async def test_line_ends_are_mixed(client: httpx.AsyncClient, upstream: SampleUpstream) -> None:
    text = await text_of(client, upstream, "csv-crlf-mix")

    assert text.count("\r\n") == 10
    assert text.count("\n") == 21
    assert text.replace("\r\n", "\n") == upstream.assets.body.decode()


async def test_a_quote_is_never_closed(client: httpx.AsyncClient, upstream: SampleUpstream) -> None:
    text = await text_of(client, upstream, "csv-unclosed-quote")

    with pytest.raises(csv.Error):
        rows(text)
    assert text.splitlines()[THIRD].startswith('solana,"SOL,')


async def test_a_cell_has_two_lines(client: httpx.AsyncClient, upstream: SampleUpstream) -> None:
    read = await rows_of(client, upstream, "csv-embedded-newline")

    assert len(read) == 21
    assert read[THIRD][2] == "two\nlines"


async def test_rows_are_ragged(client: httpx.AsyncClient, upstream: SampleUpstream) -> None:
    read = await rows_of(client, upstream, "csv-ragged")

    assert {place: len(row) for place, row in enumerate(read) if len(row) != 9} == {
        THIRD: 6,
        FIFTH: 11,
    }


@pytest.mark.parametrize(
    ("name", "column", "content"),
    [
        ("csv-formula", 2, "=cmd()"),
        ("csv-nul", 2, "the \0 river"),
        ("csv-price-text", 3, "plenty"),
        ("csv-price-comma", 3, "137,91"),
        ("csv-price-empty", 3, ""),
    ],
)
async def test_one_cell_is_odd(
    client: httpx.AsyncClient, upstream: SampleUpstream, name: str, column: int, content: str
) -> None:
    text = await text_of(client, upstream, name)

    usual = right(upstream)
    usual[THIRD][column] = content
    assert rows(text) == usual


async def test_one_cell_is_huge(client: httpx.AsyncClient, upstream: SampleUpstream) -> None:
    lines = (await text_of(client, upstream, "csv-huge-cell")).splitlines()

    assert lines[THIRD].startswith("solana,SOL," + "x" * 2**20 + ",137.91,")
    assert len(lines) == 21


@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("csv-header-changed", "id,symbol,name,price,rank"),
        ("csv-header-duplicated", "id,symbol,symbol,price_usd,rank"),
        ("csv-header-missing", "bitcoin,BTC,Bitcoin,94180.55,1"),
    ],
)
async def test_the_header_is_another(
    client: httpx.AsyncClient, upstream: SampleUpstream, name: str, header: str
) -> None:
    read = await rows_of(client, upstream, name)

    assert ",".join(read[0][:5]) == header
    assert read[-20:] == right(upstream)[1:]


async def test_there_may_be_no_rows(client: httpx.AsyncClient, upstream: SampleUpstream) -> None:
    assert await rows_of(client, upstream, "csv-header-only") == right(upstream)[:1]


async def test_lines_may_be_empty(client: httpx.AsyncClient, upstream: SampleUpstream) -> None:
    read = await rows_of(client, upstream, "csv-blank-lines")

    assert [row for row in read if row] == right(upstream)
    assert read.count([]) == 21


async def test_an_id_comes_twice(client: httpx.AsyncClient, upstream: SampleUpstream) -> None:
    read = await rows_of(client, upstream, "csv-id-twice")

    assert [row[:3] for row in read if row[0] == "solana"] == [
        ["solana", "SOL", "Solana"],
        ["solana", "SOL", "the later name"],
    ]


async def test_most_rows_may_be_bad(client: httpx.AsyncClient, upstream: SampleUpstream) -> None:
    read = await rows_of(client, upstream, "csv-mostly-bad")

    assert sum(row[3] == "NaN" for row in read) == 10
