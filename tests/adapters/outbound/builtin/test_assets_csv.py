"""A user's CSV file, on this machine and on the web, with all that may be wrong with it."""

import os
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from adapters.memory.system import SteerableClock
from adapters.outbound.builtin.crypto_assets import assets_csv
from adapters.outbound.files import MAX_SIZE
from adapters.outbound.formats.csv_pages import PAGE
from adapters.outbound.sources import source_of
from application.ports.ingest import Source
from domain.builtin.crypto_assets import CRYPTO_ASSETS, CryptoAsset
from domain.errors import SourceRefused, UnexpectedContent
from domain.payloads import Payload
from domain.reports import Counts, SourceReport, SourceStatus
from tests.adapters.outbound.client_fixture import (
    Answering,
    ClientFixture,
    HurriedClock,
    open_client,
    reply,
)

NOW = SteerableClock().now()
HEADER = "symbol,name,price_usd\n"
SAMPLE = HEADER + "BTC,Bitcoin,64000.5\nETH,Ether,3100\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the file is."""
    return tmp_path / "my assets.csv"


@pytest.fixture
def source(fixture: ClientFixture, path: Path) -> Source[CryptoAsset]:
    """The source that reads it."""
    return assets_of(str(path), fixture)


def assets_of(url: str, fixture: ClientFixture) -> Source[CryptoAsset]:
    """The source of the file at that address."""
    return source_of(assets_csv(url), fixture.client)


def payload(text: str | bytes, url: str = "http://example.com/a.csv", kind: str = "") -> Payload:
    """A file as it arrived."""
    body = text.encode() if isinstance(text, str) else text
    return Payload(url=url, body=body, content_type=kind or "text/csv", received_at=NOW)


def read(source: Source[CryptoAsset], text: str | bytes, **more: str) -> list[CryptoAsset]:
    """The assets in a text in which all are sound."""
    batch = source.normalise(payload(text, **more))
    assert batch.rejections == []
    return batch.records


def rejected(source: Source[CryptoAsset], text: str | bytes) -> list[tuple[str, str]]:
    """Where the bad rows of a text stand, and what is wrong with them."""
    return [(each.pointer, each.reason) for each in source.normalise(payload(text)).rejections]


async def fetched(
    fixture: ClientFixture, source: Source[CryptoAsset], seconds: float = 60
) -> SourceReport:
    """What a fetch from the source gave."""
    return await fixture.gather(CRYPTO_ASSETS, source, seconds)


def failure(report: SourceReport) -> tuple[str, str]:
    """Why the fetch failed."""
    assert report.status is SourceStatus.FAILED
    assert report.error is not None
    return report.error.code, report.error.detail


# ---------------------------------------------------------------- rows to assets


def test_a_row_is_an_asset(source: Source[CryptoAsset]) -> None:
    [asset] = read(
        source,
        "id,symbol,name,rank,price_usd,volume_24h_usd,market_cap_usd,percent_change_24h,updated_at\n"
        "btc,BTC,Bitcoin,1,64000.5,3e10,1.2e12,-0.25,2026-01-01T01:00:00+02:00\n",
    )

    assert asset == CryptoAsset(
        source="csv",
        source_id="btc",
        symbol="BTC",
        name="Bitcoin",
        rank=1,
        price_usd=64000.5,
        volume_24h_usd=3e10,
        market_cap_usd=1.2e12,
        percent_change_24h=-0.25,
        updated_at=datetime(2025, 12, 31, 23, tzinfo=UTC),
    )


def test_an_asset_without_an_id_is_known_by_symbol_and_name(source: Source[CryptoAsset]) -> None:
    assets = read(source, "id,symbol,name,price_usd\n,BTC,Bitcoin,1\nx,BTC,Bitcoin,1\n")

    assert [asset.source_id for asset in assets] == ["btc-bitcoin", "x"]


def test_cells_are_stripped_and_empty_ones_are_missing_values(source: Source[CryptoAsset]) -> None:
    [asset] = read(source, "symbol,name,price_usd,rank,updated_at\n BTC , Bitcoin ,1, ,\n")

    assert (asset.symbol, asset.name, asset.rank, asset.updated_at) == (
        "BTC",
        "Bitcoin",
        None,
        None,
    )


