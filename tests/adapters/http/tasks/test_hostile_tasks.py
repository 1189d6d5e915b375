"""The hostile client at the routes of tasks, with the numbers of `test_hostile_client.py`."""

import asyncio
from collections.abc import MutableMapping
from typing import Any

import httpx
import pytest
import structlog

from domain.errors import SourceUnavailable
from tests.adapters.http.asgi import Conversation
from tests.adapters.http.http_fixture import NO_JSON, HttpFixture, problem

JSON = {"Content-Type": "application/json"}
TASK = {"title": "a title", "repository": "a/b"}
UNKNOWN = "0" * 32

#: The routes that read a body, as (method, path); a task need not exist.
WRITES = [("POST", "/tasks"), ("PUT", f"/tasks/{UNKNOWN}"), ("PATCH", f"/tasks/{UNKNOWN}")]
ALL_WRITES = pytest.mark.parametrize(("method", "path"), WRITES, ids=lambda each: each[:5])


async def send(
    client: httpx.AsyncClient,
    method: str,
    path: str,
    body: bytes,
    headers: dict[str, str] | None = None,
) -> httpx.Response:
    """Send a body as JSON or as another media type."""
    return await client.request(method, path, content=body, headers=JSON | (headers or {}))


@pytest.fixture
async def made(fixture: HttpFixture) -> str:
    """Return the path of a new task."""
    answer = await fixture.client.post("/tasks", json=TASK)
    assert answer.status_code == 201
    return answer.headers["location"]


# ---------------------------------------------------------------- bodies


@ALL_WRITES
@pytest.mark.parametrize(
    "body",
    [b"", b" ", b"x", b"{", b'{"title":', b'{"title":1,x', b"{}{}", b"[1,", b"\xef\xbb\xbf{}"],
)
async def test_c01_a_body_that_is_not_json_is_400(
    client: httpx.AsyncClient, method: str, path: str, body: bytes
) -> None:
    problem(await send(client, method, path, body), 400, "malformed_request")


@ALL_WRITES
@pytest.mark.parametrize("body", [b"[]", b"null", b'"title"', b"1", b"true"])
async def test_c01_a_body_that_is_no_object_is_422(
    client: httpx.AsyncClient, method: str, path: str, body: bytes
) -> None:
    failure = problem(await send(client, method, path, body), 422, "invalid_value")

    assert failure["errors"][0]["pointer"] == ""


@ALL_WRITES
@pytest.mark.parametrize("number", ["NaN", "-Infinity", "1e400", "9" * 5000, str(2**63), "1"])
@pytest.mark.parametrize("field", ["title", "description", "version", "repo_stars"])
async def test_c02_no_number_is_an_accident(
    client: httpx.AsyncClient, method: str, path: str, field: str, number: str
) -> None:
    answer = await send(client, method, path, f'{{"{field}":{number}}}'.encode())

    assert answer.status_code in (400, 422)


@ALL_WRITES
@pytest.mark.parametrize(
    "body",
    [b"[" * 50_000, b'{"title":' + b"[" * 50_000, b'{"title":' * 50_000, b'{"x":' + b"[" * 50_000],
)
async def test_c03_deep_nesting_is_400(
    client: httpx.AsyncClient, method: str, path: str, body: bytes
) -> None:
    problem(await send(client, method, path, body), 400, "malformed_request")


@ALL_WRITES
@pytest.mark.parametrize(
    "body",
    [
        b'{"title":"\xff"}',
        b'{"\xff":1}',
        b'{"title":"\xed\xa0\x80"}',
        b'{"title":"\\ud800"}',
        b'{"title":"\\udc00 x"}',
        b"\xff",
    ],
)
async def test_c04_text_that_is_not_utf8_is_400(
    client: httpx.AsyncClient, method: str, path: str, body: bytes
) -> None:
    problem(await send(client, method, path, body), 400, "malformed_request")


