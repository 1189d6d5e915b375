"""Faults of bodies and records."""

import json

import httpx
import pytest

from entrypoints.upstream import SampleUpstream


async def test_an_error_page_comes_as_success(
    client: httpx.AsyncClient, upstream: SampleUpstream
) -> None:
    honest = await client.get(upstream.fault_url("U8-html"))
    labelled = await client.get(upstream.fault_url("U8-html-as-json"))

    assert honest.text == labelled.text
    assert honest.text.startswith("<!doctype html>")
    assert honest.headers["content-type"].startswith("text/html")
    assert labelled.headers["content-type"].startswith("application/json")


async def test_the_posts_come_labelled_html(
    client: httpx.AsyncClient, upstream: SampleUpstream
) -> None:
    answer = await client.get(upstream.fault_url("U8-json-as-html"))

    assert answer.headers["content-type"].startswith("text/html")
    assert len(answer.json()) == 100


async def test_an_error_comes_as_success(
    client: httpx.AsyncClient, upstream: SampleUpstream
) -> None:
    answer = await client.get(upstream.fault_url("U9"))

    assert (answer.status_code, set(answer.json())) == (200, {"error"})


@pytest.mark.parametrize(
    ("name", "status", "body"),
    [("U10-204", 204, b""), ("U10-empty", 200, b""), ("U10-empty-list", 200, b"[]")],
)
async def test_nothing_comes(
    client: httpx.AsyncClient, upstream: SampleUpstream, name: str, status: int, body: bytes
) -> None:
    answer = await client.get(upstream.fault_url(name))

    assert (answer.status_code, answer.content) == (status, body)


@pytest.mark.parametrize(
    ("name", "spelling"),
    [
        ("U23-invalid-utf8", b"\xff\xfe\xc3\x28"),
        ("U23-latin1", b"caf\xe9"),
        ("U23-latin1-declared", b"caf\xe9"),
        ("U23-nul", rb"\u0000"),
        ("U23-surrogate", rb"\ud800"),
        ("U24-nan", b'"userId":NaN'),
        ("U24-infinity", b'"userId":-Infinity'),
        ("U24-negative-zero", b'"userId":-0,'),
        ("U24-overflow", b'"userId":1e400'),
        ("U24-above-2-53", b'"userId":9007199254740993'),
        ("U24-2-64", b'"userId":18446744073709551616'),
        ("U24-5000-digits", b'"userId":' + b"9" * 5000),
        ("U25-in-record", b'"title":[[[['),
        ("U26", b'"title":"the first title","title":"the last title"'),
    ],
)
async def test_one_post_is_spelled_oddly(
    client: httpx.AsyncClient, upstream: SampleUpstream, name: str, spelling: bytes
) -> None:
    body = (await client.get(upstream.fault_url(name))).content

    assert body.count(spelling) == 1
    assert body.index(b'"id":2,') < body.index(spelling) < body.index(b'"id":4,')


@pytest.mark.parametrize(
    ("name", "charset"), [("U23-utf16", "utf-16"), ("U23-utf8-mark", "utf-8-sig")]
)
async def test_the_body_begins_with_a_byte_order_mark(
    client: httpx.AsyncClient, upstream: SampleUpstream, name: str, charset: str
) -> None:
    body = (await client.get(upstream.fault_url(name))).content

    assert body[:2] in (b"\xff\xfe", b"\xef\xbb")
    assert len(json.loads(body.decode(charset))) == 100


@pytest.mark.parametrize(
    ("name", "charset"),
    [("U23-utf16", "utf-16"), ("U23-latin1", "utf-8"), ("U23-latin1-declared", "iso-8859-1")],
)
async def test_the_label_names_a_charset(
    client: httpx.AsyncClient, upstream: SampleUpstream, name: str, charset: str
) -> None:
    answer = await client.get(upstream.fault_url(name))

    assert answer.headers["content-type"] == f"application/json; charset={charset}"


async def test_the_body_is_nested_too_deep(
    client: httpx.AsyncClient, upstream: SampleUpstream
) -> None:
    body = (await client.get(upstream.fault_url("U25"))).content

    assert body == b"[" * 100_000 + b"]" * 100_000


@pytest.mark.parametrize(("name", "titles"), [("U27-within-page", 1), ("U27-conflict", 2)])
async def test_an_id_comes_twice(
    client: httpx.AsyncClient, upstream: SampleUpstream, name: str, titles: int
) -> None:
    posts = (await client.get(upstream.fault_url(name))).json()

    thirds = [post["title"] for post in posts if post["id"] == 3]
    assert (len(posts), len(thirds), len(set(thirds))) == (101, 2, titles)


@pytest.mark.parametrize(
    ("name", "bad_posts"),
    [
        ("U28-new-field", 100),
        ("U28-removed-field", 10),
        ("U28-renamed-field", 10),
        ("U28-type-flip", 10),
        ("U28-null", 10),
        ("U28-mostly-bad", 50),
        ("U28-all-bad", 100),
    ],
)
async def test_some_records_drift(
    client: httpx.AsyncClient, upstream: SampleUpstream, name: str, bad_posts: int
) -> None:
    usual = upstream.collection().records

    posts = (await client.get(upstream.fault_url(name))).json()

    assert sum(a != b for a, b in zip(posts, usual, strict=True)) == bad_posts


async def test_the_set_shrinks(client: httpx.AsyncClient, upstream: SampleUpstream) -> None:
    url = upstream.fault_url("U29")

    sizes = [len((await client.get(url)).json()) for _ in range(3)]

    assert sizes == [10_000, 12, 12]
