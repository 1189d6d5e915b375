"""The sources of crypto assets: CoinPaprika, a public list of prices, and a user's CSV file."""

from datetime import datetime
from typing import Annotated

import msgspec

from domain.builtin.crypto_assets import CryptoAsset, checked, slug_of
from domain.fields import Int64
from domain.pages import LinkHeader, Pages
from domain.payloads import Payload
from domain.sources import CsvFormat, JsonFormat, RecordMapping, Request, SourceDefinition


class DollarsPayload(msgspec.Struct):
    """The numbers of an asset in dollars; all but the price may be unknown."""

    price: float
    volume_24h: float | None = None
    market_cap: float | None = None
    percent_change_24h: float | None = None


class QuotesPayload(msgspec.Struct):
    """Prices by currency; dollars are always among them."""

    dollars: DollarsPayload = msgspec.field(name="USD")


class TickerPayload(msgspec.Struct):
    """An asset as CoinPaprika sends it."""

    id: str
    name: str
    symbol: str
    quotes: QuotesPayload
    rank: Int64 | None = None
    last_updated: Annotated[datetime, msgspec.Meta(tz=True)] | None = None


def coinpaprika(url: str) -> SourceDefinition[CryptoAsset]:
    """Return the source of CoinPaprika's tickers, or of a compatible API."""
    return SourceDefinition(
        name="coinpaprika",
        request=Request(url),
        pages=Pages(paginator=LinkHeader()),
        format=JsonFormat(),
        mapping=RecordMapping(TickerPayload, _of_ticker),
        normaliser_version="coinpaprika-1",
    )


def _of_ticker(element: TickerPayload, payload: Payload) -> CryptoAsset:
    dollars = element.quotes.dollars
    asset = CryptoAsset(
        source="coinpaprika",
        source_id=element.id,
        symbol=element.symbol,
        name=element.name,
        rank=element.rank,
        price_usd=dollars.price,
        volume_24h_usd=dollars.volume_24h,
        market_cap_usd=dollars.market_cap,
        percent_change_24h=dollars.percent_change_24h,
        updated_at=element.last_updated,
    )
    return checked(asset, payload.received_at)


class AssetRow(msgspec.Struct, kw_only=True):
    """An asset as a row of a user's file; columns without a default are required."""

    id: str | None = None
    symbol: str
    name: str
    price_usd: float
    rank: Int64 | None = None
    volume_24h_usd: float | None = None
    market_cap_usd: float | None = None
    percent_change_24h: float | None = None
    updated_at: datetime | None = None


def assets_csv(url: str) -> SourceDefinition[CryptoAsset]:
    """Return the source of one CSV file: its path, its file:// URL, or its URL on the web."""
    return SourceDefinition(
        name="csv",
        request=Request(url),
        format=CsvFormat(),
        mapping=RecordMapping(AssetRow, _of_row),
        normaliser_version="csv-1",
    )


def _of_row(row: AssetRow, payload: Payload) -> CryptoAsset:
    asset = CryptoAsset(
        source="csv",
        source_id=row.id or slug_of(row.symbol, row.name),
        symbol=row.symbol,
        name=row.name,
        rank=row.rank,
        price_usd=row.price_usd,
        volume_24h_usd=row.volume_24h_usd,
        market_cap_usd=row.market_cap_usd,
        percent_change_24h=row.percent_change_24h,
        updated_at=row.updated_at,
    )
    return checked(asset, payload.received_at)
