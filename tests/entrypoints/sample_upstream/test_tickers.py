"""The sample upstream as CoinPaprika: tickers, and their control by tests."""

from collections import Counter

import httpx

from entrypoints.sample_upstream import SampleUpstream


async def test_lists_well_known_coins_the_largest_first(client: httpx.AsyncClient) -> None:
    tickers = (await client.get("/v1/tickers")).json()

    assert [one["id"] for one in tickers[:3]] == ["btc-bitcoin", "eth-ethereum", "usdt-tether"]
    assert [one["rank"] for one in tickers] == list(range(1, 51))


async def test_a_ticker_has_the_fields_coinpaprika_gives_it(client: httpx.AsyncClient) -> None:
    first = (await client.get("/v1/tickers")).json()[0]

    assert list(first) == [
        "id",
        "name",
        "symbol",
        "rank",
        "total_supply",
        "max_supply",
        "beta_value",
        "first_data_at",
        "last_updated",
        "quotes",
    ]
    assert first["last_updated"] == "2026-01-01T00:00:00Z"
    assert list(first["quotes"]) == ["USD"]
    assert {
        "price",
        "volume_24h",
        "volume_24h_change_24h",
        "market_cap",
        "market_cap_change_24h",
        "percent_change_15m",
        "percent_change_24h",
        "percent_change_1y",
        "ath_price",
        "ath_date",
        "percent_from_price_ath",
    } <= set(first["quotes"]["USD"])


async def test_two_different_coins_share_a_symbol(client: httpx.AsyncClient) -> None:
    tickers = (await client.get("/v1/tickers")).json()

    symbols = Counter(one["symbol"] for one in tickers)
    shared = [symbol for symbol, number in symbols.items() if number > 1]
    assert len(shared) == 1
    assert len({one["id"] for one in tickers if one["symbol"] == shared[0]}) == 2
    assert len({one["id"] for one in tickers}) == 50


def test_the_same_seed_gives_the_same_tickers() -> None:
    first, same, other = SampleUpstream(), SampleUpstream(), SampleUpstream(seed=2)

    assert first.market.tickers == same.market.tickers
    assert first.market.tickers != other.market.tickers


async def test_a_revision_moves_every_price_and_its_time(
    client: httpx.AsyncClient, upstream: SampleUpstream
) -> None:
    before = await client.get("/v1/tickers")
    upstream.revise_prices(3)

    after = await client.get("/v1/tickers", headers={"If-None-Match": before.headers["etag"]})

    assert after.status_code == 200
    assert {one["last_updated"] for one in after.json()} == {"2026-01-01T00:03:00Z"}
    for old, new in zip(before.json(), after.json(), strict=True):
        old_price, new_price = old["quotes"]["USD"].pop("price"), new["quotes"]["USD"].pop("price")
        assert old_price != new_price
        assert abs(new_price / old_price - 1) < 0.051
        assert {**old, "last_updated": new["last_updated"]} == new


async def test_a_revision_is_the_same_whatever_came_before_it(upstream: SampleUpstream) -> None:
    other = SampleUpstream()
    upstream.revise_prices(1)
    upstream.revise_prices(2)

    other.revise_prices(2)

    assert upstream.market.tickers == other.market.tickers


async def test_serves_the_tickers_it_is_given(
    client: httpx.AsyncClient, upstream: SampleUpstream
) -> None:
    given = [{"id": "x-x", "quotes": {"USD": {"price": 2.0}}}, {"id": 7}, {"quotes": []}]
    upstream.set_tickers(given)
    served = (await client.get("/v1/tickers")).json()
    upstream.revise_prices(1)

    revised = (await client.get("/v1/tickers")).json()

    assert served == given
    assert revised[0]["quotes"]["USD"]["price"] != 2.0
    assert revised[1:] == given[1:]
