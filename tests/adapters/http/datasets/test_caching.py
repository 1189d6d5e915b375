"""Caching: ETags, conditional requests, and how long answers may be kept."""

from datetime import timedelta

import httpx
import pytest

from domain.dataset import Role
from domain.filters import Operator
from domain.politeness import Cadence
from tests.adapters.http.asgi import Conversation
from tests.adapters.http.http_fixture import (
    POSTS,
    HttpFixture,
    gauge,
    gauges_dataset,
    only,
    posts,
    problem,
)


async def etag_of(client: httpx.AsyncClient, path: str, **headers: str) -> str:
    """Return the ETag of an answer."""
    answer = await client.get(path, headers=headers)
    assert answer.status_code == 200, answer.text
    return str(answer.headers["etag"])


async def revalidated(client: httpx.AsyncClient, path: str, known: str, method: str = "GET") -> int:
    """Return the status of the answer to a client that has these ETags."""
    answer = await client.request(method, path, headers={"If-None-Match": known})
    return answer.status_code


# ---------------------------------------------------------------- tags


@pytest.mark.parametrize(
    "path", ["/data", "/data?limit=3&sort=-id", "/data/posts/1", "/data?format=csv"]
)
async def test_a_client_with_the_current_answer_gets_a_304(shared: HttpFixture, path: str) -> None:
    first = await shared.client.get(path)
    reads = shared.broken.pages

    second = await shared.client.get(path, headers={"If-None-Match": first.headers["etag"]})

    assert second.status_code == 304
    assert second.content == b""
    assert shared.broken.pages == reads
    for name in ("etag", "cache-control", "vary", "age"):
        assert second.headers[name] == first.headers[name]


async def test_a_tag_is_weak_because_the_latency_differs_each_time(
    client: httpx.AsyncClient,
) -> None:
    assert (await etag_of(client, "/data")).startswith('W/"')


async def test_a_tag_holds_until_the_data_changes(fixture: HttpFixture) -> None:
    before = await etag_of(fixture.client, "/data")

    await fixture.bring(posts(100))
    unchanged = await etag_of(fixture.client, "/data")
    await fixture.bring([*posts(99), posts(1, first=7)[0]])
    same_records = await etag_of(fixture.client, "/data")
    await fixture.bring(posts(101))
    changed = await etag_of(fixture.client, "/data")

    assert before == unchanged == same_records
    assert changed != before
    assert await revalidated(fixture.client, "/data", before) == 200


async def test_another_dataset_s_change_leaves_a_tag_alone(fixture: HttpFixture) -> None:
    before = await etag_of(fixture.client, "/data/gauges")

    await fixture.bring(posts(101))

    assert await revalidated(fixture.client, "/data/gauges", before) == 304


async def test_a_tag_ends_when_staleness_flips(fixture: HttpFixture) -> None:
    before = await etag_of(fixture.client, "/data")

    fixture.clock.advance(timedelta(hours=1))

    assert await revalidated(fixture.client, "/data", before) == 200


@pytest.mark.parametrize(
    "other",
    [
        "/data?limit=50",
        "/data?offset=1",
        "/data?fields=id",
        "/data?sort=-id",
        "/data?user_id=1",
        "/data?count=exact",
        "/data?format=csv",
        "/data?format=ndjson",
        "/data/gauges",
        "/data/posts/1",
    ],
)
async def test_every_other_question_has_another_tag(client: httpx.AsyncClient, other: str) -> None:
    tag = await etag_of(client, "/data")

    assert await etag_of(client, other) != tag
    assert await revalidated(client, other, tag) == 200


async def test_the_next_page_has_another_tag(client: httpx.AsyncClient) -> None:
    first = await client.get("/data?limit=10")

    assert await etag_of(client, first.links["next"]["url"]) != first.headers["etag"]


async def test_the_accepted_representation_has_its_own_tag(client: httpx.AsyncClient) -> None:
    by_header = await etag_of(client, "/data", Accept="text/csv")

    assert by_header == await etag_of(client, "/data?format=csv")
    assert by_header != await etag_of(client, "/data")


@pytest.mark.parametrize(
    "same", ["/data?limit=100&sort=id", "/data?offset=0", "/data?format=json", "/data?count=none"]
)
async def test_the_same_question_in_other_words_has_the_same_tag(
    client: httpx.AsyncClient, same: str
) -> None:
    assert await etag_of(client, same) == await etag_of(client, "/data")


async def test_another_database_has_other_tags(client: httpx.AsyncClient) -> None:
    other = HttpFixture(database_id="another database")
    await other.bring(posts(100))

    assert await etag_of(other.client, "/data") != await etag_of(client, "/data")


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_tags_are_compared_weakly_and_may_be_many(
    client: httpx.AsyncClient, method: str
) -> None:
    tag = await etag_of(client, "/data")
    strong = tag.removeprefix("W/")

    for known in (strong, f'"other", {tag}', f'W/"a",{strong} ,"b"', "*"):
        assert await revalidated(client, "/data", known, method) == 304
    for known in ('"other"', strong.strip('"'), "", '"*"', f"X/{strong}", strong.upper()):
        assert await revalidated(client, "/data", known, method) == 200