@pytest.mark.parametrize("field", ["title", "description"])
async def test_c04_the_character_nul_is_422(client: httpx.AsyncClient, field: str) -> None:
    body = problem(await client.post("/tasks", json=TASK | {field: "a\0b"}), 422, "invalid_value")

    assert body["errors"][0]["pointer"] == f"/{field}"


@pytest.mark.usefixtures("fixture")
async def test_c05_of_a_key_given_twice_the_last_one_counts(client: httpx.AsyncClient) -> None:
    answer = await send(
        client, "POST", "/tasks", b'{"title":"first","repository":"a/b","title":"second"}'
    )

    assert answer.json()["title"] == "second"


@pytest.mark.parametrize(
    "name",
    ["role", "is_admin", "id", "owner_id", "version", "enrichment", "repo_stars", "created_at"],
)
async def test_c06_an_unknown_field_is_refused_and_nothing_done(
    fixture: HttpFixture, made: str, name: str
) -> None:
    before = (await fixture.client.get(made)).json()

    for method, path in (("POST", "/tasks"), ("PUT", made), ("PATCH", made)):
        answer = await fixture.client.request(
            method, path, json=TASK | {"title": "x", name: "admin"}
        )
        body = problem(answer, 422, "invalid_value")
        assert body["errors"][0]["pointer"] == f"/{name}"

    assert (await fixture.client.get(made)).json() == before
    assert (await fixture.client.get("/tasks")).json()["count"] == 1


async def test_c06_a_field_s_name_is_repeated_in_part_and_in_its_place(
    client: httpx.AsyncClient,
) -> None:
    body = problem(
        await client.post("/tasks", json={"a/b~c` - at `$.x" + "y" * 1000: 1}), 422, "invalid_value"
    )

    assert len(body["detail"]) <= 200
    assert body["errors"][0]["pointer"].startswith("/a~1b~0c` - at `$.xy")
    assert len(body["errors"][0]["pointer"]) <= 200


@ALL_WRITES
@pytest.mark.parametrize("kind", [*NO_JSON, "application/vnd.api+json"])
async def test_c07_a_body_of_another_kind_is_415(
    client: httpx.AsyncClient, method: str, path: str, kind: str
) -> None:
    answer = await send(client, method, path, b"{}", {"Content-Type": kind})

    problem(answer, 415, "unsupported_media_type")


@pytest.mark.parametrize("method", ["POST", "PUT"])
async def test_c07_a_merge_patch_is_for_patch_alone(
    client: httpx.AsyncClient, made: str, method: str
) -> None:
    kind = {"Content-Type": "application/merge-patch+json"}
    path = "/tasks" if method == "POST" else made

    problem(await send(client, method, path, b"{}", kind), 415, "unsupported_media_type")
    assert (await send(client, "PATCH", made, b"{}", kind)).status_code == 200


async def test_c07_the_body_of_a_get_is_ignored(client: httpx.AsyncClient, made: str) -> None:
    for path in ("/tasks", made):
        answer = await send(client, "GET", path, b"{", {"Content-Encoding": "gzip"})
        assert answer.status_code == 200


@ALL_WRITES
@pytest.mark.parametrize("coding", ["gzip", "br", "gzip, identity", "deflate"])
async def test_c08_a_coded_body_is_415(
    client: httpx.AsyncClient, method: str, path: str, coding: str
) -> None:
    answer = await send(client, method, path, b"\x1f\x8b\x08", {"Content-Encoding": coding})

    problem(answer, 415, "unsupported_media_type")


@ALL_WRITES
async def test_c09_a_body_of_11_mb_is_413(
    client: httpx.AsyncClient, method: str, path: str
) -> None:
    answer = await send(client, method, path, b" " * 11_000_000)

    problem(answer, 413, "body_too_large")


@ALL_WRITES
async def test_c09_a_body_without_an_end_is_408(method: str, path: str) -> None:
    fixture = HttpFixture(body_s=0.01)

    async def body() -> Any:
        yield b"{"
        await asyncio.Event().wait()

    async with fixture.client as client:
        answer = await client.request(method, path, content=body(), headers=JSON)

    problem(answer, 408, "body_too_slow")
    assert answer.headers["connection"] == "close"


