"""Problems: every error as `application/problem+json`, without internal details."""

from collections.abc import MutableMapping
from typing import Any

import httpx
import pytest

from adapters.http.protocol.problems import ECHO, PROBLEM_CODES
from domain.errors import CatchmentError, QueryTooSlow, StoreFull, StoreUnavailable
from tests.adapters.http.asgi import Conversation
from tests.adapters.http.http_fixture import HttpFixture, problem

SECRET_WORDS = "SELECT password FROM /var/lib/catchment.db"

REQUESTS = [
    ("GET", "/data", 200),
    ("HEAD", "/data", 200),
    ("GET", "/data?format=csv", 200),
    ("GET", "/data/posts/1", 200),
    ("GET", "/data/posts/0", 404),
    ("GET", "/data?x=1", 400),
    ("POST", "/data", 405),
    ("POST", "/fetch/comments", 404),
    ("GET", "/fetch", 405),
    ("GET", "/fetch/jobs", 200),
    ("POST", "/fetch/jobs", 405),
    ("GET", "/fetch/status/nobody", 404),
    ("DELETE", "/fetch/status/nobody", 401),
    ("GET", "/", 200),
    ("GET", "/datasets", 200),
    ("GET", "/health", 200),
    ("GET", "/health/live", 200),
    ("GET", "/health/ready", 200),
    ("GET", "/openapi.json", 200),
    ("GET", "/docs", 200),
    ("GET", "/docs/problems", 200),
    ("GET", "/docs/nothing", 404),
    ("GET", "/redoc", 308),
    ("POST", "/docs", 405),
    ("GET", "/nothing", 404),
]
FETCHES = [
    ("POST", "/fetch", 200),
    ("POST", "/fetch?mode=task", 202),
    ("POST", "/fetch/gauges?mode=task", 200),
]


# ---------------------------------------------------------------- every answer


async def ask_sealed(client: httpx.AsyncClient, method: str, path: str, status: int) -> None:
    """Send a request without and with an identifier, and check what every answer has."""
    answer = await client.request(method, path)
    named = await client.request(method, path, headers={"X-Request-ID": "A.b_c:D-9"})

    assert answer.status_code == status
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert answer.headers.get_list("x-request-id") == [answer.headers["x-request-id"]]
    assert "server" not in answer.headers
    assert "access-control-allow-origin" not in answer.headers
    assert named.headers.get_list("x-request-id") == ["A.b_c:D-9"]


@pytest.mark.parametrize(("method", "path", "status"), REQUESTS)
async def test_every_answer_is_sealed(
    client: httpx.AsyncClient, method: str, path: str, status: int
) -> None:
    await ask_sealed(client, method, path, status)


@pytest.mark.parametrize(("method", "path", "status"), FETCHES)
async def test_the_answer_to_a_fetch_is_sealed_too(
    fixture: HttpFixture, method: str, path: str, status: int
) -> None:
    await ask_sealed(fixture.client, method, path, status)


@pytest.mark.parametrize("given", ["abc-123", "a" * 64, "A.b_c:D-9"])
async def test_a_sane_request_id_comes_back(client: httpx.AsyncClient, given: str) -> None:
    answer = await client.get("/data", headers={"X-Request-ID": given})

    assert answer.headers["x-request-id"] == given


@pytest.mark.parametrize(
    "given", ["", "a" * 65, "a b", "é", "<script>", "a\tb", "a,b", "{{7*7}}", "\x1b[31m"]
)
async def test_any_other_request_id_is_replaced(shared: HttpFixture, given: str) -> None:
    conversation = Conversation(shared.app)

    await conversation.get("/data", {"x-request-id": given})

    assert len(conversation.headers["x-request-id"]) == 32
    assert given == "" or given.encode("latin-1") not in conversation.body


async def test_requests_without_an_id_get_different_ones(client: httpx.AsyncClient) -> None:
    seen = {(await client.get("/health/live")).headers["x-request-id"] for _ in range(20)}

    assert len(seen) == 20


# ---------------------------------------------------------------- unknown routes


@pytest.mark.parametrize(
    "path", ["/nothing", "/data-", "/dat", "/fetch/posts/1", "/health/dead", "/docs/x/y", "/.env"]
)
async def test_an_unknown_path_is_a_problem(client: httpx.AsyncClient, path: str) -> None:
    problem(await client.get(path), 404, "not_found")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("POST", "/data", {"GET", "HEAD", "OPTIONS"}),
        ("DELETE", "/data/posts/1", {"GET", "HEAD", "OPTIONS"}),
        ("PUT", "/data/comments", {"GET", "HEAD", "OPTIONS"}),
        ("GET", "/fetch", {"POST", "OPTIONS"}),
        ("GET", "/fetch/posts", {"POST", "OPTIONS"}),
        ("POST", "/fetch/jobs", {"GET", "HEAD", "OPTIONS"}),
        ("PUT", "/fetch/status/1", {"GET", "HEAD", "DELETE", "OPTIONS"}),
        ("POST", "/", {"GET", "HEAD", "OPTIONS"}),
        ("PATCH", "/datasets", {"GET", "HEAD", "OPTIONS"}),
        ("POST", "/health", {"GET", "HEAD", "OPTIONS"}),
        ("POST", "/openapi.json", {"GET", "HEAD", "OPTIONS"}),
        ("DELETE", "/redoc", {"GET", "HEAD", "OPTIONS"}),
    ],
)
async def test_a_wrong_method_is_a_problem_that_names_the_right_ones(
    client: httpx.AsyncClient, method: str, path: str, allowed: set[str]
) -> None:
    answer = await client.request(method, path)

    problem(answer, 405, "method_not_allowed")
    assert set(answer.headers["allow"].split(", ")) == allowed