def test_columns_may_come_in_any_order_and_others_are_passed_over(
    source: Source[CryptoAsset],
) -> None:
    [asset] = read(source, 'Note;NAME;" Price_USD ";Symbol;source\n"a;b";Bitcoin;1;BTC;mine\n')

    assert (asset.symbol, asset.name, asset.price_usd, asset.source) == ("BTC", "Bitcoin", 1, "csv")


def test_u30_blank_lines_are_passed_over_and_a_header_alone_is_no_records(
    source: Source[CryptoAsset],
) -> None:
    assert read(source, HEADER) == []
    assert len(read(source, "\n" + HEADER + "\r\n \nBTC,Bitcoin,1\n\n")) == 1


def test_u30_a_formula_is_text(source: Source[CryptoAsset]) -> None:
    assert read(source, HEADER + "=cmd(),@sum,1\n")[0].symbol == "=cmd()"


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (",Bitcoin,1", "symbol is empty"),
        ("BTC,,1", "name is empty"),
        ("BTC,Bitcoin,", "price_usd is empty"),
        ('BTC,Bitcoin,"1,5"', "price_usd: expected a finite number"),
        ('BTC,Bitcoin,"64,000.50"', "price_usd: expected a finite number"),
        ("BTC,Bitcoin,$1", "price_usd: expected a finite number"),
        ("BTC,Bitcoin,NaN", "price_usd: expected a finite number"),
        ("BTC,Bitcoin,inf", "price_usd: expected a finite number"),
        ("BTC,Bitcoin,1e999", "price_usd: expected a finite number"),
        ("BTC,Bitcoin,٣", "price_usd: expected a finite number"),
        ("BTC,Bitcoin,0x10", "price_usd: expected a finite number"),
        ("BTC,Bit\0coin,1", "name: expected text without the character U+0000"),
        ("$,!,1", "source_id is empty"),
        ("BTC,Bitcoin", "has 2 cells, and 3 were expected"),
        ("BTC,Bitcoin,1,x", "has 4 cells, and 3 were expected"),
        ('BTC,"Bitcoin,1', "has a quote that is not closed where a cell ends"),
        ('"BTC"x,Bitcoin,1', "has a quote that is not closed where a cell ends"),
    ],
)
def test_a_row_that_is_no_asset_is_rejected_with_its_line(
    source: Source[CryptoAsset], row: str, reason: str
) -> None:
    text = HEADER + "A,Sound,1\n" + row + "\nB,Sound,1\n"

    batch = source.normalise(payload(text))

    assert [asset.symbol for asset in batch.records] == ["A", "B"]
    [rejection] = batch.rejections
    assert rejection.pointer == "line 3"
    assert rejection.reason.startswith(reason)
    assert rejection.excerpt == row.replace("\0", "\ufffd")


@pytest.mark.parametrize(
    ("column", "text", "reason"),
    [
        ("rank", "-1", "rank is negative"),
        ("rank", "1.5", "rank: expected a whole number"),
        ("rank", str(2**63), "rank: expected a whole number"),
        ("market_cap_usd", "a lot", "market_cap_usd: expected a finite number"),
        ("updated_at", "2026-02-30T00:00:00Z", "updated_at: expected a time with its zone"),
        ("updated_at", "2026-01-01T24:00:00Z", "updated_at: expected a time with its zone"),
        ("updated_at", "2026-01-01T12:00:00", "updated_at: expected a time with its zone"),
        ("updated_at", "01.01.2026", "updated_at: expected a time with its zone"),
        ("updated_at", "1767225600", "updated_at: expected a time with its zone"),
        ("updated_at", "1767225600000", "updated_at: expected a time with its zone"),
        ("updated_at", "0001-01-02T00:00:00Z", "the time lies before the year 2000"),
        ("updated_at", "9999-12-31T23:59:59Z", "the time lies more than a day ahead"),
    ],
)
def test_u31_and_other_invalid_values_are_rejected(
    source: Source[CryptoAsset], column: str, text: str, reason: str
) -> None:
    [(pointer, told)] = rejected(source, f"symbol,name,price_usd,{column}\nBTC,Bitcoin,1,{text}\n")

    assert pointer == "line 2"
    assert told.startswith(reason)