# ---------------------------------------------------------------- queries and paths


@pytest.mark.parametrize("method", ["TRACE", "CONNECT", "PROPFIND", "FOO", "get"])
@pytest.mark.parametrize("path", ["/tasks", f"/tasks/{UNKNOWN}"])
async def test_c14_an_unknown_verb_is_405_with_those_allowed(
    shared: HttpFixture, method: str, path: str
) -> None:
    conversation = Conversation(shared.app)

    assert await conversation.get(path, method=method) == 405
    assert "GET" in conversation.headers["allow"]


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("limit=501", 422, "invalid_value"),
        ("limit=1e3", 422, "invalid_value"),
        ("limit=%D9%A3", 422, "invalid_value"),
        ("limit=1&limit=2", 400, "malformed_query"),
        ("page=2", 400, "unknown_parameter"),
        ("format=csv&offset=1", 400, "malformed_query"),
        ("format=parquet", 422, "invalid_value"),
        ("sort=_hash", 400, "unknown_parameter"),
        ("sort=id;drop", 400, "unknown_parameter"),
        ("_seq=1", 400, "unknown_parameter"),
        ("title__regex=.", 400, "unknown_parameter"),
        ("status=urgent", 422, "invalid_value"),
        ("version=" + "9" * 5000, 422, "invalid_value"),
        ("title=%00", 400, "malformed_query"),
        ("title=%ff", 400, "malformed_query"),
        ("cursor=x", 400, "invalid_cursor"),
        ("offset=10001", 422, "invalid_value"),
    ],
)
async def test_c15_the_list_of_tasks_is_asked_as_strictly_as_any(
    client: httpx.AsyncClient, query: str, status: int, code: str
) -> None:
    problem(await client.get(f"/tasks?{query}"), status, code)


async def test_c16_no_other_route_of_tasks_has_a_parameter(
    client: httpx.AsyncClient, made: str
) -> None:
    for method, path in (
        ("POST", "/tasks"),
        ("GET", made),
        ("PUT", made),
        ("PATCH", made),
        ("DELETE", made),
    ):
        answer = await client.request(method, f"{path}?force=true", json=TASK)
        problem(answer, 400, "unknown_parameter")

    assert (await client.get(made)).status_code == 200


async def test_c20_a_cursor_of_records_is_none_of_tasks(client: httpx.AsyncClient) -> None:
    cursor = (await client.get("/data?limit=1")).json()["page"]["next_cursor"]

    problem(await client.get(f"/tasks?limit=1&cursor={cursor}"), 400, "invalid_cursor")


@pytest.mark.parametrize(
    "task_id", ["..", "%2e%2e", "9" * 5000, "%D9%A3", "1;a=b", "1/..", "%00", "%ff", "A" * 32, "1"]
)
@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_c22_no_path_leads_to_a_task_but_its_own(
    shared: HttpFixture, method: str, task_id: str
) -> None:
    conversation = Conversation(shared.app)

    assert await conversation.get(f"/tasks/{task_id}", method=method) in (404, 405)


async def test_c23_an_identifier_cannot_be_guessed_from_another(
    client: httpx.AsyncClient, made: str
) -> None:
    number = int(made.rpartition("/")[2], 16)

    for guess in range(number - 50, number + 50):
        if guess != number:
            for method in ("GET", "DELETE"):
                answer = await client.request(method, f"/tasks/{guess:032x}")
                problem(answer, 404, "unknown_record")
    assert (await client.get(made)).status_code == 200


@pytest.mark.parametrize("name", ["url", "host", "github_url", "repo", "owner"])
async def test_c25_no_client_says_whom_to_ask(fixture: HttpFixture, name: str) -> None:
    url = "http://169.254.169.254/latest/meta-data"

    in_field = await fixture.client.post("/tasks", json=TASK | {name: url})
    as_name = await fixture.client.post("/tasks", json=TASK | {"repository": url})

    problem(in_field, 422, "invalid_value")
    problem(as_name, 422, "invalid_value")
    assert fixture.github.asked == []


