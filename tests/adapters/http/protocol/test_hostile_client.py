"""The hostile client: attacks on the routes, each with a number (`c01` to `c42`).

Those on a socket are in `test_hostile_sockets.py`, those on tasks in `test_hostile_tasks.py`.
"""

import ast
import asyncio
import json
import re
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
import structlog

from adapters.http.protocol.waiting import MAX_WAITING
from domain.dataset import Role
from domain.errors import QueryTooSlow
from tests.adapters.http.asgi import Conversation
from tests.adapters.http.http_fixture import (
    GAUGES,
    NO_JSON,
    POSTS,
    HttpFixture,
    gauge,
    gauges_dataset,
    posts,
    problem,
)

ATTACKS = range(1, 43)

#: Attacks that do not apply, and why.
NOT_APPLICABLE: dict[int, str] = {}

JSON = {"Content-Type": "application/json"}
HOSTILE = {"Content-Type": "application/json; charset=utf-7", "Content-Encoding": "gzip"}


def test_every_attack_has_a_test_or_a_reason() -> None:
    covered = {
        int(found[1])
        for path in Path(__file__).parents[1].rglob("test_*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        if (found := re.match(r"test_c([0-9]+)_", node.name))
    }

    assert covered | NOT_APPLICABLE.keys() == set(ATTACKS)
    assert not covered & NOT_APPLICABLE.keys()


# ---------------------------------------------------------------- bodies


@pytest.mark.parametrize("body", [b" ", b"x", b"{", b'{"a":', b"{}{}", b"[1,", b"\xef\xbb\xbf{}"])
async def test_c01_a_body_that_is_not_json_is_400(client: httpx.AsyncClient, body: bytes) -> None:
    problem(await client.post("/fetch", content=body, headers=JSON), 400, "malformed_request")


@pytest.mark.parametrize(
    ("number", "status"),
    [("NaN", 400), ("Infinity", 400), ("1e400", 400), ("9" * 5000, 400), (str(2**63), 422)],
)
async def test_c02_no_number_is_an_accident(
    client: httpx.AsyncClient, number: str, status: int
) -> None:
    in_body = await client.post("/fetch", content=f'{{"a":{number}}}'.encode(), headers=JSON)
    in_query = await client.get(f"/data?id={number}")
    in_path = await client.get(f"/data/posts/{number}")

    assert in_body.status_code in (400, 422)
    problem(in_query, 422, "invalid_value")
    problem(in_path, 404, "unknown_record")


@pytest.mark.parametrize("body", [b"[" * 50_000, b'{"a":' * 50_000, b"[" * 50_000 + b"]" * 50_000])
async def test_c03_deep_nesting_is_400(client: httpx.AsyncClient, body: bytes) -> None:
    problem(await client.post("/fetch", content=body, headers=JSON), 400, "malformed_request")


@pytest.mark.parametrize("body", [b'{"a":"\xff"}', b'{"\xff":1}', b'{"a":"\xed\xa0\x80"}', b"\xff"])
async def test_c04_text_that_is_not_utf8_is_400(client: httpx.AsyncClient, body: bytes) -> None:
    problem(await client.post("/fetch", content=body, headers=JSON), 400, "malformed_request")


async def test_c05_of_a_key_given_twice_the_last_one_counts(client: httpx.AsyncClient) -> None:
    answer = await client.post("/fetch", content=b'{"a":1,"a":2}', headers=JSON)

    assert len(problem(answer, 422, "invalid_value")["errors"]) == 1


@pytest.mark.parametrize("name", ["role", "is_admin", "id", "owner_id", "force", "mode"])
async def test_c06_an_unknown_field_is_refused_and_nothing_done(
    fixture: HttpFixture, name: str
) -> None:
    fixture.clock.advance(3600)

    answer = await fixture.client.post("/fetch", json={name: "admin"})

    problem(answer, 422, "invalid_value")
    assert len(fixture.sources["posts"][0].asked) == 1


@pytest.mark.parametrize("kind", NO_JSON)
async def test_c07_a_body_of_another_kind_is_415(client: httpx.AsyncClient, kind: str) -> None:
    answer = await client.post("/fetch", content=b"{}", headers={"Content-Type": kind})

    problem(answer, 415, "unsupported_media_type")


async def test_c07_a_body_of_no_kind_is_415(client: httpx.AsyncClient) -> None:
    problem(await client.post("/fetch", content=b"{}"), 415, "unsupported_media_type")


@pytest.mark.parametrize(
    "path",
    ["/data", "/data/posts/1", "/", "/datasets", "/health", "/docs", "/fetch/jobs"],
)
async def test_c07_the_body_of_a_get_is_ignored(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.request("GET", path, content=b"{", headers=HOSTILE)

    assert answer.status_code == 200


@pytest.mark.parametrize("coding", ["gzip", "br", "gzip, identity", "deflate"])
async def test_c08_a_coded_body_is_415(client: httpx.AsyncClient, coding: str) -> None:
    answer = await client.post(
        "/fetch", content=b"\x1f\x8b\x08", headers={**JSON, "Content-Encoding": coding}
    )

    problem(answer, 415, "unsupported_media_type")


async def test_c09_a_body_of_11_mb_is_413(client: httpx.AsyncClient) -> None:
    answer = await client.post("/fetch", content=b" " * 11_000_000, headers=JSON)

    problem(answer, 413, "body_too_large")


# ---------------------------------------------------------------- methods and queries


@pytest.mark.parametrize(
    "path", ["/data", "/data/posts/1", "/fetch", "/fetch/jobs", "/", "/health", "/docs"]
)
@pytest.mark.parametrize("method", ["TRACE", "CONNECT", "PROPFIND", "FOO", "get", "DELETE"])
async def test_c14_an_unknown_verb_is_405_with_those_allowed(
    shared: HttpFixture, method: str, path: str
) -> None:
    conversation = Conversation(shared.app)

    assert await conversation.get(path, method=method) == 405
    assert conversation.headers["allow"]
    assert conversation.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("name", ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"])
async def test_c14_a_method_is_not_overridden(fixture: HttpFixture, name: str) -> None:
    fixture.clock.advance(3600)

    read = await fixture.client.get("/data?limit=1", headers={name: "DELETE"})
    refused = await fixture.client.get("/fetch", headers={name: "POST"})

    assert read.status_code == 200
    problem(refused, 405, "method_not_allowed")
    assert len(fixture.sources["posts"][0].asked) == 1


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("limit=-1", 422, "invalid_value"),
        ("limit=1e3", 422, "invalid_value"),
        ("limit=1_000", 422, "invalid_value"),
        ("limit=%D9%A3", 422, "invalid_value"),
        ("limit=999999999", 422, "invalid_value"),
        ("limit=%201", 422, "invalid_value"),
        ("limit=%2B1", 422, "invalid_value"),
        ("limit=1.0", 422, "invalid_value"),
        ("limit=" + "9" * 5000, 422, "invalid_value"),
        ("limit=1&limit=2", 400, "malformed_query"),
        ("limit=1&%6cimit=2", 400, "malformed_query"),
    ],
)
async def test_c15_a_limit_is_a_plain_number_given_once(
    client: httpx.AsyncClient, query: str, status: int, code: str
) -> None:
    for path in ("/data", "/fetch/jobs"):
        problem(await client.get(f"{path}?{query}"), status, code)


@pytest.mark.parametrize(
    "path",
    [
        "/data?page=2",
        "/data/posts/1?page=2",
        "/?page=2",
        "/datasets?page=2",
        "/health?page=2",
        "/fetch/jobs?page=2",
        "/fetch/status/1?page=2",
    ],
)
async def test_c16_an_unknown_name_is_400_naming_it(client: httpx.AsyncClient, path: str) -> None:
    body = problem(await client.get(path), 400, "unknown_parameter")

    assert body["errors"][0]["parameter"] == "page"


@pytest.mark.parametrize(
    "query",
    [
        "sort=_hash",
        "sort=_source",
        "sort=id;drop",
        "sort=id%20desc",
        "sort=(select%201)",
        "fields=_hash",
        "_hash=1",
        "_receipt__gt=0",
        "_seq=1",
        "rowid=1",
        "user_id[$ne]=1",
        "user_id[]=1",
        "user_id__regex=.",
        "user_id__$ne=1",
        "user_id__isnull=true",
        "title__like=%25",
        "user_id__in__not=1",
    ],
)
async def test_c17_only_listed_columns_and_operators_are_reached(
    client: httpx.AsyncClient, query: str
) -> None:
    problem(await client.get(f"/data?{query}"), 400, "unknown_parameter")


@pytest.mark.parametrize("value", ["' OR '1'='1", "1); DROP TABLE d_posts;--", "x' UNION SELECT 1"])
async def test_c17_a_value_is_only_ever_a_value(client: httpx.AsyncClient, value: str) -> None:
    answer = await client.get("/data", params={"title": value})

    assert answer.json()["data"] == []
    assert (await client.get("/data")).json()["count"] == 100


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("title__contains=" + "x" * 10_000, 414, "url_too_long"),
        ("&".join(["user_id=1"] * 500), 400, "malformed_query"),
        ("&".join(f"user_id{n}=1" for n in range(500)), 400, "malformed_query"),
        ("id__in=" + ",".join(["1"] * 500), 422, "invalid_value"),
        ("title__regex=(a%2B)%2B", 400, "unknown_parameter"),
    ],
)
async def test_c18_a_question_has_bounds(
    client: httpx.AsyncClient, query: str, status: int, code: str
) -> None:
    problem(await client.get(f"/data?{query}"), status, code)


