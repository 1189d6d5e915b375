"""Compression: gzip for clients that accept it, with the same content."""

import gzip
import zlib

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.http.protocol.compression import MIN_BYTES, accepts_gzip, pack
from domain.dataset import Role
from tests.adapters.http.asgi import Conversation
from tests.adapters.http.http_fixture import PASSWORD, HttpFixture, posts

GZIP = {"accept-encoding": "gzip, deflate, br"}
LARGE = [
    "/data",
    "/data?limit=50&fields=title",
    "/data?format=csv",
    "/data?format=ndjson",
    "/openapi.json",
    "/docs/problems",
    "/docs/swagger-ui-5.35.0/swagger-ui.css",
    "/datasets",
]


def unpacked(body: bytes) -> bytes:
    """Return a body as clients unpack it that read only one gzip member."""
    reader = zlib.decompressobj(wbits=31)
    text = reader.decompress(body)
    assert reader.eof
    assert not reader.unused_data
    return text


async def asked(
    fixture: HttpFixture, path: str, headers: dict[str, str], method: str = "GET"
) -> Conversation:
    """Send a request with these headers and no others."""
    conversation = Conversation(fixture.app)
    await conversation.get(path, headers, method)
    return conversation


# ---------------------------------------------------------------- compressed answers


@pytest.mark.parametrize("path", LARGE)
async def test_a_client_that_accepts_gzip_gets_it_with_the_same_tag(
    shared: HttpFixture, path: str
) -> None:
    fixed = {"x-request-id": "same"}
    plain = await asked(shared, path, fixed)
    packed = await asked(shared, path, {**fixed, **GZIP})

    assert packed.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert len(packed.body) < len(plain.body)
    before_latency = unpacked(packed.body).rpartition(b'"api_latency_ms"')[0]
    assert before_latency == plain.body.rpartition(b'"api_latency_ms"')[0]
    for each in (plain, packed):
        assert "Accept-Encoding" in each.headers["vary"]
    assert packed.headers.get("etag") == plain.headers.get("etag")
    assert packed.headers.get("etag", "W/").startswith("W/")


@pytest.mark.parametrize("path", LARGE)
async def test_head_names_what_get_would(shared: HttpFixture, path: str) -> None:
    get = await asked(shared, path, GZIP)
    head = await asked(shared, path, GZIP, "HEAD")

    assert head.body == b""
    assert head.headers["content-encoding"] == "gzip"
    assert ("content-length" in head.headers) == ("content-length" in get.headers)


@pytest.mark.parametrize("path", [*LARGE[:5], "/docs/problems"])
async def test_a_tag_holds_whatever_the_encoding(shared: HttpFixture, path: str) -> None:
    etag = (await asked(shared, path, GZIP)).headers["etag"]
    opaque = etag.removeprefix("W/").strip('"')

    for tag in (etag, f'W/"{opaque}-gzip"', f'"{opaque}--gzip"', f'"{opaque};gzip"'):
        for more in ({}, GZIP):
            answer = await asked(shared, path, {"if-none-match": tag, **more})
            assert (answer.status, answer.body) == (304, b"")
            assert "content-encoding" not in answer.headers
            assert "Accept-Encoding" in answer.headers["vary"]


@pytest.mark.parametrize(
    "path", ["/data?limit=1", "/health/live", "/docs", "/docs/swagger-ui-5.35.0/favicon-32x32.png"]
)
async def test_what_is_small_or_an_image_goes_out_as_it_is(shared: HttpFixture, path: str) -> None:
    assert "content-encoding" not in (await asked(shared, path, GZIP)).headers


async def test_a_task_alone_has_a_strong_tag_and_goes_out_as_it_is(fixture: HttpFixture) -> None:
    body = {"title": "mend it", "repository": "a/b", "description": "x" * 5000}
    made = await fixture.client.post("/tasks", json=body)

    alone = await fixture.client.get(made.headers["location"])
    listed = await fixture.client.get("/tasks")

    for each in (made, alone):
        assert "content-encoding" not in each.headers
        assert each.headers["etag"] == '"1"'
    assert listed.headers["content-encoding"] == "gzip"
    assert listed.json()["data"] == [alone.json()]