# ---------------------------------------------------------------- internal errors


@pytest.mark.parametrize("path", ["/data", "/data/posts/1", "/data?format=csv", "/", "/datasets"])
async def test_an_unexpected_error_is_a_500_without_details(
    fixture: HttpFixture, logged: list[MutableMapping[str, Any]], path: str
) -> None:
    fixture.broken.failure = RuntimeError(SECRET_WORDS)

    answer = await fixture.client.get(path)

    body = problem(answer, 500, "internal_error")
    assert not any(word in answer.text for word in (*SECRET_WORDS.split(), "Runtime", "Traceback"))
    [event] = logged
    assert event["request_id"] == body["request_id"]
    assert event["log_level"] == "error"


async def test_a_fetch_that_breaks_is_a_500_without_details(fixture: HttpFixture) -> None:
    fixture.clock.advance(3600)
    fixture.broken_intakes.failure = RuntimeError(SECRET_WORDS)

    answer = await fixture.client.post("/fetch")

    problem(answer, 500, "internal_error")
    assert "password" not in answer.text


@pytest.mark.parametrize(
    ("failure", "status"),
    [
        (StoreUnavailable("the database is busy"), 503),
        (QueryTooSlow("this took too long"), 503),
        (StoreFull("there is no room left"), 507),
    ],
)
@pytest.mark.parametrize("path", ["/data", "/data/posts/1", "/data?format=csv", "/", "/datasets"])
async def test_a_failing_store_has_its_own_problems(
    fixture: HttpFixture, path: str, failure: CatchmentError, status: int
) -> None:
    fixture.broken.failure = failure

    answer = await fixture.client.get(path)

    assert problem(answer, status, failure.code)["detail"] == failure.detail
    assert answer.headers.get("retry-after") == ("5" if status == 503 else None)


@pytest.mark.parametrize(
    ("failure", "status"),
    [(StoreUnavailable("the database is busy"), 503), (StoreFull("there is no room left"), 507)],
)
async def test_a_fetch_that_cannot_write_says_why_and_reads_go_on(
    fixture: HttpFixture, failure: CatchmentError, status: int
) -> None:
    fixture.clock.advance(3600)
    fixture.broken_intakes.failure = failure

    fetched = await fixture.client.post("/fetch")
    read = await fixture.client.get("/data")

    problem(fetched, status, failure.code)
    assert read.json()["count"] == 100


# ---------------------------------------------------------------- text of the caller


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/data?{}=1"),
        ("GET", "/data?user_id={}"),
        ("GET", "/data?user_id__{}=1"),
        ("GET", "/data?sort={}"),
        ("GET", "/data?fields={}"),
        ("GET", "/data?format={}"),
        ("GET", "/data?count={}"),
        ("GET", "/data?cursor={}"),
        ("GET", "/data/{}"),
        ("GET", "/data/posts/{}"),
        ("GET", "/data/posts/1?{}=1"),
        ("GET", "/{}"),
        ("GET", "/docs/{}"),
        ("GET", "/health?{}=1"),
        ("POST", "/fetch?{}=1"),
        ("POST", "/fetch?mode={}"),
        ("POST", "/fetch?force={}"),
        ("POST", "/fetch/{}"),
        ("GET", "/fetch/jobs?{}=1"),
        ("GET", "/fetch/jobs?dataset={}"),
        ("GET", "/fetch/jobs?status={}"),
        ("GET", "/fetch/jobs?limit={}"),
        ("GET", "/fetch/jobs?cursor={}"),
        ("GET", "/fetch/status/{}"),
        ("DELETE", "/fetch/status/{}"),
    ],
)
async def test_no_more_than_200_characters_of_the_caller_s_text_come_back(
    client: httpx.AsyncClient, method: str, path: str
) -> None:
    answer = await client.request(method, path.format("y" * 3000))

    assert 400 <= answer.status_code < 500
    assert "y" * (ECHO + 1) not in answer.text


async def test_a_field_of_a_body_is_echoed_with_care_too(client: httpx.AsyncClient) -> None:
    answer = await client.post("/fetch", json={"y" * 3000: 1})

    assert answer.status_code == 422
    assert "y" * (ECHO + 1) not in answer.text


async def test_a_key_that_is_none_is_not_echoed(client: httpx.AsyncClient) -> None:
    answer = await client.post("/fetch", headers={"Idempotency-Key": "y" * 3000})

    assert answer.status_code == 400
    assert "yy" not in answer.text


async def test_a_problem_without_a_parameter_names_none(client: httpx.AsyncClient) -> None:
    answer = await client.get("/data?%ff=1")

    assert "errors" not in problem(answer, 400, "malformed_query")


async def test_every_code_is_documented_under_the_address_problems_point_to(
    client: httpx.AsyncClient,
) -> None:
    page = await client.get("/docs/problems")

    for code in PROBLEM_CODES:
        assert f'id="{code}"' in page.text
