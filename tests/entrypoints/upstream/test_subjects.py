"""Faults befall every subject where they can: what is asked for is right but for the fault."""

import asyncio
import gzip
import json

import httpx
import pytest

from entrypoints.upstream import FAULTS, SampleUpstream, settings_for
from entrypoints.upstream.subjects import SUBJECTS
from tests.entrypoints.upstream.raw_http import (
    PATIENCE_SECONDS,
    Connect,
    ReadToEnd,
    body_of,
    declared_length,
)

PATHS = [subject.path for subject in SUBJECTS]
OTHERS = PATHS[1:]
START = {
    "/posts": b'[{"userId":1,',
    "/v1/tickers": b'[{"id":"btc-bitcoin",',
    "/assets.csv": b"id,symbol,name,",
    "/telemetry": b'{"time":',
    "/repos/litestar-org/litestar": b'{"id":',
}
PLAIN = {"Accept-Encoding": "identity"}
EVERYWHERE = [*range(1, 10), *range(11, 23), 33, 34, 35, *range(38, 42), 43]
"""Statuses, connections, framing, compression, headers and redirects."""
POSTS_ALONE = ("U24", "U26", "U27", "U28", "U29", "U32")


def befallen(name: str) -> list[str]:
    return [subject.path for subject in FAULTS[name].subjects]


@pytest.mark.parametrize("number", EVERYWHERE)
def test_what_is_wrong_with_an_answer_can_befall_everything(number: int) -> None:
    names = [name for name in FAULTS if name.partition("-")[0] == f"U{number}"]

    assert names
    assert [name for name in names if befallen(name) != PATHS] == []


@pytest.mark.parametrize(
    ("start", "path"),
    [
        *((start, "/posts") for start in POSTS_ALONE),
        ("csv-", "/assets.csv"),
        ("point-", "/telemetry"),
        ("ticker-", "/v1/tickers"),
    ],
)
def test_what_is_wrong_with_records_befalls_their_subject_alone(start: str, path: str) -> None:
    names = [name for name in FAULTS if name.startswith(start)]

    assert names
    assert [name for name in names if befallen(name) != [path]] == []


async def test_a_fault_that_cannot_be_is_explained(client: httpx.AsyncClient) -> None:
    answer = await client.get("/faults/U32-loop/telemetry")

    assert answer.status_code == 404
    assert "U32-loop is a fault of /posts, not of /telemetry" in answer.json()["error"]


@pytest.mark.parametrize("path", ["/", "/nothing", "/posts/1", "/v1/tickers/btc-bitcoin"])
async def test_a_path_that_no_fault_can_spoil_is_explained(
    client: httpx.AsyncClient, path: str
) -> None:
    answer = await client.get(f"/faults/U1{path}")

    assert answer.status_code == 404
    assert f"nothing at {path} " in answer.json()["error"]