# ---------------------------------------------------------------- changes at once


async def test_c34_a_change_to_a_stale_version_is_412(client: httpx.AsyncClient, made: str) -> None:
    first = await client.request(
        "PATCH", made, json={"title": "first"}, headers={"If-Match": '"1"'}
    )

    for answer in (
        await client.request("PATCH", made, json={"title": "second"}, headers={"If-Match": '"1"'}),
        await client.put(made, json=TASK, headers={"If-Match": '"1"'}),
        await client.delete(made, headers={"If-Match": '"1"'}),
    ):
        problem(answer, 412, "stale_version")
    assert (await client.get(made)).json() == first.json()


@pytest.mark.parametrize(
    "tag",
    [
        "1",
        'w/"1"',
        '"1-tar"',
        '"1--"',
        '"01"',
        '"x"',
        '""',
        '"',
        ",",
        '"1',
        '"9999999999999999999999"',
        '"-1"',
    ],
)
async def test_c34_what_is_no_tag_of_ours_matches_nothing(
    client: httpx.AsyncClient, made: str, tag: str
) -> None:
    answer = await client.request("PATCH", made, json={"title": "x"}, headers={"If-Match": tag})

    problem(answer, 412, "stale_version")


@pytest.mark.parametrize(
    "tag",
    ["*", ' "1" ', '"7", "1"', '"x","1"', 'W/"1"', '"1-gzip"', '"1--gzip"', '"1;gzip"', 'W/"1-br"'],
)
async def test_c34_any_tag_may_be_the_right_one(
    client: httpx.AsyncClient, made: str, tag: str
) -> None:
    answer = await client.request("PATCH", made, json={"title": "x"}, headers={"If-Match": tag})

    assert answer.status_code == 200


async def test_c34_of_a_hundred_changes_to_one_version_one_is_made(
    client: httpx.AsyncClient, made: str
) -> None:
    answers = await asyncio.gather(
        *(
            client.request("PATCH", made, json={"title": f"title {n}"}, headers={"If-Match": '"1"'})
            for n in range(100)
        )
    )

    assert sorted(answer.status_code for answer in answers) == [200] + [412] * 99


async def test_c34_of_a_hundred_changes_without_a_version_none_is_lost(
    client: httpx.AsyncClient, made: str
) -> None:
    answers = await asyncio.gather(
        *(client.request("PATCH", made, json={"title": f"title {n}"}) for n in range(100))
    )

    assert sorted(answer.json()["version"] for answer in answers) == list(range(2, 102))


# ---------------------------------------------------------------- injection


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "javascript:alert(1)",
        '"><img src=x onerror=alert(1)>',
        "\u202egnp.exe",
        "=HYPERLINK()",
    ],
)
@pytest.mark.usefixtures("fixture")
async def test_c37_what_users_write_is_never_run(client: httpx.AsyncClient, text: str) -> None:
    made = await client.post("/tasks", json=TASK | {"title": text, "description": text})
    page = await client.get("/tasks", headers={"Accept": "text/html,*/*;q=0.8"})

    assert made.json()["title"] == page.json()["data"][0]["description"] == text
    for answer in (made, page):
        assert answer.headers["content-type"] == "application/json"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["content-security-policy"].startswith("default-src 'none'")


@pytest.mark.parametrize("forged", ["\r\n[error] all is lost", "\x1b[31m", "\u2028", "\u202e"])
async def test_c39_nothing_of_a_task_forges_a_line_of_the_log(
    fixture: HttpFixture, forged: str
) -> None:
    fixture.github.failure = SourceUnavailable("500")
    with structlog.testing.capture_logs() as events:
        answer = await fixture.client.post("/tasks", json=TASK | {"title": f"a title{forged}"})

    assert answer.status_code == 201
    answers: list[MutableMapping[str, Any]] = list(events)
    assert [event["event"] for event in answers] == ["request"]
    assert forged not in repr(answers)
