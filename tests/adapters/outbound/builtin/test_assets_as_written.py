"""A user's file as sheets and scripts write it: the same assets, however it is spelled."""

import csv
import gzip
import io
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.outbound.builtin.crypto_assets import assets_csv
from adapters.outbound.formats.csv import columns_of, read_csv
from adapters.outbound.formats.csv_pages import pages_of
from domain.builtin.crypto_assets import CRYPTO_ASSETS, CryptoAsset
from domain.errors import SourceRefused
from domain.reports import Counts
from tests.adapters.outbound.builtin.test_assets_csv import (
    NOW,
    SAMPLE,
    Changing,
    assets_of,
    failure,
    fetched,
    payload,
)
from tests.adapters.outbound.client_fixture import Answering, ClientFixture, open_client, reply

MAPPING = assets_csv("").mapping
NAMES = ("id", "symbol", "name", "price_usd", "rank", "volume_24h_usd", "updated_at")
HEADER = ",".join(NAMES) + "\n"


def assets(text: str | bytes, kind: str = "text/csv") -> list[CryptoAsset]:
    """The assets in a text in which all are sound."""
    batch = read_csv(payload(text, kind=kind), MAPPING)
    assert batch.rejections == []
    return batch.records


def of(row: str) -> CryptoAsset:
    """The asset in one row."""
    [asset] = assets(HEADER + row)
    return asset


def test_forty_rows_and_twenty_five_empty_ones_are_forty_records() -> None:
    text = HEADER + "".join(f"a{n},A,a,1,,,\n" for n in range(40)) + ",,,,,,\n" * 25

    assert len(assets(text)) == 40


def test_a_whole_sheet_of_empty_rows_is_not_too_many_records() -> None:
    assert len(assets(HEADER + "a,A,a,1,,,\n" + ",,,,,,\r\n" * 1_048_574)) == 1


@pytest.mark.parametrize(
    ("row", "known"),
    [
        ("btc,BTC,Bitcoin,1,1.0,,", {"rank": 1}),
        ("btc,BTC,Bitcoin,+1.7,,.5,", {"price_usd": 1.7, "volume_24h_usd": 0.5}),
        ("btc,BTC,Bitcoin,5.,NA,N/A,null", {"price_usd": 5.0}),
        ("btc,BTC,NULL,1,-,NaN,NULL", {"name": "NULL"}),
        ("btc,BTC,Bitcoin,1,,,0001-01-01T00:00:00Z", {}),
        ("btc,BTC,Bitcoin,1", {}),
        ("btc,BTC,Bitcoin,1,,,,,,", {}),
        ('"btc", "BTC" , "Bitcoin", 1, 2, "3" ,', {"rank": 2, "volume_24h_usd": 3.0}),
        (
            "btc,BTC,Bitcoin,1,,,2026-01-01 11:00:00.123456789+00:00",
            {"updated_at": NOW.replace(hour=11, minute=0, second=0, microsecond=123_456)},
        ),
    ],
)
def test_a_row_is_read_as_it_is_meant(row: str, known: dict[str, Any]) -> None:
    given = {"symbol": "BTC", "name": "Bitcoin", "price_usd": 1.0} | known
    expected = CryptoAsset(source="csv", source_id="btc", **given)
    asset = of(row)

    assert asset == expected, (asset, expected)


# ---------------------------------------------------------------- the same table in any way

texts = st.text(st.characters(codec="cp1251", exclude_categories=["C", "Z"]), min_size=1)
rows = st.lists(
    st.tuples(texts, texts, texts, st.integers(-(2**53), 2**53), st.integers(0, 2**63 - 1)),
    max_size=6,
)
ways = st.fixed_dictionaries(
    {
        "delimiter": st.sampled_from(",;\t"),
        "quoting": st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL, csv.QUOTE_NONNUMERIC]),
        "charset": st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32", "windows-1251"]),
        "blank": st.sampled_from([0, 3]),
        "named": st.booleans(),
        "packed": st.booleans(),
        "whole": st.sampled_from(["{}", "{}.0", "{}.", "{}e0"]),
    }
)


def written(table: list[Any], way: dict[str, Any]) -> bytes:
    """A table written in one of many ways."""
    file = io.StringIO()
    if way["named"]:
        file.write(f"sep={way['delimiter']}\r\n")
    writer = csv.writer(file, delimiter=way["delimiter"], quoting=way["quoting"])
    writer.writerow(NAMES[:5])
    for *texts, price, rank in table:
        writer.writerow([*texts, price, way["whole"].format(rank)])
    writer.writerows([[""] * 5] * way["blank"])
    body = file.getvalue().encode(way["charset"])
    return gzip.compress(body) if way["packed"] else body


