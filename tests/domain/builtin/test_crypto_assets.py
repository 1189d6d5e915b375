"""Crypto assets: required values, and identifiers made of symbol and name."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.builtin.crypto_assets import CRYPTO_ASSETS, CryptoAsset, checked, slug_of
from domain.dataset import Role
from domain.filters import Filter
from domain.paging import Sort

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


def asset(**changed: Any) -> CryptoAsset:
    """Return an asset of which little is known."""
    plain = {"source": "csv", "source_id": "btc-bitcoin", "symbol": "BTC", "name": "Bitcoin"}
    return CryptoAsset(**{**plain, **changed})


def test_an_asset_with_required_fields_alone_is_valid() -> None:
    assert checked(asset(), NOW) == asset()
    assert CRYPTO_ASSETS.defect(asset()) is None


def test_an_asset_with_all_fields_is_valid() -> None:
    whole = asset(rank=0, price_usd=1.5, percent_change_24h=-3.0, updated_at=NOW)

    assert checked(whole, NOW) == whole


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"source_id": ""}, "source_id is empty"),
        ({"symbol": ""}, "symbol is empty"),
        ({"name": ""}, "name is empty"),
        ({"rank": -1}, "rank is negative"),
        ({"updated_at": datetime(1, 1, 1, tzinfo=UTC)}, "before the year 2000"),
        ({"updated_at": NOW + timedelta(days=2)}, "more than a day ahead"),
    ],
)
def test_an_implausible_asset_is_refused(changed: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        checked(asset(**changed), NOW)


@pytest.mark.parametrize(
    ("symbol", "name", "slug"),
    [
        ("BTC", "Bitcoin", "btc-bitcoin"),
        ("$USD", " Dollar  (digital) ", "usd-dollar-digital"),
        ("a/b", "c_d", "a-b-c-d"),
        ("ÄÖ", "Straße", "äö-strasse"),
        ("币", "币安", "币-币安"),
        ("$", "!", ""),
    ],
)
def test_an_asset_without_an_identifier_gets_one_of_symbol_and_name(
    symbol: str, name: str, slug: str
) -> None:
    assert slug_of(symbol, name) == slug


@given(st.text(), st.text())
def test_a_slug_is_a_valid_path_segment(symbol: str, name: str) -> None:
    slug = slug_of(symbol, name)

    assert not {*slug} & {*"/?#%& \n\t\0_"}
    assert not slug.startswith("-")
    assert not slug.endswith("-")


def test_every_caller_may_read_and_fetch_assets() -> None:
    assert CRYPTO_ASSETS.read_by is CRYPTO_ASSETS.fetch_by is Role.ANYONE


@pytest.mark.parametrize("sort", ["rank", "-market_cap_usd", "price_usd", "-updated_at", "name"])
def test_the_usual_orders_are_fast(sort: str) -> None:
    names = Sort.parse(CRYPTO_ASSETS, sort).names

    assert CRYPTO_ASSETS.answers_fast(Filter(), names)


def test_a_symbol_is_found_fast() -> None:
    by_symbol = Filter.parse(CRYPTO_ASSETS.fields, [("symbol", "BTC")])

    assert CRYPTO_ASSETS.answers_fast(by_symbol, CRYPTO_ASSETS.key)