@pytest.mark.parametrize("path", PATHS)
async def test_a_failure_that_passes_leaves_what_was_asked_for(
    client: httpx.AsyncClient, upstream: SampleUpstream, path: str
) -> None:
    url = upstream.fault_url("U1-503-then-ok", path)

    answers = [await client.get(url, headers=PLAIN) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [503, 503, 200]
    assert answers[2].content.startswith(START[path])


async def test_each_path_has_its_own_failures(
    client: httpx.AsyncClient, upstream: SampleUpstream
) -> None:
    upstream.failures_before_ok = 1

    statuses = [
        (await client.get(upstream.fault_url("U1-503-then-ok", path))).status_code
        for path in PATHS * 2
    ]

    assert statuses == [503] * 5 + [200] * 5


@pytest.mark.parametrize("path", PATHS)
async def test_the_body_is_labelled_as_without_the_fault(
    client: httpx.AsyncClient, upstream: SampleUpstream, path: str
) -> None:
    usual = await client.get(path)

    spoiled = await client.get(upstream.fault_url("U38", path))

    assert "set-cookie" in spoiled.headers
    assert spoiled.headers["content-type"] == usual.headers["content-type"]
    assert spoiled.content.startswith(START[path])


@pytest.mark.parametrize("path", PATHS)
async def test_the_body_is_shorter_than_declared(
    read_to_end: ReadToEnd, upstream: SampleUpstream, path: str
) -> None:
    raw = await read_to_end(upstream.fault_url("U11", path))

    assert len(body_of(raw)) == declared_length(raw) // 2
    assert body_of(raw).startswith(START[path])


@pytest.mark.parametrize("path", PATHS)
async def test_the_gzip_data_is_of_what_was_asked_for(
    client: httpx.AsyncClient, upstream: SampleUpstream, path: str
) -> None:
    async with client.stream("GET", upstream.fault_url("U33-gzip-suffix", path)) as answer:
        raw = b"".join([piece async for piece in answer.aiter_raw()])

    assert answer.headers["etag"].endswith('-gzip"')
    assert gzip.decompress(raw).startswith(START[path])


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("name", ["U17", "U17-chunked", "U17-declared"])
async def test_the_body_never_ends(
    client: httpx.AsyncClient, upstream: SampleUpstream, name: str, path: str
) -> None:
    received = b""
    async with client.stream("GET", upstream.fault_url(name, path)) as answer:
        async for piece in answer.aiter_raw():
            received += piece
            if len(received) > 500_000:
                break

    assert received.startswith(START[path])
    assert received.count(START[path].removeprefix(b"[")) > 1


@pytest.mark.parametrize("path", PATHS)
async def test_redirects_lead_back_to_what_was_asked_for(
    client: httpx.AsyncClient, upstream: SampleUpstream, path: str
) -> None:
    answer = await client.get(upstream.fault_url("U35-same-host", path))

    assert (answer.status_code, answer.headers["location"]) == (302, path)


@pytest.mark.parametrize("path", PATHS)
async def test_what_the_client_sent_comes_back_in_a_text(
    client: httpx.AsyncClient, upstream: SampleUpstream, path: str
) -> None:
    secrets = {"Authorization": "Bearer s3cret", "If-None-Match": '"mine"'}

    answer = await client.get(upstream.fault_url("U43", path), headers=secrets)

    assert answer.text.count("You sent Bearer s3cret and ") == 1
    assert answer.content.startswith(START[path])


@pytest.mark.parametrize("path", PATHS)
async def test_one_text_is_no_utf8(
    client: httpx.AsyncClient, upstream: SampleUpstream, path: str
) -> None:
    body = (await client.get(upstream.fault_url("U23-invalid-utf8", path))).content

    assert body.count(b"\xff\xfe\xc3\x28") == 1
    assert body.startswith(START[path])


@pytest.mark.parametrize("path", PATHS)
async def test_a_declared_charset_is_the_one_used(
    client: httpx.AsyncClient, upstream: SampleUpstream, path: str
) -> None:
    latin = await client.get(upstream.fault_url("U23-latin1-declared", path))
    utf16 = await client.get(upstream.fault_url("U23-utf16", path))

    assert latin.headers["content-type"].endswith("; charset=iso-8859-1")
    assert "le café de la rivière" in latin.content.decode("iso-8859-1")
    assert utf16.headers["content-type"].endswith("; charset=utf-16")
    assert utf16.content.decode("utf-16").encode().startswith(START[path])


@pytest.mark.parametrize("path", OTHERS)
async def test_the_body_changes_under_one_etag(
    client: httpx.AsyncClient, upstream: SampleUpstream, path: str
) -> None:
    url = upstream.fault_url("U33-same-etag-new-body", path)

    first, second = await client.get(url), await client.get(url)

    assert first.headers["etag"] == second.headers["etag"]
    assert first.content != second.content


async def test_a_fault_of_github_takes_any_repository(client: httpx.AsyncClient) -> None:
    known = await client.get("/faults/U38/repos/encode/httpx")
    unknown = await client.get("/faults/U38/repos/nobody/nothing")

    assert known.json()["full_name"] == "encode/httpx"
    assert unknown.json()["message"] == "Not Found"


async def test_the_body_of_a_point_stays_the_same_within_an_answer(
    connect: Connect, upstream: SampleUpstream
) -> None:
    reader, _ = await connect(upstream.fault_url("U12", "/telemetry"))
    length = declared_length(await reader.readuntil(b"\r\n\r\n"))

    point = json.loads(await reader.readexactly(length))

    assert len(point["value"]) == 4


@pytest.mark.parametrize("path", OTHERS)
@pytest.mark.parametrize("name", ["U18-stall", "U18-body-drip", "U20-reset", "U22-100", "U19"])
async def test_stopping_the_server_ends_a_fault_of_the_connection(name: str, path: str) -> None:
    async with SampleUpstream() as upstream:
        reader, writer = await asyncio.open_connection(*upstream.address)
        writer.write(f"GET /faults/{name}{path} HTTP/1.1\r\nHost: here\r\n\r\n".encode())
        await upstream.arrived(1)

    async with asyncio.timeout(PATIENCE_SECONDS):
        try:
            while await reader.read(2**20):
                pass
        except ConnectionError:
            pass
        finally:
            writer.transport.abort()
            await asyncio.sleep(0)


@pytest.mark.parametrize("path", PATHS)
async def test_writing_is_not_allowed(client: httpx.AsyncClient, path: str) -> None:
    assert (await client.post(path)).status_code == 405


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
