"""GitHub: what is read of its answers, what its failures come to, and who gets the token."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import timedelta
from gzip import compress
from typing import Any

import pytest

from adapters.memory.database import MemoryDatabase
from adapters.memory.tasks import MemoryKnownRepositories
from adapters.outbound.github import LONGEST_TEXT
from application.tasks.repository_lookup import RepositoryLookup
from domain.errors import (
    SourceBlocked,
    SourceError,
    SourceRefused,
    SourceTimedOut,
    SourceUnavailable,
    UnexpectedContent,
)
from domain.fields import INT64_MAX
from domain.politeness import Rate
from domain.repositories import LookupResult, RepoFacts
from tests.adapters.outbound.github_server import HTTPX, GitHubStage, Reply, github, telling

FACTS = RepoFacts("A next generation HTTP client", 13000, "Python")


@pytest.fixture
async def stage() -> AsyncIterator[GitHubStage]:
    """GitHub, and nobody with a token."""
    async with github() as stage:
        yield stage


# ---------------------------------------------------------------- answers


async def test_a_repository_is_read_with_its_validator(stage: GitHubStage) -> None:
    stage.says(telling(HTTPX, ETag='W/"abc"'))

    told = await stage.lookup()

    assert told == LookupResult(FACTS, 'W/"abc"')
    [asked] = stage.server.asked
    assert asked.path == "/repos/encode/httpx"
    assert asked.headers["accept"] == "application/vnd.github+json"
    assert asked.headers["user-agent"].startswith("catchment/")
    assert "authorization" not in asked.headers
    assert "if-none-match" not in asked.headers


async def test_what_may_be_missing_may_be_missing(stage: GitHubStage) -> None:
    stage.says(telling({"stargazers_count": 0, "description": None}))

    assert await stage.lookup() == LookupResult(RepoFacts(None, 0, None))


async def test_what_is_known_is_asked_for_conditionally(stage: GitHubStage) -> None:
    known = LookupResult(FACTS, '"abc"')
    stage.says(Reply(304, {"ETag": '"abc"'}))

    assert await stage.lookup(known=known) is known
    assert stage.server.asked[0].headers["if-none-match"] == '"abc"'
    assert (stage.traffic.requests, stage.traffic.not_modified) == (1, 1)


async def test_a_change_is_reported(stage: GitHubStage) -> None:
    stage.says(telling({**HTTPX, "stargazers_count": 13001}, ETag='"new"'))

    told = await stage.lookup(known=LookupResult(FACTS, '"old"'))

    assert told == LookupResult(RepoFacts(FACTS.description, 13001, "Python"), '"new"')


@pytest.mark.parametrize("status", [404, 410, 451])
async def test_an_invisible_repository_is_a_result(stage: GitHubStage, status: int) -> None:
    stage.says(Reply(status, {}, b'{"message": "Not Found"}'))

    assert await stage.lookup() == LookupResult(None)
    assert len(stage.server.asked) == 1


async def test_a_repository_that_was_renamed_is_followed_on_the_same_host(
    stage: GitHubStage,
) -> None:
    stage.says(Reply(301, {"Location": f"{stage.server.url}/repositories/7"}))
    stage.server.replies["/repositories/7"] = [telling(HTTPX, ETag='"7"')]

    told = await stage.lookup(known=LookupResult(FACTS, '"abc"'))

    assert told == LookupResult(FACTS, '"7"', f"{stage.server.url}/repositories/7")
    assert stage.validators() == [("/repos/encode/httpx", '"abc"'), ("/repositories/7", None)]


async def test_a_validator_goes_where_it_came_from_behind_a_redirect_too(
    stage: GitHubStage,
) -> None:
    stage.says(Reply(301, {"Location": "/repositories/7"}))
    stage.server.replies["/repositories/7"] = [
        telling(HTTPX, ETag='"7"'),
        Reply(304, {"ETag": '"7"'}),
    ]

    told = await stage.lookup()
    again = await stage.lookup(known=told)

    assert again is told
    assert (stage.traffic.requests, stage.traffic.not_modified) == (4, 1)
    assert stage.validators()[2:] == [("/repos/encode/httpx", None), ("/repositories/7", '"7"')]


async def test_a_new_repository_of_the_old_name_is_not_asked_for_by_the_other_s_validator(
    stage: GitHubStage,
) -> None:
    moved = LookupResult(FACTS, '"7"', f"{stage.server.url}/repositories/7")
    stage.says(telling({**HTTPX, "stargazers_count": 1}, ETag='"8"'))

    told = await stage.lookup(known=moved)

    assert told == LookupResult(RepoFacts(FACTS.description, 1, "Python"), '"8"')
    assert stage.validators() == [("/repos/encode/httpx", None)]


async def test_texts_no_store_can_keep_are_made_fit(stage: GitHubStage) -> None:
    stage.says(telling({**HTTPX, "description": "a\0b" + "x" * 5000, "language": "\0"}))

    told = await stage.lookup()

    assert told.facts is not None
    assert told.facts.description == ("a\ufffdb" + "x" * 5000)[:LONGEST_TEXT]
    assert told.facts.language == "\ufffd"


# ---------------------------------------------------------------- failures


@pytest.mark.parametrize(
    "body",
    [
        b"<html>",
        b"",
        b"[]",
        b"null",
        b"{}",
        b'{"stargazers_count": "many"}',
        b'{"stargazers_count": -1}',
        b'{"stargazers_count": NaN}',
        b'{"stargazers_count": 1.5}',
        b'{"stargazers_count": %d}' % (INT64_MAX + 1),
        b'{"stargazers_count": 1, "description": 7}',
        b'{"stargazers_count": 1, "description": "\xff"}',
        b'{"stargazers_count": 1, "description": "\\ud800"}',
        b'{"stargazers_count": 1',
        b'{"stargazers_count": 1, "owner": ' + b"[" * 50_000,
    ],
)
async def test_garbage_is_no_repository(stage: GitHubStage, body: bytes) -> None:
    stage.says(Reply(200, {"Content-Type": "application/json"}, body))

    with pytest.raises(UnexpectedContent):
        await stage.lookup()


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (Reply(500), SourceUnavailable),
        (Reply(502), SourceUnavailable),
        (Reply(503), SourceUnavailable),
        (Reply(501), SourceUnavailable),
        (Reply(401), SourceRefused),
        (Reply(403), SourceRefused),
        (Reply(429), SourceBlocked),
        (Reply(204), UnexpectedContent),
        (Reply(304), UnexpectedContent),
        (Reply(301, {"Location": "http://elsewhere.example/"}), SourceRefused),
        ("hang", SourceTimedOut),
    ],
)
async def test_every_failure_is_reported(reply: Reply | str, error: type[SourceError]) -> None:
    async with github(patience_s=0.05) as stage:
        stage.says(reply)

        with pytest.raises(error):
            await stage.lookup()


@pytest.mark.parametrize("status", [403, 429])
async def test_at_github_s_limit_no_request_is_sent_before_its_reset(
    stage: GitHubStage, status: int
) -> None:
    reset = stage.later(1800)
    spent = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": f"{reset.timestamp():.0f}"}
    stage.says(Reply(status, spent))

    with pytest.raises(SourceBlocked) as blocked:
        await stage.lookup()
    with pytest.raises(SourceBlocked) as again:
        await stage.lookup("another/one")

    assert blocked.value.retry_at == again.value.retry_at == reset
    assert len(stage.server.asked) == 1


async def test_the_last_request_that_is_allowed_is_answered_and_the_next_one_waits(
    stage: GitHubStage,
) -> None:
    reset = stage.later(1800)
    spent = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": f"{reset.timestamp():.0f}"}
    stage.says(telling(HTTPX, **spent))

    first = await stage.lookup()
    with pytest.raises(SourceBlocked) as blocked:
        await stage.lookup("another/one")

    assert first.facts == FACTS
    assert blocked.value.retry_at == reset
    assert len(stage.server.asked) == 1


async def test_what_is_left_of_the_limit_may_be_used(stage: GitHubStage) -> None:
    left = {"X-RateLimit-Remaining": "1", "X-RateLimit-Reset": "99999999999"}
    stage.says(telling(HTTPX, **left))

    assert await stage.lookup() == await stage.lookup()


async def test_a_retry_after_is_obeyed(stage: GitHubStage) -> None:
    stage.says(Reply(403, {"Retry-After": "60"}), telling(HTTPX))

    with pytest.raises(SourceBlocked) as blocked:
        await stage.lookup(seconds=30)

    assert blocked.value.retry_at == stage.later(60)
    assert len(stage.server.asked) == 1


SECONDARY = b'{"message": "You have exceeded a secondary rate limit. Please wait."}'


@pytest.mark.parametrize(
    ("reply", "code", "seconds"),
    [
        (Reply(401, {}, b'{"message": "Bad credentials"}'), "source_refused", 600),
        (Reply(403, {}, SECONDARY), "source_blocked", 60),
        (Reply(403, {"Content-Encoding": "gzip"}, compress(SECONDARY)), "source_blocked", 60),
        (Reply(403, {"Retry-After": "0"}, SECONDARY), "source_blocked", 60),
        (Reply(403, {"X-RateLimit-Remaining": "0"}), "source_blocked", 60),
        (Reply(429), "source_blocked", 60),
        (Reply(429, {"Retry-After": "soon"}), "source_blocked", 60),
    ],
)
async def test_a_refusal_of_the_caller_blocks_the_host_for_a_while(
    stage: GitHubStage, reply: Reply, code: str, seconds: float
) -> None:
    errors: list[SourceError] = []
    for number in range(24):
        stage.says(reply, name=f"a/{number}")
        with pytest.raises(SourceError) as refused:
            await stage.lookup(f"a/{number}")
        errors.append(refused.value)
    asked = len(stage.server.asked)
    stage.clock.advance(seconds)
    stage.says(telling(HTTPX))

    assert (await stage.lookup()).facts == FACTS
    assert asked == 1
    assert {error.retry_at for error in errors} == {stage.later(0)}
    assert [error.code for error in errors] == [code] + ["source_blocked"] * 23


@pytest.mark.parametrize(
    "reply",
    [Reply(403, {}, b'{"message": "Repository access blocked"}'), Reply(404), Reply(451)],
)
async def test_a_refusal_of_one_repository_is_not_the_others(
    stage: GitHubStage, reply: Reply
) -> None:
    stage.says(reply, name="a/secret")
    stage.says(telling(HTTPX))

    with contextlib.suppress(SourceRefused):
        await stage.lookup("a/secret")

    assert (await stage.lookup()).facts == FACTS


async def test_sixty_an_hour_are_never_more() -> None:
    async with github(rate=Rate(60, 3600.0)) as stage:
        stage.says(telling(HTTPX))
        until = stage.later(3600)
        while stage.clock.now() < until:
            try:
                await stage.lookup(seconds=30)
            except SourceBlocked as blocked:
                stage.clock.advance((blocked.retry_at or until) - stage.clock.now())

        assert 50 <= len(stage.server.asked) <= 60


# ---------------------------------------------------------------- the token


async def test_a_token_is_sent_also_where_the_same_host_sends_us() -> None:
    async with github(token="a-token") as stage:
        stage.says(Reply(301, {"Location": "/repositories/7"}))
        stage.server.replies["/repositories/7"] = [telling(HTTPX)]

        await stage.lookup()

        assert [asked.headers["authorization"] for asked in stage.server.asked] == [
            "Bearer a-token",
            "Bearer a-token",
        ]


async def test_a_token_is_sent_to_no_other_host() -> None:
    async with github(token="a-token") as stage, github() as other:
        stage.says(Reply(302, {"Location": f"{other.server.url}/repos/encode/httpx"}))
        other.says(telling(HTTPX))

        with pytest.raises(SourceRefused) as refused:
            await stage.lookup()

        assert refused.value.code == "redirect_refused"
        assert other.server.asked == []


@pytest.mark.parametrize("reply", [Reply(401), Reply(500), Reply(200, {}, b"a-token")])
async def test_no_error_contains_the_token(reply: Reply) -> None:
    async with github(token="a-token") as stage:
        stage.says(reply)

        with pytest.raises(SourceError) as failed:
            await stage.lookup()

        error: BaseException | None = failed.value
        while error is not None:
            assert "a-token" not in f"{error} {error!r}"
            error = error.__cause__


async def test_u43_a_token_that_is_sent_back_is_not_kept() -> None:
    async with github(token="a-token") as stage:
        echo = {**HTTPX, "description": "Bearer a-token sent this", "language": "a-token"}
        stage.says(telling(echo, ETag='"a-token"'))

        told = await stage.lookup()

        assert told == LookupResult(RepoFacts("Bearer *** sent this", 13000, "***"), None)


async def test_u43_a_token_in_an_address_is_not_kept_either() -> None:
    async with github(token="a-token") as stage:
        stage.says(Reply(301, {"Location": "/repositories/7?by=a-token"}))
        stage.server.replies["/repositories/7?by=a-token"] = [telling(HTTPX, ETag='"7"')]

        assert await stage.lookup() == LookupResult(FACTS)


# ---------------------------------------------------------------- a caller who leaves


async def test_a_caller_who_leaves_spoils_nothing() -> None:
    async with github(patience_s=0.05) as stage:
        stage.says("hang", name="a/silent")
        stage.says(telling(HTTPX))
        known = MemoryKnownRepositories(MemoryDatabase())
        repository_lookup = RepositoryLookup(stage.repositories, known, stage.clock, timedelta(0))

        async def leave() -> None:
            looking = asyncio.create_task(
                repository_lookup("a/silent", stage.later(60), stage.traffic)
            )
            while not stage.server.asked:
                await asyncio.sleep(0)
            looking.cancel()
            await asyncio.wait([looking])

        await asyncio.gather(*(leave() for _ in range(50)))
        answers: list[Any] = [
            await repository_lookup("encode/httpx", stage.later(60), stage.traffic)
            for _ in range(20)
        ]
        await repository_lookup.close()

        assert {answer.result.facts for answer in answers} == {FACTS}