async def test_c18_wildcards_are_text(client: httpx.AsyncClient) -> None:
    answer = await client.get("/data?title__contains=" + "%25_" * 1000)

    assert answer.json()["data"] == []


async def test_c18_a_slow_query_is_503(fixture: HttpFixture) -> None:
    fixture.broken.failure = QueryTooSlow("this query needs more than the 5 seconds a query gets")

    answer = await fixture.client.get("/data?body__contains=a")

    problem(answer, 503, "query_too_slow")
    assert answer.headers["retry-after"] == "5"


@pytest.mark.parametrize("text", ["%00", "%ff", "a%00b", "%c0%80", "%ed%a0%80", "%f5%80%80%80"])
@pytest.mark.parametrize(
    "query",
    ["title={}", "{}=1", "title__in=a,{}", "cursor={}", "sort={}", "fields={}", "limit={}"],
)
async def test_c19_what_is_not_text_is_400(
    client: httpx.AsyncClient, query: str, text: str
) -> None:
    problem(await client.get(f"/data?{query.format(text)}"), 400, "malformed_query")


@pytest.mark.parametrize("text", ["%00", "%ff", "a%00b", "%ed%a0%80"])
async def test_c19_what_is_not_text_is_no_key_and_no_name(
    client: httpx.AsyncClient, text: str
) -> None:
    for path in (f"/data/gauges/{text}/1", f"/data/posts/{text}", f"/data/{text}", f"/{text}"):
        assert (await client.get(path)).status_code in (400, 404)
    assert (await client.post(f"/fetch/{text}")).status_code in (400, 404)
    assert (await client.get(f"/fetch/status/{text}")).status_code in (400, 404)


