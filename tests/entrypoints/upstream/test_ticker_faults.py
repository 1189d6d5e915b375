"""Faults of tickers: their quotes, prices, ids, ranks and dates."""

from typing import Any

import httpx
import pytest

from entrypoints.upstream import FAULTS, SampleUpstream

NAMES = [name for name in FAULTS if name.startswith("ticker-")]
SPELLINGS = {
    "price-null": b'"price":null',
    "price-text": b'"price":"1.0002"',
    "price-word": b'"price":"plenty"',
    "price-empty": b'"price":""',
    "price-nan": b'"price":NaN',
    "price-nan-text": b'"price":"NaN"',
    "price-infinity": b'"price":Infinity',
    "price-overflow": b'"price":1e400',
    "price-negative": b'"price":-1.5',
    "price-zero": b'"price":0,',
    "price-5000-digits": b'"price":' + b"9" * 5000,
    "date-impossible": b'"last_updated":"2026-02-30T12:00:00Z"',
    "date-hour-24": b'"last_updated":"2026-01-01T24:00:00Z"',
    "date-no-zone": b'"last_updated":"2026-01-01T00:00:00"',
    "date-gap": b'"last_updated":"2026-03-29T02:30:00[Europe/Berlin]"',
    "date-offset": b'"last_updated":"2026-01-01T02:00:00+02:00"',
    "date-year-1": b'"last_updated":"0001-01-01T00:00:00Z"',
    "date-year-9999": b'"last_updated":"9999-12-31T23:59:59Z"',
    "date-before-year-1": b'"last_updated":"0001-01-01T00:00:00+14:00"',
    "date-milliseconds": b'"last_updated":1767225600000',
    "date-seconds": b'"last_updated":1767225600,',
    "date-empty": b'"last_updated":""',
    "date-null": b'"last_updated":null',
    "rank-negative": b'"rank":-1',
    "rank-zero": b'"rank":0',
    "rank-text": b'"rank":"3"',
    "rank-2-64": b'"rank":18446744073709551616',
    "symbol-null": b'"symbol":null',
    "id-empty": b'"id":""',
    "id-slash": b'"id":"usdt/tether"',
    "quotes-null": b'"quotes":null',
    "quotes-empty": b'"quotes":{}',
    "no-usd": b'"quotes":{"BTC":{"price":',
}


async def tickers(
    client: httpx.AsyncClient, upstream: SampleUpstream, name: str
) -> list[dict[str, Any]]:
    served: list[dict[str, Any]] = (await client.get(upstream.fault_url(name))).json()
    return served


@pytest.mark.parametrize("name", NAMES)
async def test_every_fault_spoils_the_tickers(
    client: httpx.AsyncClient, upstream: SampleUpstream, name: str
) -> None:
    body = (await client.get(upstream.fault_url(name))).content

    assert body != upstream.market.document.body


@pytest.mark.parametrize("name", NAMES)
async def test_a_fault_can_be_played_on_any_tickers(
    client: httpx.AsyncClient, upstream: SampleUpstream, name: str
) -> None:
    upstream.set_tickers([{"id": 1}, {"quotes": None}, {"quotes": {}}, {}])

    assert (await client.get(upstream.fault_url(name))).status_code == 200


@pytest.mark.parametrize("name", SPELLINGS)
async def test_one_ticker_is_spelled_oddly(
    client: httpx.AsyncClient, upstream: SampleUpstream, name: str
) -> None:
    body = (await client.get(upstream.fault_url(f"ticker-{name}"))).content

    assert body.count(SPELLINGS[name]) == 1
    assert body.index(b'"rank":2,') < body.index(SPELLINGS[name]) < body.index(b'"rank":4,')


@pytest.mark.parametrize(
    ("name", "field"), [("ticker-no-quotes", "quotes"), ("ticker-no-id", "id")]
)
async def test_one_ticker_lacks_a_field(
    client: httpx.AsyncClient, upstream: SampleUpstream, name: str, field: str
) -> None:
    served = await tickers(client, upstream, name)

    assert [place for place, one in enumerate(served) if field not in one] == [2]


async def test_one_quote_lacks_its_price(
    client: httpx.AsyncClient, upstream: SampleUpstream
) -> None:
    served = await tickers(client, upstream, "ticker-no-price")

    assert [place for place, one in enumerate(served) if "price" not in one["quotes"]["USD"]] == [2]


@pytest.mark.parametrize(("name", "prices"), [("ticker-twice", 1), ("ticker-id-twice", 2)])
async def test_an_id_comes_twice(
    client: httpx.AsyncClient, upstream: SampleUpstream, name: str, prices: int
) -> None:
    served = await tickers(client, upstream, name)

    told = [one["quotes"]["USD"]["price"] for one in served if one["id"] == "usdt-tether"]
    assert (len(served), len(told), len(set(told))) == (51, 2, prices)


@pytest.mark.parametrize(("name", "bad"), [("ticker-mostly-bad", 25), ("ticker-all-bad", 50)])
async def test_many_tickers_are_bad(
    client: httpx.AsyncClient, upstream: SampleUpstream, name: str, bad: int
) -> None:
    served = await tickers(client, upstream, name)

    assert sum("quotes" not in one for one in served) == bad