async def test_tags_on_several_lines_are_all_looked_at(client: httpx.AsyncClient) -> None:
    tag = await etag_of(client, "/data")

    answer = await client.get(
        "/data", headers=[("If-None-Match", '"other"'), ("If-None-Match", tag)]
    )

    assert answer.status_code == 304


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/data/posts/9999", 404, "unknown_record"),
        ("/data/comments", 404, "unknown_dataset"),
        ("/data?colour=red", 400, "unknown_parameter"),
        ("/data?format=csv&offset=1", 400, "malformed_query"),
    ],
)
async def test_an_asterisk_does_not_make_something_out_of_nothing(
    client: httpx.AsyncClient, path: str, status: int, code: str
) -> None:
    answer = await client.get(path, headers={"If-None-Match": "*"})

    problem(answer, status, code)


async def test_an_asterisk_does_not_reveal_that_a_hidden_record_exists() -> None:
    dry = only(("state", Operator.EQ, "dry"))
    gauges = gauges_dataset(visible={Role.ANYONE: dry})
    fixture = HttpFixture(POSTS, gauges)
    await fixture.bring([gauge(1, state="wet")], gauges)

    answer = await fixture.client.get("/data/gauges/north/1", headers={"If-None-Match": "*"})

    problem(answer, 404, "unknown_record")


async def test_an_asterisk_does_not_excuse_a_cursor_of_another_question(
    client: httpx.AsyncClient,
) -> None:
    cursor = (await client.get("/data?limit=1")).json()["page"]["next_cursor"]

    answer = await client.get(f"/data?user_id=1&cursor={cursor}", headers={"If-None-Match": "*"})

    problem(answer, 400, "invalid_cursor")


# ---------------------------------------------------------------- headers


async def test_by_default_a_cache_must_ask_again(client: httpx.AsyncClient) -> None:
    answer = await client.get("/data")

    assert answer.headers["cache-control"] == "no-cache"


@pytest.mark.parametrize(
    ("passed_s", "expected"), [(0, "max-age=600"), (400, "max-age=439"), (838, "max-age=1")]
)
async def test_a_page_is_never_kept_past_the_next_planned_fetch(
    passed_s: int, expected: str
) -> None:
    fixture = HttpFixture(cache_max_age_s=600)
    await fixture.bring(posts(1))

    fixture.clock.advance(passed_s)
    answer = await fixture.client.get("/data")

    # The next fetch is planned when the data is 839 seconds old.
    assert answer.headers["cache-control"] == expected
    assert "age" not in answer.headers


@pytest.mark.parametrize("passed_s", [839, 1000, 100_000])
async def test_a_page_is_not_kept_when_the_planned_fetch_is_late(passed_s: int) -> None:
    fixture = HttpFixture(cache_max_age_s=600)
    await fixture.bring(posts(1))

    fixture.clock.advance(passed_s)
    answer = await fixture.client.get("/data")

    assert answer.headers["cache-control"] == "no-cache"


async def test_without_a_planned_fetch_a_page_is_kept_as_long_as_configured() -> None:
    fixture = HttpFixture(cache_max_age_s=600, cadence=Cadence())
    await fixture.bring(posts(1))

    answer = await fixture.client.get("/data/posts/1")

    assert answer.headers["cache-control"] == "max-age=600"


@pytest.mark.parametrize("path", ["/data", "/data/posts/1", "/data?format=csv"])
async def test_answers_differ_by_what_is_accepted_and_by_who_asks(
    client: httpx.AsyncClient, path: str
) -> None:
    answer = await client.get(path)

    assert answer.headers.get_list("vary") == ["Accept, Authorization, Accept-Encoding"]


async def test_age_is_the_seconds_since_the_last_fetch(fixture: HttpFixture) -> None:
    fixture.clock.advance(10.9)

    answer = await fixture.client.get("/data/gauges")

    assert answer.headers["age"] == "10"


# ---------------------------------------------------------------- HEAD


@pytest.mark.parametrize(
    "path", ["/data", "/data?limit=3", "/data/posts/1", "/data?format=csv", "/data?format=ndjson"]
)
async def test_head_answers_like_get_without_the_body(client: httpx.AsyncClient, path: str) -> None:
    get, head = await client.get(path), await client.head(path)

    assert head.status_code == 200
    assert head.content == b""
    varies = {"x-request-id", "content-length"}
    assert {**head.headers, **dict.fromkeys(varies)} == {**get.headers, **dict.fromkeys(varies)}


@pytest.mark.parametrize("path", ["/data", "/data/posts/1", "/data/posts/0", "/docs", "/health"])
async def test_not_one_byte_of_a_body_goes_out_to_head(shared: HttpFixture, path: str) -> None:
    conversation = Conversation(shared.app)

    await conversation.get(path, method="HEAD")

    assert conversation.finished
    assert conversation.body == b""
    assert int(conversation.headers["content-length"]) > 0


async def test_head_of_what_is_missing_is_the_same_error_without_the_body(
    client: httpx.AsyncClient,
) -> None:
    head = await client.head("/data/posts/9999")

    assert head.status_code == 404
    assert head.content == b""
    assert head.headers["content-type"] == "application/problem+json"


async def test_head_of_an_export_reads_no_records(fixture: HttpFixture) -> None:
    await fixture.client.head("/data?format=csv")

    assert fixture.broken.pages == 0


@pytest.mark.parametrize("path", ["/data", "/data/posts/1", "/data?format=csv"])
async def test_an_answer_to_a_token_is_for_its_asker_alone(fixture: HttpFixture, path: str) -> None:
    answer = await fixture.client.get(path, headers=await fixture.headers(Role.USER))

    assert answer.headers["cache-control"] == "private, no-cache"
    assert "Authorization" in answer.headers["vary"]