@pytest.mark.parametrize("text", ["%00", "%ff", "a%00b", "%ed%a0%80"])
@pytest.mark.parametrize("name", ["dataset", "status", "limit", "cursor"])
async def test_c19_what_is_not_text_narrows_no_list(
    client: httpx.AsyncClient, name: str, text: str
) -> None:
    problem(await client.get(f"/fetch/jobs?{name}={text}"), 400, "malformed_query")


@pytest.mark.parametrize("cursor", ["x", "A" * 64, "A" * 5999, "A" * 7000, "e30", "eyJpZCI6MX0="])
async def test_c20_a_forged_cursor_is_400(client: httpx.AsyncClient, cursor: str) -> None:
    for path in ("/data", "/fetch/jobs"):
        problem(await client.get(f"{path}?cursor={cursor}"), 400, "invalid_cursor")


async def test_c20_a_cursor_of_another_filter_is_400(client: httpx.AsyncClient) -> None:
    cursor = (await client.get("/data?limit=1&user_id=1")).json()["page"]["next_cursor"]

    answer = await client.get(f"/data?limit=1&user_id=2&cursor={cursor}")

    problem(answer, 400, "invalid_cursor")


@pytest.mark.parametrize("offset", ["1000000000000", "10001", "9" * 100, "-1"])
async def test_c21_an_offset_has_a_bound(client: httpx.AsyncClient, offset: str) -> None:
    problem(await client.get(f"/data?offset={offset}"), 422, "invalid_value")


