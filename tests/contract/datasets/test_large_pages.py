"""Contract of large pages: they end at a number of bytes, and lose no record by it."""

import pytest

from domain.builtin.posts import POSTS, Post
from domain.errors import PageTooLarge
from domain.filters import Filter
from domain.paging import MAX_PAGE_BYTES, PageRequest, Sort
from tests.contract.backends import Backend

BY_ID = Sort.parse(POSTS, "id")
#: Four of them fit on a page.
LARGE = "é" * (MAX_PAGE_BYTES // 9)


def post(number: int, body: str = LARGE) -> Post:
    return Post(id=number, user_id=1, title="a title", body=body)


async def filled(backend: Backend, *posts: Post) -> None:
    await backend.bring(posts, POSTS)


async def test_a_page_ends_before_its_texts_are_too_large(backend: Backend) -> None:
    await filled(backend, *(post(number) for number in range(1, 11)))
    request, seen = PageRequest(sort=BY_ID, limit=500), []

    while True:
        page = await backend.store.find(POSTS, request)
        seen.append([row.id for row in page.rows])
        assert page.size <= MAX_PAGE_BYTES
        if page.next_cursor is None:
            break
        request = PageRequest(sort=BY_ID, limit=500, cursor=page.next_cursor)

    assert seen == [[1, 2, 3, 4], [5, 6, 7, 8], [9, 10]]


async def test_a_record_larger_than_a_page_is_a_page_of_its_own(backend: Backend) -> None:
    await filled(backend, post(1, "a" * (MAX_PAGE_BYTES + 1)), post(2, "b"))

    page = await backend.store.find(POSTS, PageRequest(sort=BY_ID))

    assert [row.id for row in page.rows] == [1]
    assert page.next_cursor is not None


async def test_a_large_page_by_offset_names_a_smaller_limit(backend: Backend) -> None:
    await filled(backend, *(post(number) for number in range(1, 11)))

    with pytest.raises(PageTooLarge, match="limit=4"):
        await backend.store.find(POSTS, PageRequest(sort=BY_ID, limit=500, offset=1))
    page = await backend.store.find(POSTS, PageRequest(sort=BY_ID, limit=4, offset=1))

    assert [row.id for row in page.rows] == [2, 3, 4, 5]


@pytest.mark.parametrize("limit", [50, 150, 500])
async def test_small_records_are_a_whole_page(backend: Backend, limit: int) -> None:
    await filled(backend, *(post(number, "a body") for number in range(1, 600)))

    page = await backend.store.find(POSTS, PageRequest(filter=Filter(), sort=BY_ID, limit=limit))

    assert len(page.rows) == limit
    assert page.next_cursor is not None
