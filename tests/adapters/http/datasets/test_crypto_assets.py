"""Crypto assets from two sources, over each kind of store: fetched, filtered, sorted and paged."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from domain.builtin.crypto_assets import CRYPTO_ASSETS, CryptoAsset, slug_of
from domain.errors import SourceUnavailable
from domain.jobs import FetchJob
from tests.adapters.http.http_fixture import HttpFixture, walk
from tests.adapters.http.stores import STORES, Open

SOURCES = {"crypto_assets": ["coinpaprika", "csv"]}


@pytest.fixture(params=STORES)
def opened(request: pytest.FixtureRequest) -> Open:
    """Return what opens the application over each kind of store."""
    return STORES[request.param]


@pytest.fixture
async def fixture(opened: Open) -> AsyncIterator[HttpFixture]:
    """Yield the application with two sources of assets, three each."""
    async with opened(CRYPTO_ASSETS, sources=SOURCES) as fixture:
        paprika, csv = fixture.sources["crypto_assets"]
        paprika.pages = [
            [
                asset("coinpaprika", "BTC", "Bitcoin", rank=1, market_cap_usd=1.2e12),
                asset("coinpaprika", "ETH", "Ethereum", rank=2, market_cap_usd=4e11),
                asset("coinpaprika", "BTC", "Bitcoin Copy", rank=3),
            ]
        ]
        csv.pages = [
            [
                asset("csv", "BTC", "Bitcoin", rank=1, market_cap_usd=1.3e12, price_usd=2.0),
                asset("csv", "OWN", "Our own, and only", price_usd=0.5),
                asset("csv", "=1+1", "A formula"),
            ]
        ]
        yield fixture


@pytest.fixture
async def assets(fixture: HttpFixture) -> httpx.AsyncClient:
    """Return a client of the application after a fetch from both sources."""
    answer = await fixture.client.post("/fetch/crypto_assets")
    assert answer.json()["status"] == "succeeded"
    return fixture.client


def asset(source: str, symbol: str, name: str, **more: Any) -> CryptoAsset:
    """Return an asset of a source."""
    known = {"price_usd": 1.0, **more}
    return CryptoAsset(
        source=source, source_id=slug_of(symbol, name), symbol=symbol, name=name, **known
    )


def named(answer: httpx.Response) -> list[str]:
    """Return source and symbol of the assets in a successful answer."""
    assert answer.status_code == 200, answer.text
    return [f"{found['source']} {found['symbol']}" for found in answer.json()["data"]]


async def last_job(fixture: HttpFixture, job_id: str) -> FetchJob:
    """Return a job as it is stored."""
    job = await fixture.job_backend.history.get(job_id)
    assert job is not None
    return job


# ---------------------------------------------------------------- two sources


async def test_both_sources_are_fetched_and_each_has_its_report_and_its_checkpoint(
    fixture: HttpFixture,
) -> None:
    body = (await fixture.client.post("/fetch/crypto_assets")).json()

    assert (body["status"], body["outcome"]) == ("succeeded", "changed")
    assert [(s["source"], s["counts"]["inserted"]) for s in body["sources"]] == [
        ("coinpaprika", 3),
        ("csv", 3),
    ]
    freshness = await fixture.store.freshness(CRYPTO_ASSETS)
    assert {each.source for each in freshness.checkpoints} == {"coinpaprika", "csv"}


@pytest.mark.parametrize("failing", [0, 1])
async def test_when_one_source_fails_the_other_is_stored_and_the_outcome_is_partial(
    fixture: HttpFixture, failing: int
) -> None:
    sources = fixture.sources["crypto_assets"]
    sources[failing].failure = SourceUnavailable("no answer")

    body = (await fixture.client.post("/fetch/crypto_assets")).json()
    listed = await fixture.client.get("/data/crypto_assets")
    freshness = await fixture.store.freshness(CRYPTO_ASSETS)

    well, bad = sources[1 - failing].name, sources[failing].name
    assert (body["status"], body["outcome"]) == ("partial", "partial")
    reports = {report["source"]: report for report in body["sources"]}
    assert (reports[well]["status"], reports[well]["counts"]["inserted"]) == ("succeeded", 3)
    assert (reports[bad]["status"], reports[bad]["error"]["code"]) == (
        "failed",
        "source_unavailable",
    )
    assert {name.split()[0] for name in named(listed)} == {well}
    assert [each.source for each in freshness.checkpoints] == [well]
    assert (await last_job(fixture, body["job_id"])).report is not None


async def test_a_source_that_fails_later_loses_nothing_of_what_it_gave(
    fixture: HttpFixture, assets: httpx.AsyncClient
) -> None:
    fixture.clock.advance(61)
    paprika, csv = fixture.sources["crypto_assets"]
    paprika.failure = SourceUnavailable("no answer")
    csv.pages = [[asset("csv", "OWN", "Our own, and only", price_usd=0.75)]]

    body = (await assets.post("/fetch/crypto_assets")).json()
    listed = await assets.get("/data/crypto_assets?count=exact")

    assert body["outcome"] == "partial"
    assert body["counts"]["updated"] == 1
    assert listed.json()["page"]["total"] == 6


async def test_the_same_asset_of_two_sources_is_two_records(assets: httpx.AsyncClient) -> None:
    prices = [
        (await assets.get(f"/data/crypto_assets/{source}/btc-bitcoin")).json()["data"]["price_usd"]
        for source in ("coinpaprika", "csv")
    ]

    assert prices == [1.0, 2.0]


# ---------------------------------------------------------------- queries


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("symbol=BTC", ["coinpaprika BTC", "csv BTC", "coinpaprika BTC"]),
        ("symbol=BTC&source=csv", ["csv BTC"]),
        ("sort=-market_cap_usd&limit=3", ["csv BTC", "coinpaprika BTC", "coinpaprika ETH"]),
        ("sort=-market_cap_usd&limit=1&offset=1", ["coinpaprika BTC"]),
        ("rank__lte=2&source=coinpaprika", ["coinpaprika BTC", "coinpaprika ETH"]),
        ("price_usd__lt=1", ["csv OWN"]),
        ("market_cap_usd__isnull=true&source=coinpaprika", ["coinpaprika BTC"]),
        ("name__icontains=COPY", ["coinpaprika BTC"]),
        ("symbol=btc", []),
    ],
)
async def test_assets_are_filtered_and_sorted(
    assets: httpx.AsyncClient, query: str, expected: list[str]
) -> None:
    assert named(await assets.get(f"/data/crypto_assets?{query}")) == expected


async def test_assets_come_in_the_order_of_their_rank_with_those_without_one_last(
    assets: httpx.AsyncClient,
) -> None:
    ranks = [each["rank"] for each in (await assets.get("/data/crypto_assets")).json()["data"]]

    assert ranks == [1, 1, 2, 3, None, None]


async def test_assets_are_paged_by_offset_and_by_cursor(assets: httpx.AsyncClient) -> None:
    first = await assets.get("/data/crypto_assets?limit=10&offset=0")
    pages = [page async for page in walk(assets, "/data/crypto_assets?limit=4")]

    assert len(named(first)) == 6
    assert [len(page["data"]) for page in pages] == [4, 2]
    assert [record for page in pages for record in page["data"]] == first.json()["data"]


async def test_u30_a_formula_is_harmless_in_an_export_and_unchanged_in_json(
    assets: httpx.AsyncClient,
) -> None:
    query = "/data/crypto_assets?name=A%20formula&fields=symbol"

    exported = await assets.get(f"{query}&format=csv")
    listed = await assets.get(query)

    assert exported.text.splitlines()[1] == "csv,1-1-a-formula,'=1+1"
    assert listed.json()["data"][0]["symbol"] == "=1+1"


async def test_assets_are_in_the_catalogue_with_both_sources(assets: httpx.AsyncClient) -> None:
    cards = (await assets.get("/datasets")).json()["datasets"]

    [card] = [card for card in cards if card["name"] == "crypto_assets"]
    assert (card["records"], card["key"]) == (6, ["source", "source_id"])
    assert card["sources"] == ["coinpaprika", "csv"]