@pytest.mark.parametrize(
    "key",
    [
        "9" * 5000,
        "..",
        "../posts",
        "%2e%2e",
        "%2e%2e%2f%2e%2e%2fetc%2fpasswd",
        "%252e%252e",
        "%D9%A3",
        "1%20",
        "1%00",
        "-0x1",
        "1/..",
        "1;a=b",
        ".",
        "~root",
        "\\..\\",
    ],
)
async def test_c22_no_path_leads_astray(shared: HttpFixture, key: str) -> None:
    conversation = Conversation(shared.app)

    assert await conversation.get(f"/data/posts/{key}") == 404
    assert json.loads(conversation.body)["code"] in ("unknown_record", "unknown_dataset")


@pytest.mark.parametrize("job_id", ["..", "%2e%2e", "9" * 5000, "%D9%A3", "1;a=b", "1/.."])
async def test_c22_no_path_leads_to_a_job_but_its_own(shared: HttpFixture, job_id: str) -> None:
    conversation = Conversation(shared.app)

    assert await conversation.get(f"/fetch/status/{job_id}") == 404
    assert json.loads(conversation.body)["code"] in ("unknown_job", "not_found")


# ---------------------------------------------------------------- access


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/data/gauges"),
        ("GET", "/data/gauges/north/1"),
        ("POST", "/fetch/gauges"),
        ("POST", "/fetch/gauges?mode=task"),
        ("GET", "/fetch/jobs?dataset=gauges"),
        ("DELETE", "/fetch/status/00000000000000000000000000000000"),
    ],
)
async def test_c24_a_stranger_at_a_closed_door_is_401(method: str, path: str) -> None:
    fixture = HttpFixture(POSTS, gauges_dataset(read_by=Role.USER, fetch_by=Role.ADMIN))

    answer = await fixture.client.request(method, path)

    problem(answer, 401, "login_required")
    assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("name", ["url", "host", "source", "base_url", "posts_url", "redirect"])
async def test_c25_no_client_says_whom_to_ask(fixture: HttpFixture, name: str) -> None:
    fixture.clock.advance(3600)
    url = "http://169.254.169.254/latest/meta-data"

    in_query = await fixture.client.post("/fetch", params={name: url})
    in_body = await fixture.client.post("/fetch", json={name: url})
    in_path = await fixture.client.post(f"/fetch/{url}")

    problem(in_query, 400, "unknown_parameter")
    problem(in_body, 422, "invalid_value")
    problem(in_path, 404, "not_found")
    assert len(fixture.sources["posts"][0].asked) == 1


async def test_c26_a_storm_of_fetches_is_one_fetch_and_then_429(empty: HttpFixture) -> None:
    empty.sources["posts"][0].pages = [posts(1)]
    empty.sources["posts"][0].takes_s = 1
    storm = [asyncio.create_task(empty.client.post("/fetch")) for _ in range(MAX_WAITING + 50)]
    await empty.clock.elapse(5)

    answers = await asyncio.gather(*storm)

    statuses = [answer.status_code for answer in answers]
    assert (statuses.count(200), statuses.count(429)) == (MAX_WAITING, 50)
    assert all("retry-after" in answer.headers for answer in answers if answer.status_code == 429)
    assert len({answer.json()["job_id"] for answer in answers if answer.status_code == 200}) == 1
    assert len(empty.sources["posts"][0].asked) == 1


async def test_c27_a_thousand_tasks_are_one_job(empty: HttpFixture) -> None:
    answers = [await empty.client.post("/fetch?mode=task") for _ in range(1000)]

    statuses = [answer.status_code for answer in answers]
    assert (statuses.count(202), statuses.count(429)) == (600, 400)
    assert problem(answers[-1], 429, "too_many_requests")
    assert answers[-1].headers["retry-after"] == "1"
    assert (await empty.client.get("/fetch/jobs")).json()["count"] == 1


