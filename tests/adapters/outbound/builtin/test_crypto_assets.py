"""CoinPaprika, from its words to stored assets, with what it may get wrong (U24, U28, U31)."""

from typing import Any

import pytest

from adapters.memory.system import SteerableClock
from adapters.outbound.builtin.crypto_assets import coinpaprika
from adapters.outbound.sources import HttpSource
from domain.builtin.crypto_assets import CRYPTO_ASSETS, CryptoAsset
from domain.payloads import Payload
from domain.reports import Counts, SourceReport, SourceStatus
from tests.adapters.outbound.client_fixture import ClientFixture

NOW = SteerableClock().now()


def ticker(**changed: Any) -> dict[str, Any]:
    """A ticker as CoinPaprika has it; changes to dollars begin with `usd_`."""
    dollars = {
        "price": 64012.25,
        "volume_24h": 29_000_000_000.5,
        "volume_24h_change_24h": -3.1,
        "market_cap": 1_260_000_000_000,
        "percent_change_24h": -1.25,
    }
    plain = {
        "id": "btc-bitcoin",
        "name": "Bitcoin",
        "symbol": "BTC",
        "rank": 1,
        "total_supply": 19_700_000,
        "beta_value": 0.9,
        "last_updated": "2026-01-01T00:00:00Z",
        "quotes": {"USD": dollars},
    }
    for name, value in changed.items():
        place, key = (dollars, name[4:]) if name.startswith("usd_") else (plain, name)
        if value is ...:
            del place[key]
        else:
            place[key] = value
    return plain


def tickers(count: int) -> list[dict[str, Any]]:
    """So many tickers."""
    return [ticker(id=f"coin-{number}", rank=number) for number in range(1, count + 1)]


@pytest.fixture
def source(fixture: ClientFixture) -> HttpSource[CryptoAsset]:
    """The source on the sample upstream, which serves any list there."""
    return HttpSource(coinpaprika(fixture.url("/posts")), fixture.client)


async def fetched(
    fixture: ClientFixture, source: HttpSource[CryptoAsset], *listed: dict[str, Any]
) -> SourceReport:
    """What a fetch of these tickers gave."""
    fixture.upstream.set_posts([*listed])
    return await fixture.gather(CRYPTO_ASSETS, source)


async def test_a_ticker_is_an_asset(
    fixture: ClientFixture, source: HttpSource[CryptoAsset]
) -> None:
    report = await fetched(fixture, source, ticker())

    assert report.counts == Counts(received=1, inserted=1)
    [stored] = fixture.records(CRYPTO_ASSETS)
    assert stored == CRYPTO_ASSETS.stored(
        CryptoAsset(
            source="coinpaprika",
            source_id="btc-bitcoin",
            symbol="BTC",
            name="Bitcoin",
            rank=1,
            price_usd=64012.25,
            volume_24h_usd=29_000_000_000.5,
            market_cap_usd=1_260_000_000_000.0,
            percent_change_24h=-1.25,
            updated_at=NOW,
        ),
        NOW,
    )


async def test_different_assets_may_share_a_symbol(
    fixture: ClientFixture, source: HttpSource[CryptoAsset]
) -> None:
    report = await fetched(fixture, source, ticker(), ticker(id="btc-other", name="Other"))

    assert report.counts == Counts(received=2, inserted=2)


@pytest.mark.parametrize(
    "name", ["rank", "last_updated", "usd_volume_24h", "usd_market_cap", "usd_percent_change_24h"]
)
@pytest.mark.parametrize("value", [None, ...])
async def test_what_is_not_known_may_be_null_or_left_out(
    fixture: ClientFixture, source: HttpSource[CryptoAsset], name: str, value: Any
) -> None:
    report = await fetched(fixture, source, ticker(**{name: value}))

    assert report.counts == Counts(received=1, inserted=1)


async def test_tickers_that_have_not_changed_are_not_sent_again(
    fixture: ClientFixture, source: HttpSource[CryptoAsset]
) -> None:
    fixture.upstream.set_posts(tickers(3))
    await fixture.gather(CRYPTO_ASSETS, source)

    again = await fixture.gather(CRYPTO_ASSETS, source)

    assert (again.not_modified, again.counts) == (1, Counts())


