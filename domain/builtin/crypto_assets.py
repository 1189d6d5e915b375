"""Crypto assets: prices of coins and tokens, by source."""

import re
from datetime import datetime

import msgspec

from domain.dataset import Dataset
from domain.fields import Int64
from domain.times import check_time

_NO_WORD = re.compile(r"[\W_]+")


class CryptoAsset(msgspec.Struct, frozen=True, kw_only=True):
    """One coin or token of one source; amounts are US dollars.

    Symbols are not unique, so the source's identifier of the asset, `source_id`, is in the key.
    """

    source: str
    source_id: str
    symbol: str
    name: str
    rank: Int64 | None = None
    price_usd: float | None = None
    volume_24h_usd: float | None = None
    market_cap_usd: float | None = None
    percent_change_24h: float | None = None
    updated_at: datetime | None = None


CRYPTO_ASSETS = Dataset(
    name="crypto_assets",
    record=CryptoAsset,
    key=("source", "source_id"),
    default_sort="rank",
    indexes=(
        ("symbol",),
        ("name",),
        ("rank",),
        ("price_usd",),
        ("market_cap_usd",),
        ("updated_at",),
    ),
)


def checked(asset: CryptoAsset, received_at: datetime) -> CryptoAsset:
    """Return the asset, whose time is aware; raise ValueError if it is implausible."""
    for name in ("source_id", "symbol", "name"):
        if not getattr(asset, name):
            raise ValueError(f"{name} is empty")
    if asset.rank is not None and asset.rank < 0:
        raise ValueError("rank is negative")
    if asset.updated_at is not None:
        check_time(asset.updated_at, received_at)
    return asset


def slug_of(symbol: str, name: str) -> str:
    """Return an identifier such as `btc-bitcoin`; empty without letters and digits."""
    return _NO_WORD.sub("-", f"{symbol} {name}".casefold()).strip("-")