def test_u30_the_lines_of_a_file_are_counted_as_an_editor_counts_them(
    source: Source[CryptoAsset],
) -> None:
    text = '\r\nsymbol,name,price_usd\nA,"of\r\nseveral\nlines",1\r\nB\rC,c,1\n\n"D,d,1\nE,e\n'

    assert [line for line, _ in rejected(source, text)] == ["line 6", "line 9", "line 10"]


def test_what_is_shown_of_a_bad_row_is_short(source: Source[CryptoAsset]) -> None:
    batch = source.normalise(payload(HEADER + "é" * 100_000 + "\n"))

    assert batch.rejections[0].excerpt == "é" * 200


async def test_u30_a_cell_of_a_megabyte_is_quarantined_where_it_would_be_indexed(
    fixture: ClientFixture, source: Source[CryptoAsset], path: Path
) -> None:
    path.write_text(
        "symbol,name,price_usd,note\n"
        f"A,{'x' * 1_000_000},1,\n"
        f"B,b,1,{'x' * 1_000_000}\n"
        f"C,c,1,{'x' * PAGE}\nD,d,1,\n"
    )

    report = await fetched(fixture, source)

    assert report.counts == Counts(received=4, inserted=2, quarantined=2)
    assert sorted(record.symbol for record in fixture.records(CRYPTO_ASSETS)) == ["B", "D"]
    assert {reason for _, reason in fixture.rejections} == {
        "source_id is longer than 512 bytes, and it is indexed",
        "is longer than 1 MiB",
    }


# ---------------------------------------------------------------- charsets


@pytest.mark.parametrize(
    ("charset", "kind"),
    [
        ("utf-8", "text/csv"),
        ("utf-8-sig", "text/csv"),
        ("utf-16", "text/csv"),
        ("utf-16-be", "text/csv; charset=utf-16be"),
        ("cp1252", "text/csv; charset=windows-1252"),
    ],
)
def test_u23_a_file_is_read_by_its_mark_or_its_declared_charset(
    source: Source[CryptoAsset], charset: str, kind: str
) -> None:
    text = (HEADER + "CAF,Café,1\n").encode(charset)

    assert read(source, text, kind=kind)[0].name == "Café"


def test_u23_what_is_not_utf8_and_says_nothing_costs_its_own_row(
    source: Source[CryptoAsset],
) -> None:
    text = (HEADER + "CAF,Café,1\nBTC,Bitcoin,1\n").encode("latin-1")

    assert rejected(source, text) == [("line 2", "holds bytes that are not text in its charset")]


# ---------------------------------------------------------------- what cannot be read at all


@pytest.mark.parametrize(
    ("text", "code", "told"),
    [
        ("", "empty", "without even a CSV header"),
        ("\ufeff", "empty", "without even a CSV header"),
        ("symbol,title,price\nBTC,Bitcoin,1\n", "unexpected_content", "columns: name, price_usd"),
        ("name,symbol\n", "unexpected_content", "lacks these columns: price_usd"),
        (HEADER.strip() + ",name\n", "unexpected_content", "has these columns twice: name"),
        ("<!doctype html><title>Sorry</title>", "unexpected_content", "lacks these columns"),
        ('[{"symbol": "BTC"}]', "unexpected_content", "lacks these columns"),
        (HEADER + "x\n" * 100_001, "too_many_rejections", "more than 100000 records"),
        (HEADER + "a,b,1\n" * 1_000_001, "too_many_records", "more than 1000000 records"),
    ],
)
def test_u30_a_file_that_is_something_else_is_refused_and_says_what_is_missing(
    source: Source[CryptoAsset], text: str, code: str, told: str
) -> None:
    with pytest.raises(UnexpectedContent, match=told) as unexpected:
        source.normalise(payload(text))

    assert unexpected.value.code == code


def test_the_same_payload_always_gives_the_same_batch(source: Source[CryptoAsset]) -> None:
    file = payload(SAMPLE + "bad\n")

    assert source.normalise(file) == source.normalise(file)


# ---------------------------------------------------------------- on this machine


async def test_a_local_file_is_read_without_a_request(
    fixture: ClientFixture, source: Source[CryptoAsset], path: Path
) -> None:
    path.write_text(SAMPLE)

    report = await fetched(fixture, source)

    assert report.counts == Counts(received=2, inserted=2)
    assert (report.requests, report.bytes) == (0, len(SAMPLE))
    assert source.host == "file"
    assert fixture.database.hosts == {}


