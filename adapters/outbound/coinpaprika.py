"""CoinPaprika: a public list of coins and tokens with their prices."""

from datetime import datetime
from typing import Annotated

import msgspec

from adapters.outbound.json_list import JsonListSource
from domain.builtin.crypto_assets import CryptoAsset, checked
from domain.fields import Int64
from domain.payloads import Payload


class DollarsPayload(msgspec.Struct):
    """What an asset costs; every number but the price may be unknown."""

    price: float
    volume_24h: float | None = None
    market_cap: float | None = None
    percent_change_24h: float | None = None


class QuotesPayload(msgspec.Struct):
    """Prices in the currencies that were asked for; dollars are always among them."""

    dollars: DollarsPayload = msgspec.field(name="USD")


class TickerPayload(msgspec.Struct):
    """An asset as CoinPaprika spells it; fields it may add one day are passed over."""

    id: str
    name: str
    symbol: str
    quotes: QuotesPayload
    rank: Int64 | None = None
    last_updated: Annotated[datetime, msgspec.Meta(tz=True)] | None = None


class CoinPaprikaSource(JsonListSource[TickerPayload, CryptoAsset]):
    """The tickers of CoinPaprika, or of anything that answers like it."""

    name = "coinpaprika"
    normaliser_version = "coinpaprika-1"
    payload = TickerPayload

    def record(self, element: TickerPayload, payload: Payload) -> CryptoAsset:
        """Our words for theirs."""
        dollars = element.quotes.dollars
        asset = CryptoAsset(
            source=self.name,
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
