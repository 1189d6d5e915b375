"""The sample upstream's CSV, and the file in the package."""

import csv
import io

import httpx

from entrypoints.sample_upstream import ASSETS_FILE, SampleUpstream


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline=""), strict=True))


async def test_serves_the_file_of_the_package(client: httpx.AsyncClient) -> None:
    answer = await client.get("/assets.csv")

    assert answer.content == ASSETS_FILE.read_bytes()
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"


async def test_every_asset_has_an_id_of_its_own_and_a_price(client: httpx.AsyncClient) -> None:
    answer = await client.get("/assets.csv")

    assets = rows(answer.text)
    assert ",".join(assets[0]) == (
        "id,symbol,name,price_usd,rank,volume_24h_usd,market_cap_usd,percent_change_24h,updated_at"
    )
    assert len({asset["id"] for asset in assets}) == len(assets) == 20
    assert all(float(asset["price_usd"]) > 0 for asset in assets)


async def test_a_few_assets_are_known_to_coinpaprika_by_the_same_symbol(
    client: httpx.AsyncClient,
) -> None:
    assets = rows((await client.get("/assets.csv")).text)
    tickers = (await client.get("/v1/tickers")).json()

    shared = {asset["symbol"] for asset in assets} & {ticker["symbol"] for ticker in tickers}

    assert shared == {"BTC", "ETH", "SOL", "PAXG"}


async def test_serves_the_text_it_is_given(
    client: httpx.AsyncClient, upstream: SampleUpstream
) -> None:
    etag = (await client.get("/assets.csv")).headers["etag"]
    upstream.set_assets("symbol,name,price_usd\nX,Ecks,1\n")

    answer = await client.get("/assets.csv", headers={"If-None-Match": etag})

    assert (answer.status_code, answer.text) == (200, "symbol,name,price_usd\nX,Ecks,1\n")