@pytest.mark.parametrize("form", ["{}", "file://{}", "FILE://localhost{}"])
async def test_a_local_file_is_named_by_its_path_or_by_its_url(
    fixture: ClientFixture, path: Path, form: str
) -> None:
    path.write_text(SAMPLE)
    place = str(path).replace(" ", "%20") if "://" in form else str(path)

    report = await fetched(fixture, assets_of(form.format(place), fixture))

    assert report.counts.inserted == 2


async def test_u23_the_url_of_a_local_file_says_what_its_bytes_are(
    fixture: ClientFixture, path: Path
) -> None:
    path.write_bytes((HEADER + "EUR,€uro,1\n").encode("cp1252"))

    url = f"{path.as_uri()}?charset=windows-1252"
    report = await fetched(fixture, assets_of(url, fixture))

    assert report.status is SourceStatus.SUCCEEDED
    assert fixture.records(CRYPTO_ASSETS)[0].name == "€uro"


async def test_what_is_kept_of_a_local_file_shows_its_name_and_no_more_of_its_path(
    fixture: ClientFixture, source: Source[CryptoAsset], path: Path
) -> None:
    path.write_text(SAMPLE)
    await fetched(fixture, source)
    path.unlink()

    code, told = failure(await fetched(fixture, source))

    [kept] = fixture.database.kept["crypto_assets", "csv"]
    assert kept.url == "file:///my%20assets.csv#line=2"
    assert (code, told) == (
        "source_unavailable",
        "my assets.csv cannot be read: No such file or directory",
    )


async def test_an_unchanged_file_is_not_read_again(
    fixture: ClientFixture, source: Source[CryptoAsset], path: Path
) -> None:
    path.write_text(SAMPLE)
    await fetched(fixture, source)

    again = await fetched(fixture, source)

    assert (again.status, again.counts) == (SourceStatus.SUCCEEDED, Counts())
    assert (again.not_modified, again.bytes) == (1, 0)


async def test_a_file_that_was_touched_is_read_again_and_found_unchanged(
    fixture: ClientFixture, source: Source[CryptoAsset], path: Path
) -> None:
    path.write_text(SAMPLE)
    await fetched(fixture, source)
    os.utime(path, (1, 1))

    again = await fetched(fixture, source)

    assert (again.not_modified, again.counts) == (0, Counts(received=2, unchanged=2))


async def test_a_changed_file_changes_what_it_changes(
    fixture: ClientFixture, source: Source[CryptoAsset], path: Path
) -> None:
    path.write_text(SAMPLE)
    await fetched(fixture, source)
    path.write_text(SAMPLE.replace("3100", "3200.5") + "SOL,Solana,150\n")

    again = await fetched(fixture, source)

    assert again.counts == Counts(received=3, inserted=1, updated=1, unchanged=1)


async def test_the_same_file_with_another_charset_is_read_again(
    fixture: ClientFixture, path: Path
) -> None:
    path.write_bytes((HEADER + "EUR,€uro,1\n").encode("cp1252"))
    first = await fetched(fixture, assets_of(path.as_uri(), fixture))

    second = await fetched(fixture, assets_of(f"{path.as_uri()}?charset=windows-1252", fixture))

    assert (first.counts.quarantined, second.counts.inserted) == (1, 1)


async def test_after_many_confirmations_the_file_is_read_all_the_same(
    fixture: ClientFixture, source: Source[CryptoAsset], path: Path
) -> None:
    path.write_text(SAMPLE)

    reports = [await fetched(fixture, source) for _ in range(21)]

    assert [report.not_modified for report in reports] == [0, *[1] * 19, 0]


async def test_two_assets_that_get_one_identifier_are_not_taken_for_one(
    fixture: ClientFixture, source: Source[CryptoAsset], path: Path
) -> None:
    path.write_text(HEADER + "WIF,dogwifhat,1.5\n$WIF,dogwifhat,2\nWIF,dogwifhat,1.5\n")

    report = await fetched(fixture, source)

    assert report.counts == Counts(received=3, inserted=1, duplicates=1, quarantined=1)
    assert fixture.rejections == [
        ("line 3", "key_not_unique: line 2 has the same source and source_id and different values")
    ]
    stored = fixture.database.tables["crypto_assets"].rows["csv", "wif-dogwifhat"].record
    assert (stored.symbol, stored.price_usd) == ("WIF", 1.5)