async def test_c28_of_one_key_in_parallel_one_request_is_answered(empty: HttpFixture) -> None:
    empty.sources["posts"][0].pages = [posts(1)]
    empty.sources["posts"][0].takes_s = 1
    key = {"Idempotency-Key": "k"}
    storm = [asyncio.create_task(empty.client.post("/fetch", headers=key)) for _ in range(50)]
    await empty.clock.elapse(2)

    statuses = [answer.status_code for answer in await asyncio.gather(*storm)]

    assert sorted(statuses) == [200] + [409] * 49


@pytest.mark.usefixtures("fixture")
async def test_c28_another_request_with_the_key_is_422(client: httpx.AsyncClient) -> None:
    key = {"Idempotency-Key": "k"}
    await client.post("/fetch", headers=key)

    problem(await client.post("/fetch/gauges", headers=key), 422, "key_reused")


@pytest.mark.parametrize("key", ["k" * 10_000, "k\x00", "\x1b[31m", "'; DROP TABLE jobs;--", ""])
async def test_c28_a_key_that_is_none_is_400(client: httpx.AsyncClient, key: str) -> None:
    answer = await client.post("/fetch", headers={"Idempotency-Key": key})

    problem(answer, 400, "malformed_request")


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://catchment.test"])
@pytest.mark.parametrize("method", ["GET", "OPTIONS"])
async def test_c35_no_other_site_is_let_in(
    client: httpx.AsyncClient, origin: str, method: str
) -> None:
    headers = {"Origin": origin, "Access-Control-Request-Method": "POST"}

    for path in ("/data", "/fetch", "/health", "/docs"):
        answer = await client.request(method, path, headers=headers)

        assert not [name for name in answer.headers if name.startswith("access-control-")]
        assert answer.status_code < 500


@pytest.mark.parametrize(
    "name",
    ["X-Forwarded-Host", "X-Forwarded-Proto", "Forwarded", "X-Original-URL", "X-Rewrite-URL"],
)
async def test_c35_a_forwarded_host_is_ignored(client: httpx.AsyncClient, name: str) -> None:
    headers = {name: "host=evil.example, https, /health"}

    answer = await client.get("/", headers=headers)
    page = await client.get("/data?limit=1", headers=headers)

    assert "evil.example" not in answer.text
    assert "evil.example" not in page.headers["link"]


@pytest.mark.parametrize(
    "host",
    [
        "",
        "a b",
        "evil.example/path",
        "evil.example?x",
        "x:99999",
        "x:",
        "x:1:2",
        "[::1",
        "user@evil.example",
        "é.example",
        "x'; rm -rf ~;'",
        "<script>",
        "a" * 300,
        "a, b",
    ],
)
async def test_c35_a_host_that_is_none_is_400(shared: HttpFixture, host: str) -> None:
    conversation = Conversation(shared.app)

    assert await conversation.get("/", {"host": host}) == 400
    assert json.loads(conversation.body)["code"] == "malformed_request"


@pytest.mark.parametrize("host", ["catchment", "a.example:8000", "127.0.0.1", "[::1]:8000", "a_b"])
async def test_c35_a_host_that_is_one_is_taken(shared: HttpFixture, host: str) -> None:
    conversation = Conversation(shared.app)

    assert await conversation.get("/", {"host": host}) == 200
    assert f"http://{host}/fetch/posts".encode() in conversation.body


# ---------------------------------------------------------------- injection


HOSTILE_TEXTS = [
    "<script>alert(1)</script>",
    "javascript:alert(1)",
    '"><img src=x onerror=alert(1)>',
    "\u202egnp.exe",
    "</script><!--",
]


@pytest.mark.parametrize("text", HOSTILE_TEXTS)
async def test_c37_what_upstreams_say_is_never_run(empty: HttpFixture, text: str) -> None:
    await empty.bring([gauge(1, body=text)], GAUGES)

    page = await empty.client.get("/data/gauges", headers={"Accept": "text/html,*/*;q=0.8"})
    one = await empty.client.get("/data/gauges/north/1")
    export = await empty.client.get("/data/gauges?format=csv")
    echoed = await empty.client.get("/data", params={text: text})

    assert page.json()["data"][0]["body"] == one.json()["data"]["body"] == text
    for answer in (page, one, export, echoed):
        assert "html" not in answer.headers["content-type"]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    assert export.headers["content-disposition"].startswith("attachment")


