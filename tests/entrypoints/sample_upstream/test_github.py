"""The sample upstream as GitHub: facts, quotas, tokens, names, and failures."""

import asyncio
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from entrypoints.sample_upstream import SampleUpstream
from tests.entrypoints.sample_upstream.raw_http import Connect

LITESTAR = "/repos/litestar-org/litestar"
NOON = datetime(2026, 3, 1, 12, 0, 0, 700_000, tzinfo=UTC)
RESET = int(datetime(2026, 3, 1, 13, 0, tzinfo=UTC).timestamp())
TOKEN = {"Authorization": "Bearer ghp_sample"}


def quota(answer: httpx.Response) -> tuple[int, int, int]:
    """Return limit, remaining and used, from the headers."""
    limit, remaining, used = (
        int(answer.headers[f"x-ratelimit-{name}"]) for name in ("limit", "remaining", "used")
    )
    return limit, remaining, used


async def test_returns_the_facts_of_a_repository(client: httpx.AsyncClient) -> None:
    answer = await client.get(LITESTAR)

    facts = answer.json()
    assert (facts["name"], facts["full_name"]) == ("litestar", "litestar-org/litestar")
    assert facts["owner"]["login"] == "litestar-org"
    assert facts["description"] == "Light, flexible and extensible ASGI framework | Built to scale"
    assert (facts["stargazers_count"], facts["language"]) == (7600, "Python")
    assert facts["html_url"] == "https://github.com/litestar-org/litestar"
    assert (facts["archived"], facts["private"]) == (False, False)
    assert isinstance(facts["id"], int)


@pytest.mark.parametrize(
    "name", ["encode/httpx", "sqlalchemy/sqlalchemy", "jcrist/msgspec", "python/cpython"]
)
async def test_knows_repositories_people_know(client: httpx.AsyncClient, name: str) -> None:
    assert (await client.get(f"/repos/{name}")).json()["full_name"] == name


async def test_a_repository_may_have_neither_description_nor_language(
    client: httpx.AsyncClient,
) -> None:
    facts = (await client.get("/repos/octocat/test-repo1")).json()

    assert (facts["description"], facts["language"]) == (None, None)


async def test_a_name_is_known_in_any_case(client: httpx.AsyncClient) -> None:
    answer = await client.get("/repos/Litestar-Org/LITESTAR")

    assert answer.json()["full_name"] == "litestar-org/litestar"


async def test_an_unknown_repository_is_not_found(client: httpx.AsyncClient) -> None:
    answer = await client.get("/repos/nobody/nothing")

    assert (answer.status_code, answer.json()["message"]) == (404, "Not Found")
    assert quota(answer) == (60, 59, 1)


async def test_a_repository_can_be_added_and_changed(
    client: httpx.AsyncClient, upstream: SampleUpstream
) -> None:
    upstream.set_repository("Acme/Rocket", description="Flies", stars=3, language="Zig")
    first = await client.get("/repos/acme/rocket")
    upstream.set_repository("Acme/Rocket", stars=4)

    known = {"If-None-Match": first.headers["etag"]}
    second = await client.get("/repos/acme/rocket", headers=known)

    told = [
        [answer.json()[name] for name in ("full_name", "description", "stargazers_count")]
        for answer in (first, second)
    ]
    assert told == [["Acme/Rocket", "Flies", 3], ["Acme/Rocket", None, 4]]


async def test_a_renamed_repository_has_moved(client: httpx.AsyncClient) -> None:
    moved = await client.get("/repos/octocat/old-name")

    followed = await client.get(moved.headers["location"])

    assert (moved.status_code, moved.json()["message"]) == (301, "Moved Permanently")
    assert httpx.URL(moved.headers["location"]).path == "/repos/octocat/hello-world"
    assert followed.json()["full_name"] == "octocat/hello-world"


async def test_a_304_costs_no_quota(client: httpx.AsyncClient) -> None:
    first = await client.get(LITESTAR)

    again = await client.get(LITESTAR, headers={"If-None-Match": first.headers["etag"]})

    assert first.headers["etag"].startswith('"')
    assert (again.status_code, again.content) == (304, b"")
    assert quota(first) == quota(again) == (60, 59, 1)