async def test_a_large_file_comes_in_pages_with_exact_lines(
    fixture: ClientFixture, source: Source[CryptoAsset], path: Path
) -> None:
    rows = [f"S{number},asset {number},{number}.5,{'x' * 900}\n" for number in range(5000)]
    rows[4321] = f"bad,{'x' * 900}\n"
    path.write_text("symbol,name,price_usd,note\n" + "".join(rows))

    report = await fetched(fixture, source)

    kept = fixture.database.kept["crypto_assets", "csv"]
    assert report.counts == Counts(received=5000, inserted=4999, quarantined=1)
    assert [pointer for pointer, _ in fixture.rejections] == ["line 4323"]
    assert len(kept) > 3
    assert all(len(each.body) < 2 * PAGE for each in kept)
    assert all(each.body.startswith(b"symbol,name,price_usd,note\n") for each in kept)
    # A page says by itself which lines it has.
    for each in kept:
        assert f"S{int(each.url.rpartition('=')[2]) - 2},".encode() in each.body[:100]


async def test_an_unchanged_large_file_is_found_unchanged(
    fixture: ClientFixture, source: Source[CryptoAsset], path: Path
) -> None:
    rows = [f"{'x' * 90},S{n},asset {n},1\n" for n in range(20_000)]
    path.write_text("".join([f"note,{HEADER}", *rows, "of page one,S0,asset 0,2\n"]))
    first = await fetched(fixture, source)
    before = fixture.database.tables["crypto_assets"].rows["csv", "s0-asset-0"]

    again = [(await fetched(fixture, source)).counts for _ in range(2)]

    assert first.counts == Counts(received=20_001, inserted=20_000, duplicates=1)
    assert again == [Counts(received=20_001, unchanged=20_000, duplicates=1)] * 2
    assert fixture.database.tables["crypto_assets"].rows["csv", "s0-asset-0"] == before
    assert before.record.price_usd == 2


async def test_what_is_wrong_with_a_file_is_said(
    fixture: ClientFixture, source: Source[CryptoAsset], path: Path
) -> None:
    path.mkdir()
    assert failure(await fetched(fixture, source)) == (
        "source_unavailable",
        "my assets.csv is not a file that can be read",
    )
    path.rmdir()
    os.mkfifo(path)
    assert failure(await fetched(fixture, source))[1].endswith("is not a file that can be read")
    path.unlink()
    path.touch()
    assert failure(await fetched(fixture, source))[0] == "empty"
    with path.open("r+b") as file:
        file.truncate(MAX_SIZE + 1)  # a hole, which takes no room on the disk
    assert failure(await fetched(fixture, source)) == (
        "too_large",
        "my assets.csv is larger than 1024 MiB, which is not read",
    )


async def test_a_file_that_cannot_be_read_leaves_the_old_data(
    fixture: ClientFixture, source: Source[CryptoAsset], path: Path
) -> None:
    path.write_text(SAMPLE)
    await fetched(fixture, source)
    path.write_text("something else\n" * 100)

    code, told = failure(await fetched(fixture, source))

    assert code == "unexpected_content"
    assert "symbol, name, price_usd" in told
    assert len(fixture.records(CRYPTO_ASSETS)) == 2