@pytest.mark.parametrize(
    ("changed", "pointer", "reason"),
    [
        ({"usd_price": ...}, "/1/quotes/USD", "missing required field `price`"),
        ({"usd_price": None}, "/1/quotes/USD/price", "Expected `float`, got `null`"),
        ({"usd_price": "64,012.25"}, "/1/quotes/USD/price", "Expected `float`, got `str`"),
        ({"usd_market_cap": "much"}, "/1/quotes/USD/market_cap", "got `str`"),
        ({"quotes": ...}, "/1", "missing required field `quotes`"),
        ({"quotes": None}, "/1/quotes", "Expected `object`, got `null`"),
        ({"quotes": {}}, "/1/quotes", "missing required field `USD`"),
        ({"quotes": {"EUR": {"price": 1}}}, "/1/quotes", "missing required field `USD`"),
        ({"rank": -1}, "/1", "rank is negative"),
        ({"rank": 1.5}, "/1/rank", "got `float`"),
        ({"rank": 2**63}, "/1/rank", "Expected `int` <= 9223372036854775807"),
        ({"id": ""}, "/1", "source_id is empty"),
        ({"id": 7}, "/1/id", "Expected `str`, got `int`"),
        ({"symbol": None}, "/1/symbol", "Expected `str`, got `null`"),
        ({"name": ...}, "/1", "missing required field `name`"),
        ({"last_updated": "2026-01-01T00:00:00"}, "/1/last_updated", "with a timezone"),
        ({"last_updated": "2026-02-30T00:00:00Z"}, "/1/last_updated", "Invalid RFC3339"),
        ({"last_updated": "2026-01-01T24:00:00Z"}, "/1/last_updated", "Invalid RFC3339"),
        ({"last_updated": "yesterday"}, "/1/last_updated", "Invalid RFC3339"),
        ({"last_updated": 1767225600}, "/1/last_updated", "got `int`"),
        ({"last_updated": 1767225600000}, "/1/last_updated", "got `int`"),
        ({"last_updated": "0001-01-02T00:00:00Z"}, "/1", "before the year 2000"),
        ({"last_updated": "9999-12-31T23:59:59Z"}, "/1", "more than a day ahead"),
    ],
)
async def test_u28_u31_a_bad_ticker_is_quarantined_alone_with_its_place(
    fixture: ClientFixture,
    source: HttpSource[CryptoAsset],
    changed: dict[str, Any],
    pointer: str,
    reason: str,
) -> None:
    first, last = tickers(2)

    report = await fetched(fixture, source, first, ticker(**changed), last)

    assert report.counts == Counts(received=3, inserted=2, quarantined=1)
    assert report.status is SourceStatus.PARTIAL
    [(where, why)] = fixture.rejections
    assert where == pointer
    assert reason in why


@pytest.mark.parametrize("number", [b"NaN", b"Infinity", b"-Infinity", b"1e400", b"9" * 5000])
def test_u24_a_number_that_is_none_costs_its_own_ticker(
    source: HttpSource[CryptoAsset], number: bytes
) -> None:
    element = b'{"id":"a","name":"A","symbol":"A","quotes":{"USD":{"price":%b}}}'
    body = b"[" + element % b"1" + b"," + element % number + b"]"

    batch = source.normalise(Payload(url="", body=body, received_at=NOW))

    assert [asset.price_usd for asset in batch.records] == [1.0]
    assert [rejection.pointer.split("/")[1] for rejection in batch.rejections] == ["1"]


async def test_u28_when_most_tickers_have_drifted_the_old_prices_stay(
    fixture: ClientFixture, source: HttpSource[CryptoAsset]
) -> None:
    await fetched(fixture, source, *tickers(100))

    report = await fetched(fixture, source, *(t | {"quotes": {}} for t in tickers(100)))

    assert report.error is not None
    assert report.error.code == "held"
    assert len(fixture.records(CRYPTO_ASSETS)) == 100


async def test_u27_of_the_same_asset_twice_on_one_page_the_first_counts(
    fixture: ClientFixture, source: HttpSource[CryptoAsset]
) -> None:
    report = await fetched(fixture, source, ticker(rank=1), ticker(rank=2))

    assert report.counts == Counts(received=2, inserted=1, quarantined=1)
    assert fixture.records(CRYPTO_ASSETS)[0].rank == 1