async def test_an_hour_has_sixty_requests_and_the_next_hour_again(
    client: httpx.AsyncClient, upstream: SampleUpstream
) -> None:
    upstream.now = lambda: NOON
    allowed = [await client.get(LITESTAR) for _ in range(60)]
    refused = await client.get(LITESTAR)
    upstream.now = lambda: datetime.fromtimestamp(RESET, UTC)

    later = await client.get(LITESTAR)

    assert {answer.status_code for answer in allowed} == {200}
    assert quota(allowed[-1]) == (60, 0, 60)
    assert refused.status_code == 403
    assert refused.json()["message"].startswith("API rate limit exceeded")
    assert refused.json()["documentation_url"].startswith("https://docs.github.com/")
    assert quota(refused) == (60, 0, 60)
    assert int(refused.headers["x-ratelimit-reset"]) == RESET
    assert refused.headers["x-ratelimit-resource"] == "core"
    assert (later.status_code, quota(later)) == (200, (60, 59, 1))


async def test_the_hour_begins_with_the_first_request(
    client: httpx.AsyncClient, upstream: SampleUpstream
) -> None:
    upstream.now = lambda: NOON
    await client.get(LITESTAR)
    upstream.now = lambda: NOON + timedelta(minutes=59)

    answer = await client.get(LITESTAR)

    assert int(answer.headers["x-ratelimit-reset"]) == RESET
    assert quota(answer) == (60, 58, 2)


async def test_the_quota_can_be_steered(
    client: httpx.AsyncClient, upstream: SampleUpstream
) -> None:
    upstream.github_limit = 0
    spent = await client.get(LITESTAR)
    upstream.github_limit = 2

    left = await client.get(LITESTAR)

    assert (spent.status_code, quota(spent)) == (403, (0, 0, 0))
    assert (left.status_code, quota(left)) == (200, (2, 1, 1))


async def test_a_token_has_a_larger_quota_of_its_own(
    client: httpx.AsyncClient, upstream: SampleUpstream
) -> None:
    upstream.github_limit = 0

    answers = [await client.get(LITESTAR, headers=TOKEN) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [200, 200]
    assert quota(answers[1]) == (5000, 4998, 2)
    assert answers[0].headers["cache-control"].startswith("private")


async def test_a_bad_token_is_refused(client: httpx.AsyncClient) -> None:
    answer = await client.get(LITESTAR, headers={"Authorization": "Bearer bad"})

    assert (answer.status_code, answer.json()["message"]) == (401, "Bad credentials")
    assert quota(answer)[0] == 60


async def test_who_names_no_agent_is_refused(connect: Connect, upstream: SampleUpstream) -> None:
    reader, _ = await connect(upstream.url(LITESTAR))

    assert (await reader.readline()) == b"HTTP/1.1 403 Forbidden\r\n"


@pytest.mark.parametrize(
    ("failure", "retry_after"), [(500, None), (503, None), (429, "60"), (403, "60")]
)
async def test_can_fail_with_a_status_until_reset(
    client: httpx.AsyncClient, upstream: SampleUpstream, failure: int, retry_after: str | None
) -> None:
    upstream.github_failure = failure
    failed = [await client.get(LITESTAR) for _ in range(2)]
    upstream.github_failure = None

    answer = await client.get(LITESTAR)

    assert [one.status_code for one in failed] == [failure] * 2
    assert failed[0].headers.get("retry-after") == retry_after
    assert failed[0].json()["documentation_url"].startswith("https://docs.github.com/")
    assert (answer.status_code, quota(answer)) == (200, (60, 59, 1))


async def test_can_answer_with_what_is_no_json(
    client: httpx.AsyncClient, upstream: SampleUpstream
) -> None:
    upstream.github_failure = "garbage"

    answer = await client.get(LITESTAR)

    assert (answer.status_code, quota(answer)) == (200, (60, 60, 0))
    with pytest.raises(ValueError, match="Expecting value"):
        answer.json()


async def test_can_hang(connect: Connect, upstream: SampleUpstream) -> None:
    upstream.github_failure = "hang"
    reader, _ = await connect(upstream.url(LITESTAR), "User-Agent: test")

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(reader.read(1), 0.05)
    assert upstream.requests[0].status is None