@pytest.mark.parametrize(
    "cell", ["=HYPERLINK()", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", '=cmd|" /C calc"!A0']
)
async def test_c38_a_spreadsheet_runs_nothing(empty: HttpFixture, cell: str) -> None:
    await empty.bring([gauge(1, body=cell)], GAUGES)

    answer = await empty.client.get("/data/gauges?format=csv&fields=body")

    quoted = answer.text.partition("north,1,")[2]
    assert quoted.lstrip('"').startswith(f"'{cell[0]}")


@pytest.mark.parametrize("forged", ["\r\n[error] all is lost", "\x1b[31m", "\u2028", "\u202e"])
async def test_c39_nothing_of_the_caller_s_forges_a_line_of_the_log(
    fixture: HttpFixture, logged: list[MutableMapping[str, Any]], forged: str
) -> None:
    fixture.broken.failure = RuntimeError("broken")
    in_header = forged.encode().decode("latin-1")
    headers = {"user-agent": in_header, "x-request-id": in_header}

    await Conversation(fixture.app).get(f"/data/gauges/{quote(forged)}/1", headers)

    [event] = logged
    del event["exc_info"]
    for render in (
        structlog.dev.ConsoleRenderer(colors=False),
        structlog.processors.JSONRenderer(),
    ):
        line = render(None, "error", dict(event))
        assert line.isascii()
        assert line.isprintable()


@pytest.mark.parametrize(
    "path",
    [
        "/.env",
        "/.git/config",
        "/static/../pyproject.toml",
        "/static/%2e%2e/pyproject.toml",
        "/docs/../.env",
        "/docs/%2e%2e/%2e%2e/front.py",
        "/docs/swagger-ui-5.35.0/../../front.py",
        "/docs/swagger-ui-5.35.0/..%5c..%5cfront.py",
        "/docs/swagger-ui-5.35.0//etc/passwd",
        "/debug",
        "/schema",
        "/schema/openapi.json",
        "/schema/swagger",
        "/openapi.yaml",
        "/docs/openapi.yml",
        "/metrics/debug",
        "/var/catchment.db",
        "//etc/passwd",
    ],
)
async def test_c40_there_is_nothing_else_to_find(shared: HttpFixture, path: str) -> None:
    conversation = Conversation(shared.app)

    assert await conversation.get(path) == 404
    assert json.loads(conversation.body)["code"] == "not_found"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Range": "bytes=0-1"}, 200),
        ({"Range": "bytes=-999999999999999999999,,,"}, 200),
        ({"If-Modified-Since": "yesterday"}, 200),
        ({"If-Modified-Since": "Thu, 99 Foo 9999 99:99:99 GMT"}, 200),
        ({"If-None-Match": ", ".join(["*"] * 1000)}, 304),
        ({"If-None-Match": ", ".join(['W/"x"'] * 1000)}, 200),
        ({"If-None-Match": '"' * 5000}, 200),
        ({"If-Match": '"x"'}, 200),
        ({"Accept": "image/png"}, 406),
        ({"Accept": ",".join(["text/csv;q=0.1"] * 900)}, 200),
        ({"Accept": ";q=" * 4000}, 406),
        ({"Accept-Language": "x" * 10_000}, 200),
        ({"Accept-Encoding": "gzip;q=nan, *;q=-1"}, 200),
        ({"Accept-Charset": "utf-7"}, 200),
        ({"Authorization": "Bearer " + "x" * 10_000}, 401),
        ({"Cookie": "=;" * 4000}, 200),
        ({"Prefer": "respond-async, wait=0"}, 200),
        ({"Expect": "200-ok"}, 200),
    ],
)
async def test_c41_strange_headers_are_no_accident(
    client: httpx.AsyncClient, headers: dict[str, str], status: int
) -> None:
    answer = await client.get("/data", headers=headers)

    assert answer.status_code == status
    for path in ("/data/posts/1", "/", "/health", "/datasets", "/docs", "/openapi.json"):
        assert (await client.get(path, headers=headers)).status_code < 500
