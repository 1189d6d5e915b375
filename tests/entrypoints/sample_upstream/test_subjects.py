"""The common features of every subject: validators, compression, methods, log, settings."""

import gzip

import httpx
import pytest

from entrypoints.sample_upstream import SampleUpstream, settings_for
from entrypoints.sample_upstream.subjects import SUBJECTS
from tests.entrypoints.sample_upstream.raw_http import Connect, ReadToEnd, body_of, declared_length

PATHS = [subject.path for subject in SUBJECTS]
START = {
    "/posts": b'[{"userId":1,"id":1,',
    "/v1/tickers": b'[{"id":"btc-bitcoin",',
    "/assets.csv": b"id,symbol,name,",
    "/telemetry": b'{"time":',
    "/repos/litestar-org/litestar": b'{"id":',
}
KEPT = [path for path in PATHS if path != "/telemetry"]


@pytest.mark.parametrize("path", KEPT)
@pytest.mark.parametrize("spelling", ["{etag}", '"other", {etag}', "*"])
async def test_answers_304_to_the_current_etag(
    client: httpx.AsyncClient, path: str, spelling: str
) -> None:
    etag = (await client.get(path)).headers["etag"]

    answer = await client.get(path, headers={"If-None-Match": spelling.format(etag=etag)})

    assert (answer.status_code, answer.content) == (304, b"")
    assert answer.headers["etag"] == etag


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    ("accepted", "encoding"),
    [("gzip", "gzip"), ("br, gzip;q=0.5", "gzip"), ("identity", None), ("gzip;q=0", None)],
)
async def test_packs_the_body_when_the_client_accepts_gzip(
    client: httpx.AsyncClient, path: str, accepted: str, encoding: str | None
) -> None:
    expected = encoding if path in ("/posts", "/v1/tickers", "/assets.csv") else None
    async with client.stream("GET", path, headers={"Accept-Encoding": accepted}) as answer:
        raw = b"".join([piece async for piece in answer.aiter_raw()])

    assert answer.headers.get("content-encoding") == expected
    assert (gzip.decompress(raw) if expected else raw).startswith(START[path])


@pytest.mark.parametrize("path", PATHS)
async def test_a_fault_leaves_the_rest_of_the_answer_as_it_is(
    client: httpx.AsyncClient, upstream: SampleUpstream, read_to_end: ReadToEnd, path: str
) -> None:
    usual = await client.get(path)
    labelled = await client.get(upstream.fault_url("U38", path))
    redirected = await client.get(upstream.fault_url("U35-same-host", path))
    cut = await read_to_end(upstream.fault_url("U11", path))

    assert labelled.headers["content-type"] == usual.headers["content-type"]
    assert labelled.content.startswith(START[path])
    assert redirected.headers["location"] == path
    assert body_of(cut).startswith(START[path])
    assert len(body_of(cut)) == declared_length(cut) // 2


@pytest.mark.parametrize("path", PATHS)
async def test_writing_is_not_allowed(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.post(path, json={"title": "new"})

    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, HEAD"


@pytest.mark.parametrize("path", PATHS)
async def test_a_held_answer_stops_half_way(
    connect: Connect, upstream: SampleUpstream, path: str
) -> None:
    upstream.hold()
    reader, _ = await connect(upstream.url(path), "User-Agent: test\r\nConnection: close")
    head = await reader.readuntil(b"\r\n\r\n")
    length = declared_length(head)
    half = await reader.readexactly(length // 2)

    upstream.release()

    assert half.startswith(START[path])
    assert len(await reader.read(-1)) == length - length // 2


async def test_requests_are_written_down_whatever_they_ask_for(
    client: httpx.AsyncClient, upstream: SampleUpstream
) -> None:
    for path in PATHS:
        await client.get(path, headers={"Authorization": "Bearer mine"})

    assert [request.path for request in upstream.requests] == PATHS
    assert {request.headers["authorization"] for request in upstream.requests} == {"Bearer mine"}
    assert {request.status for request in upstream.requests} == {200}


def test_the_settings_lead_to_every_subject() -> None:
    settings = settings_for("http://here:1")

    assert settings == {
        "CATCHMENT_POSTS_URL": "http://here:1/posts",
        "CATCHMENT_COINPAPRIKA_URL": "http://here:1/v1/tickers",
        "CATCHMENT_ASSETS_CSV": "http://here:1/assets.csv",
        "CATCHMENT_TELEMETRY_URL": "http://here:1/telemetry",
        "CATCHMENT_GITHUB_URL": "http://here:1",
    }