async def test_what_holds_a_token_goes_out_as_it_is(fixture: HttpFixture) -> None:
    headers = await fixture.headers(Role.USER)
    for number in range(20):
        made = await fixture.client.post(
            "/auth/tokens", json={"name": f"{number} {'x' * 50}"}, headers=headers
        )
        assert "content-encoding" not in made.headers

    login = {"username": "user", "password": PASSWORD}
    listed = await fixture.client.get("/auth/tokens", headers=headers)

    assert len(listed.content) > MIN_BYTES
    assert "content-encoding" not in listed.headers
    granted = await fixture.client.post("/auth/login", json=login)
    assert "content-encoding" not in granted.headers


async def test_a_private_page_is_compressed_and_never_kept(fixture: HttpFixture) -> None:
    headers = await fixture.headers(Role.USER)

    answer = await fixture.client.get("/data", headers=headers)

    assert answer.headers["content-encoding"] == "gzip"
    assert answer.json()["count"] == 100
    assert answer.headers["cache-control"] == "private, no-cache"


async def test_a_long_export_is_unpacked_to_what_it_is(fixture: HttpFixture) -> None:
    await fixture.bring(posts(5000))

    plain = await asked(fixture, "/data?format=csv", {})
    packed = await asked(fixture, "/data?format=csv", GZIP)

    assert len(packed.messages) > 3
    assert unpacked(packed.body) == plain.body


# ---------------------------------------------------------------- cached pages


async def test_a_ready_page_is_compressed_once(fixture: HttpFixture) -> None:
    first = [await asked(fixture, "/data", {**GZIP, "accept": "*/*"}) for _ in range(2)]
    other = await asked(fixture, "/data", {**GZIP, "accept": "*/*", "x-request-id": "mine"})
    plain = await asked(fixture, "/data", {"accept": "*/*"})
    await fixture.bring(posts(101))
    changed = await asked(fixture, "/data", {**GZIP, "accept": "*/*"})

    # All bytes but the ending are the same, because they were cached.
    assert first[0].body[:800] == first[1].body[:800] == other.body[:800]
    assert first[0].body[-60:] != first[1].body[-60:]
    texts = [unpacked(each.body) for each in (*first, other)]
    assert len({text.rpartition(b',"stale"')[0] for text in texts}) == 1
    assert len({text.partition(b'"request_id":"')[2][:30] for text in texts}) == 3
    assert plain.body.startswith(texts[0].rpartition(b',"stale"')[0])
    assert unpacked(changed.body).partition(b'"meta"')[0] != texts[0].partition(b'"meta"')[0]


@given(st.binary(max_size=5000), st.binary(max_size=300))
def test_a_body_with_a_stored_ending_is_one_gzip_member(body: bytes, ending: bytes) -> None:
    packed = pack(body).with_ending(ending)

    assert unpacked(packed) == gzip.decompress(packed) == body + ending


def test_an_ending_fits_into_one_block() -> None:
    assert unpacked(pack(b"a").with_ending(b"b" * 65_535)) == b"a" + b"b" * 65_535
    with pytest.raises(ValueError, match="does not fit"):
        pack(b"a").with_ending(b"b" * 65_536)


# ---------------------------------------------------------------- Accept-Encoding


@pytest.mark.parametrize(
    ("accepted", "is_wanted"),
    [
        ("gzip", True),
        ("GZIP", True),
        ("x-gzip", True),
        ("br, gzip;q=0.5", True),
        ("*", True),
        ("*;q=0", False),
        ("gzip;q=0, *", False),
        ("gzip; q=0.000", False),
        ("gzip;q=.", False),
        ("gzip;q=nan", False),
        ("gzip;q=.2", True),
        ("identity", False),
        ("deflate, br", False),
        ("", False),
        ("gzipped", False),
    ],
)
async def test_gzip_is_for_those_who_name_it(
    shared: HttpFixture, accepted: str, is_wanted: bool
) -> None:
    assert accepts_gzip(accepted.encode()) is is_wanted
    for path in ("/data", "/openapi.json", "/datasets", "/data?format=csv"):
        answer = await asked(shared, path, {"accept-encoding": accepted})
        assert ("content-encoding" in answer.headers) is is_wanted


async def test_clients_unpack_by_themselves(client: httpx.AsyncClient) -> None:
    answers = [await client.get("/data", headers={"Accept-Encoding": "gzip"}) for _ in range(3)]

    assert {answer.json()["count"] for answer in answers} == {100}