@settings(max_examples=150)
@given(rows, ways)
def test_the_same_table_gives_the_same_records_in_whatever_way_it_is_written(
    table: list[Any], way: dict[str, Any]
) -> None:
    body = written(table, way)
    kind = f"text/csv; charset={way['charset']}"

    read = assets(body, kind)

    assert [(a.source_id, a.symbol, a.name, a.price_usd, a.rank) for a in read] == table
    if not way["packed"]:
        fields, required, _ = columns_of(MAPPING.element)
        pages = list(pages_of(io.BytesIO(body), kind, required, fields))
        paged = [record for page in pages for record in assets(page.body, "text/csv")]
        assert paged == read


# ---------------------------------------------------------------- files


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the file is."""
    return tmp_path / "assets.csv"


@pytest.mark.parametrize(
    "content", [SAMPLE.encode(), gzip.compress(SAMPLE.encode(), mtime=0)], ids=["plain", "packed"]
)
@pytest.mark.parametrize("name", ["assets.csv", "assets.csv.gz"])
async def test_a_local_file_is_unpacked_by_its_first_bytes_whatever_its_name(
    fixture: ClientFixture, tmp_path: Path, content: bytes, name: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)

    report = await fetched(fixture, assets_of(str(path), fixture))

    assert report.counts == Counts(received=2, inserted=2)


async def test_a_local_file_whose_gzip_is_damaged_changes_nothing(
    fixture: ClientFixture, path: Path
) -> None:
    path.write_bytes(gzip.compress(SAMPLE.encode())[:-4])

    assert failure(await fetched(fixture, assets_of(str(path), fixture)))[0] == "incomplete"
    assert fixture.records(CRYPTO_ASSETS) == []


@pytest.mark.parametrize("bounded", [True, False])
async def test_a_file_on_the_web_is_unpacked_by_its_first_bytes(bounded: bool) -> None:
    body = gzip.compress(SAMPLE.strip().encode())
    answer = reply(body, "Content-Type: application/gzip", bounded=bounded)
    async with (
        Answering(answer) as server,
        open_client(allowed_private=frozenset({server.place})) as fixture,
    ):
        source = assets_of(server.url("/assets.csv.gz"), fixture)

        report = await fetched(fixture, source)

        assert report.counts == Counts(received=2, inserted=2)
        [kept] = fixture.database.kept["crypto_assets", "csv"]
        assert kept.body == body


async def test_a_file_put_in_the_place_of_another_is_read_though_time_and_size_are_the_same(
    fixture: ClientFixture, path: Path
) -> None:
    path.write_text(SAMPLE)
    os.utime(path, (1, 1))
    source = assets_of(str(path), fixture)
    await fetched(fixture, source)
    other = path.with_name("other.csv")
    other.write_text(SAMPLE.replace("3100", "3200"))
    os.utime(other, (1, 1))
    other.replace(path)

    again = await fetched(fixture, source)

    assert again.counts == Counts(received=2, updated=1, unchanged=1)


class Permitting(Changing):
    """A clock at whose every reading others may read a file, or no longer."""

    def write(self) -> None:
        """Change who may read it, and nothing in it."""
        self.path.chmod(0o644 if self.path.stat().st_mode & 0o077 == 0 else 0o600)


async def test_a_file_is_not_changed_by_what_is_said_about_it_while_it_is_read(
    path: Path,
) -> None:
    async with open_client(Permitting(path)) as fixture:
        path.write_text(SAMPLE)

        report = await fetched(fixture, assets_of(str(path), fixture))

        assert report.counts == Counts(received=2, inserted=2)


@pytest.mark.parametrize("charset", ["nonsense", "idna", "base64", ""])
def test_a_local_file_in_an_unknown_charset_is_refused_at_the_start(
    fixture: ClientFixture, path: Path, charset: str
) -> None:
    if not charset:
        assert assets_of(f"{path.as_uri()}?charset=", fixture).host == "file"
        return
    with pytest.raises(SourceRefused, match=f"charset '{charset}' of the local file") as refused:
        assets_of(f"{path.as_uri()}?charset={charset}", fixture)

    assert refused.value.code == "unknown_charset"


async def test_a_local_file_in_a_charset_with_states_is_read_across_its_pages(
    fixture: ClientFixture, path: Path
) -> None:
    rows = "".join(f"S{number},日本{number},1,{'名' * 300}\n" for number in range(3000))
    path.write_bytes(("symbol,name,price_usd,note\n" + rows).encode("iso-2022-jp"))

    report = await fetched(fixture, assets_of(f"{path.as_uri()}?charset=iso-2022-jp", fixture))

    assert report.counts == Counts(received=3000, inserted=3000)
    assert len(fixture.database.kept["crypto_assets", "csv"]) > 1
    assert {asset.name[:2] for asset in fixture.records(CRYPTO_ASSETS)} == {"日本"}
