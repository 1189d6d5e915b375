"""Paging by cursor: every record once, and only cursors that we issued."""

import base64

import httpx
import pytest

from tests.adapters.http.http_fixture import (
    GAUGES,
    HttpFixture,
    gauge,
    gauges_dataset,
    ids,
    parameter_of,
    posts,
    problem,
    walk,
)


async def cursor_of(client: httpx.AsyncClient, query: str) -> str:
    """Return the cursor of a first page."""
    answer = await client.get(query)
    return str(answer.json()["page"]["next_cursor"])


@pytest.mark.parametrize("query", ["", "sort=-user_id,title", "user_id=3", "user_id=99"])
async def test_following_the_links_shows_every_record_once_and_in_order(
    client: httpx.AsyncClient, query: str
) -> None:
    whole = await client.get(f"/data?{query}")

    pages = [page async for page in walk(client, f"/data?limit=7&{query}")]

    assert [record["id"] for page in pages for record in page["data"]] == ids(whole)
    assert [page["page"]["has_more"] for page in pages] == [True] * (len(pages) - 1) + [False]
    assert pages[-1]["page"]["next_cursor"] is None


async def test_a_walk_over_missing_values_ends(client: httpx.AsyncClient) -> None:
    pages = [page async for page in walk(client, "/data/gauges?limit=1&sort=-level")]

    assert [page["data"][0]["level"] for page in pages] == [2.5, 1.5, -3.0, None]


async def test_rows_that_come_meanwhile_cause_no_skip_and_no_repeat(fixture: HttpFixture) -> None:
    seen = []

    async for page in walk(fixture.client, "/data?limit=30&sort=-id"):
        seen += [record["id"] for record in page["data"]]
        await fixture.bring(posts(1, first=1000 + len(seen)))

    assert seen == list(range(100, 0, -1))


async def test_the_link_keeps_the_question_and_drops_the_offset(client: httpx.AsyncClient) -> None:
    answer = await client.get("/data/posts?title__contains=title%20&offset=5&limit=2&sort=-id")

    link = httpx.URL(answer.links["next"]["url"])
    assert link.path == "/data/posts"
    assert dict(link.params) == {
        "title__contains": "title ",
        "limit": "2",
        "sort": "-id",
        "cursor": answer.json()["page"]["next_cursor"],
    }
    assert ids(await client.get(link)) == [93, 92]


async def test_a_page_after_a_cursor_has_no_offset(client: httpx.AsyncClient) -> None:
    cursor = await cursor_of(client, "/data?limit=2&offset=5")

    answer = await client.get(f"/data?limit=2&cursor={cursor}")

    assert ids(answer) == [8, 9]
    assert answer.json()["page"]["offset"] == 0


async def test_the_limit_may_change_from_page_to_page(client: httpx.AsyncClient) -> None:
    cursor = await cursor_of(client, "/data?limit=2")

    answer = await client.get(f"/data?limit=5&cursor={cursor}")

    assert ids(answer) == [3, 4, 5, 6, 7]


async def test_the_fields_may_change_from_page_to_page(client: httpx.AsyncClient) -> None:
    cursor = await cursor_of(client, "/data?limit=2")

    answer = await client.get(f"/data?limit=1&fields=id&cursor={cursor}")

    assert answer.json()["data"] == [{"id": 3}]


async def test_the_same_question_asked_in_another_way_keeps_its_cursor(
    client: httpx.AsyncClient,
) -> None:
    cursor = await cursor_of(client, "/data?limit=2&user_id=1&id__gt=1")

    answer = await client.get(f"/data?id__gt=1&cursor={cursor}&user_id__eq=1&limit=2&sort=id")

    assert ids(answer) == [4, 5]


@pytest.mark.parametrize(
    "other", ["user_id=2", "user_id=1&id__gt=0", "user_id=1&sort=-id", "sort=id"]
)
async def test_a_cursor_of_another_query_is_refused(client: httpx.AsyncClient, other: str) -> None:
    cursor = await cursor_of(client, "/data?limit=2&user_id=1")

    answer = await client.get(f"/data?limit=2&{other}&cursor={cursor}")

    assert parameter_of(problem(answer, 400, "invalid_cursor")) == "cursor"


async def test_a_cursor_of_another_dataset_is_refused(client: httpx.AsyncClient) -> None:
    cursor = await cursor_of(client, "/data/posts?limit=2")

    answer = await client.get(f"/data/gauges?cursor={cursor}")

    problem(answer, 400, "invalid_cursor")


async def test_a_cursor_of_another_dataset_is_refused_though_all_else_is_the_same() -> None:
    fixture = HttpFixture(
        gauges_dataset("wells"), gauges_dataset("rivers"), default_dataset="wells"
    )
    for dataset in fixture.datasets:
        await fixture.bring([gauge(1), gauge(2)], dataset)
    cursor = await cursor_of(fixture.client, "/data/wells?limit=1")

    answer = await fixture.client.get(f"/data/rivers?limit=1&cursor={cursor}")

    problem(answer, 400, "invalid_cursor")


async def test_a_cursor_of_another_secret_is_refused(client: httpx.AsyncClient) -> None:
    other = HttpFixture(secret=b"another secret, also of thirty-two bytes")
    await other.bring(posts(100))
    cursor = await cursor_of(other.client, "/data/posts?limit=2")

    answer = await client.get(f"/data/posts?limit=2&cursor={cursor}")

    problem(answer, 400, "invalid_cursor")


def _changed(text: str, place: int) -> str:
    # The neighbour in the alphabet differs in the lowest bit alone.
    other = {"A": "B", "_": "-"}.get(text[place], chr(ord(text[place]) ^ 1))
    return text[:place] + (other if other.isalnum() else "-") + text[place + 1 :]


async def test_no_change_to_a_cursor_goes_unnoticed(client: httpx.AsyncClient) -> None:
    cursor = await cursor_of(client, "/data?limit=2")
    changed = [
        *(_changed(cursor, place) for place in range(len(cursor))),
        cursor[:-1],
        cursor + "A",
        cursor + "=",
        cursor + "!",
        f"!{cursor}",
        f"{cursor[:10]}%0A{cursor[10:]}",
        cursor.swapcase(),
        "A",
        "é",
        base64.urlsafe_b64encode(bytes(1000)).decode(),
        "A" * 7000,
    ]

    answers = [await client.get(f"/data?limit=2&cursor={text}") for text in changed]

    for answer in answers:
        problem(answer, 400, "invalid_cursor")


async def test_cursor_and_offset_exclude_each_other(client: httpx.AsyncClient) -> None:
    cursor = await cursor_of(client, "/data?limit=2")

    answer = await client.get(f"/data?limit=2&cursor={cursor}&offset=1")

    assert parameter_of(problem(answer, 400, "malformed_query")) == "offset"


async def test_values_too_long_to_page_by_are_a_problem_of_the_question(empty: HttpFixture) -> None:
    await empty.bring([gauge(1, body="a" * 7000), gauge(2, body="b" * 7000)], GAUGES)

    by_body = await empty.client.get("/data/gauges?sort=body&limit=1")
    by_key = await empty.client.get("/data/gauges?limit=1")

    assert parameter_of(problem(by_body, 400, "malformed_query")) == "sort"
    assert by_key.status_code == 200