class Changing(HurriedClock):
    """A clock at whose every reading something happens to a file."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path

    def now(self) -> datetime:
        """The time, after one more row was written."""
        if self.path.exists():
            self.write()
        return super().now()

    def write(self) -> None:
        """Write the row."""
        with self.path.open("a") as file:
            file.write("X,x,1\n")


async def test_a_file_that_changes_while_it_is_read_is_not_used(path: Path) -> None:
    async with open_client(Changing(path)) as fixture:
        path.write_text(SAMPLE)

        code, told = failure(await fetched(fixture, assets_of(str(path), fixture)))

        assert code == "incomplete"
        assert "was changed while it was read" in told
        assert fixture.records(CRYPTO_ASSETS) == []


class Racing(SteerableClock):
    """A clock that is a second further on whenever it is looked at."""

    def now(self) -> datetime:
        """The time, which flies."""
        self.advance(timedelta(seconds=1))
        return super().now()


async def test_a_file_that_takes_too_long_ends_at_the_deadline(path: Path) -> None:
    async with open_client(Racing()) as fixture:
        path.write_text(HEADER + f"S,{'x' * 900},1\n" * 9000)

        report = await fetched(fixture, assets_of(str(path), fixture), seconds=5)

        assert failure(report) == (
            "source_timed_out",
            "my assets.csv did not finish before the deadline; CATCHMENT_FETCH_DEADLINE is how long"
            " a fetch may take",
        )


@pytest.mark.parametrize("url", ["file://server/share/a.csv", "file:///", "ftp://host/a.csv"])
async def test_an_address_that_leads_to_no_file_is_not_even_a_source(
    fixture: ClientFixture, url: str
) -> None:
    with pytest.raises(SourceRefused) as refused:
        assets_of(url, fixture)

    assert refused.value.code == "url_refused"


# ---------------------------------------------------------------- on the web


@pytest.fixture
async def web() -> AsyncIterator[tuple[Answering, ClientFixture]]:
    """A server whose replies can be set, and a client that may ask it."""
    async with (
        Answering(reply(SAMPLE.encode(), "Content-Type: text/csv", 'ETag: "one"')) as server,
        open_client(allowed_private=frozenset({server.place})) as fixture,
    ):
        yield server, fixture


async def test_a_file_on_the_web_is_asked_for_politely(
    web: tuple[Answering, ClientFixture],
) -> None:
    server, fixture = web
    source = assets_of(server.url("/my/assets.csv"), fixture)

    report = await fetched(fixture, source)

    assert report.counts == Counts(received=2, inserted=2)
    assert report.requests == 1
    assert source.host == server.place
    assert b"accept: text/csv, */*;q=0.1\r\n" in server.heads[0].lower()


async def test_a_file_on_the_web_that_has_not_changed_is_not_sent_again(
    web: tuple[Answering, ClientFixture],
) -> None:
    server, fixture = web
    source = assets_of(server.url("/assets.csv"), fixture)
    await fetched(fixture, source)
    server.replies = [reply(b"", status="304 Not Modified", bounded=False)]

    again = await fetched(fixture, source)

    assert again.not_modified == 1
    assert b'if-none-match: "one"\r\n' in server.heads[1].lower()


async def test_the_lines_of_a_file_on_the_web_are_counted_whatever_its_url_says(
    web: tuple[Answering, ClientFixture],
) -> None:
    server, fixture = web
    server.replies = [reply(SAMPLE.encode() + b"bad\n", "Content-Type: text/plain")]

    await fetched(fixture, assets_of(server.url("/assets.csv#line=70"), fixture))

    assert [pointer for pointer, _ in fixture.rejections] == ["line 4"]


def test_what_was_kept_of_a_local_file_is_read_as_such_when_the_file_has_moved_to_the_web(
    fixture: ClientFixture,
) -> None:
    source = assets_of("http://example.com/assets.csv", fixture)

    batch = source.normalise(payload(HEADER + "bad\n", url="file:///assets.csv#line=70"))

    assert [rejection.pointer for rejection in batch.rejections] == ["line 70"]


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        pytest.param(reply(SAMPLE.encode()[:-5], bounded=False), "incomplete", id="cut"),
        pytest.param(reply(b""), "empty", id="empty"),
        pytest.param(reply(b"<html>"), "unexpected_content", id="html"),
        pytest.param(reply(b"", status="404 Not Found"), "source_refused", id="gone"),
    ],
)
async def test_u13_and_other_failures_apply_nothing(
    web: tuple[Answering, ClientFixture], answer: bytes, code: str
) -> None:
    server, fixture = web
    server.replies = [answer]

    report = await fetched(fixture, assets_of(server.url("/assets.csv"), fixture))

    assert failure(report)[0] == code
    assert fixture.records(CRYPTO_ASSETS) == []


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(reply(SAMPLE.encode().strip()), id="its length is known"),
        pytest.param(reply(SAMPLE.encode(), bounded=False), id="it ends with a line"),
    ],
)
async def test_an_answer_that_is_whole_is_used(
    web: tuple[Answering, ClientFixture], answer: bytes
) -> None:
    server, fixture = web
    server.replies = [answer]

    report = await fetched(fixture, assets_of(server.url("/assets.csv"), fixture))

    assert report.counts == Counts(received=2, inserted=2)
