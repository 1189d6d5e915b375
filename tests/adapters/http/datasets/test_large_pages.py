"""Pages of large records: they end at a number of bytes, and nothing of them is lost."""

import pytest

from domain.builtin.posts import Post
from domain.fields import MAX_TEXT_BYTES
from domain.paging import MAX_PAGE_BYTES
from tests.adapters.http.http_fixture import HttpFixture, problem

#: Eight of them fit on a page.
LARGE = "a" * (MAX_PAGE_BYTES // 9)


@pytest.fixture
async def large(empty: HttpFixture) -> HttpFixture:
    """An application with ten large posts."""
    await empty.bring([Post(id=n, user_id=1, title="a title", body=LARGE) for n in range(1, 11)])
    return empty


@pytest.mark.parametrize("coding", ["identity", "gzip"])
async def test_a_page_of_large_records_ends_early_with_a_cursor(
    large: HttpFixture, coding: str
) -> None:
    seen, cursor = [], ""
    while cursor is not None:
        page = await large.client.get(
            f"/data?limit=500&cursor={cursor}", headers={"Accept-Encoding": coding}
        )
        told = page.json()
        assert len(page.content) < MAX_PAGE_BYTES + 10_000
        assert told["count"] == len(told["data"]) <= 8
        assert told["page"]["has_more"] is ("link" in page.headers)
        seen += [record["id"] for record in told["data"]]
        cursor = told["page"]["next_cursor"]

    assert seen == list(range(1, 11))


async def test_a_large_page_by_offset_is_refused_with_a_smaller_limit(large: HttpFixture) -> None:
    refused = await large.client.get("/data?limit=500&offset=1")
    page = await large.client.get("/data?limit=8&offset=1")

    detail = problem(refused, 422, "page_too_large")
    assert "limit=8" in detail["detail"]
    assert detail["errors"][0]["parameter"] == "limit"
    assert [record["id"] for record in page.json()["data"]] == list(range(2, 10))


async def test_an_export_has_all_of_them(large: HttpFixture) -> None:
    export = await large.client.get("/data?format=ndjson&fields=id")

    assert export.text.count("\n") == 10


async def test_a_text_larger_than_any_may_be_is_quarantined(empty: HttpFixture) -> None:
    sound = Post(id=1, user_id=1, title="a title", body="a" * MAX_TEXT_BYTES)
    await empty.bring([sound, Post(id=2, user_id=1, title="a title", body=sound.body + "a")])

    page = await empty.client.get("/data")
    [waiting] = await empty.quarantine.recent("posts", 10)

    assert [record["id"] for record in page.json()["data"]] == [1]
    assert waiting.reason == f"body is longer than {MAX_TEXT_BYTES} bytes"
