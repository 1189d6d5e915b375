"""Assets and points, by the command as a user starts it."""

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx

from entrypoints.sample_upstream import SampleUpstream
from tests.e2e.conftest import Start, ended, url_of

CSV = "symbol;name;price_usd\nBTC;Bitcoin;64000.5\nOWN;Our own;x\n"


def tickers(count: int) -> list[dict[str, Any]]:
    """So many tickers, as CoinPaprika has them."""
    return [
        {
            "id": f"coin-{number}",
            "name": f"Coin {number}",
            "symbol": f"C{number}",
            "rank": number,
            "last_updated": "2026-01-01T00:00:00Z",
            "quotes": {"USD": {"price": number / 7, "market_cap": number * 1e6}},
        }
        for number in range(1, count + 1)
    ]


async def test_assets_of_two_sources_are_fetched_and_served(
    start: Start, upstream: SampleUpstream, tmp_path: Path
) -> None:
    upstream.set_posts(tickers(20))
    (tmp_path / "assets.csv").write_text(CSV)
    assets = {
        "CATCHMENT_COINPAPRIKA_URL": upstream.url("/posts"),
        "CATCHMENT_ASSETS_CSV": "assets.csv",
    }

    code, out, _ = await ended(await start("fetch", "crypto_assets", **assets))
    again = await ended(await start("fetch", "crypto_assets", "--force", **assets))
    process = await start("serve", CATCHMENT_FETCH_ON_START="false", **assets)
    async with httpx.AsyncClient(base_url=await url_of(process)) as client:
        cheap = (await client.get("/data/crypto_assets?sort=-market_cap_usd&limit=1")).json()
        own = (await client.get("/data/crypto_assets/csv/btc-bitcoin")).json()

    assert code == again[0] == 0
    assert "coinpaprika: 20 received, 20 inserted (1 requests" in out
    assert "csv: 2 received, 1 inserted, 1 quarantined (0 requests" in out
    assert "line 3: price_usd: expected a finite number" in out
    assert again[1].count("nothing has changed") == 2
    assert [found["symbol"] for found in cheap["data"]] == ["C20"]
    assert own["data"]["price_usd"] == 64000.5


async def test_a_file_that_is_missing_costs_its_own_source_alone(
    start: Start, upstream: SampleUpstream
) -> None:
    upstream.set_posts(tickers(2))

    code, out, _ = await ended(
        await start(
            "fetch",
            "crypto_assets",
            CATCHMENT_COINPAPRIKA_URL=upstream.url("/posts"),
            CATCHMENT_ASSETS_CSV="/no/such/place/assets.csv",
        )
    )

    assert code == 0
    assert "crypto_assets: partial" in out
    assert "coinpaprika: 2 received, 2 inserted" in out
    assert "csv: failed: assets.csv cannot be read: No such file or directory" in out


async def test_a_point_is_fetched_and_hidden_from_strangers(start: Start) -> None:
    point = json.dumps({"time": 1_713_798_477, "value": [157, 42, 76, 190], "tags": []}).encode()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(point), point))
        await writer.drain()
        writer.close()

    machine = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with machine:
        url = f"http://127.0.0.1:{machine.sockets[0].getsockname()[1]}/point"
        code, out, _ = await ended(await start("fetch", "data_points", CATCHMENT_TELEMETRY_URL=url))
    process = await start("serve", CATCHMENT_FETCH_ON_START="false")
    async with httpx.AsyncClient(base_url=await url_of(process)) as client:
        closed = await client.get("/data/data_points")
        counted = [card["name"] for card in (await client.get("/datasets")).json()["datasets"]]

    assert code == 0
    assert "telemetry: 1 received, 1 inserted" in out
    assert closed.status_code == 401
    assert counted == ["posts", "crypto_assets"]
