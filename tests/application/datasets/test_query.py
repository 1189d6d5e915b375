"""Queries: one page, one record, or all records that the viewer may see."""

from typing import Any

import msgspec
import pytest

from application.datasets.query import CHUNK
from domain.builtin.posts import POSTS, Post
from domain.dataset import Dataset, Role
from domain.errors import CatchmentError, Forbidden, InvalidCursor, LoginRequired, UnknownRecord
from domain.fields import fields_of
from domain.filters import Filter
from domain.paging import Counting, PageRequest, Sort
from tests.application.rig import Rig, posts


def asked(*parameters: tuple[str, str]) -> Filter:
    """Return a filter of posts."""
    return Filter.parse(POSTS.fields, parameters)


#: Anyone sees only the posts of user 1, users see none of user 3, administrators see all.
PRIVATE = Dataset(
    name="private",
    record=Post,
    key=("id",),
    visible={
        Role.ANYONE: Filter.parse(fields_of(Post), [("user_id", "1")]),
        Role.USER: Filter.parse(fields_of(Post), [("user_id__ne", "3")]),
    },
)
LOCKED = Dataset(name="locked", record=Post, key=("id",), read_by=Role.ADMIN)
BY_ID = PageRequest(sort=Sort.parse(POSTS, ""))


async def fill(rig: Rig, dataset: Dataset[Any], users: int = 3) -> None:
    """Store one post of each user."""
    records = [Post(number, number, "title", "body") for number in range(1, users + 1)]
    await rig.fetch(rig.source("one", records), dataset=dataset)()


async def test_a_page_has_the_requested_records(rig: Rig) -> None:
    await fill(rig, POSTS)
    request = PageRequest(filter=asked(("id__gt", "1")), sort=Sort.parse(POSTS, "-id"), limit=1)

    page = await rig.query()(request)

    assert [row.id for row in page.rows] == [3]
    assert page.next_cursor == request.cursor_after(page.rows[0])


async def test_a_cursor_leads_to_the_next_page(rig: Rig) -> None:
    await fill(rig, POSTS)
    first = await rig.query()(msgspec.structs.replace(BY_ID, limit=2))

    second = await rig.query()(msgspec.structs.replace(BY_ID, cursor=first.next_cursor))

    assert [row.id for row in second.rows] == [3]


async def test_a_cursor_of_another_query_is_refused(rig: Rig) -> None:
    await fill(rig, POSTS)
    first = await rig.query()(msgspec.structs.replace(BY_ID, limit=1))
    other = PageRequest(sort=Sort.parse(POSTS, "title"), cursor=first.next_cursor)

    with pytest.raises(InvalidCursor):
        await rig.query()(other)


async def test_a_cursor_made_for_another_role_is_refused(rig: Rig) -> None:
    await fill(rig, PRIVATE)
    query = rig.query(PRIVATE)
    first = await query(msgspec.structs.replace(BY_ID, limit=1), Role.ADMIN)
    following = msgspec.structs.replace(BY_ID, cursor=first.next_cursor)

    assert len((await query(following, Role.ADMIN)).rows) == 2
    with pytest.raises(InvalidCursor):
        await query(following, Role.ANYONE)


# ---------------------------------------------------------------- roles

SEEN = [(Role.ANYONE, [1]), (Role.USER, [1, 2]), (Role.ADMIN, [1, 2, 3])]


@pytest.mark.parametrize(("viewer", "seen"), SEEN)
async def test_every_way_of_reading_shows_a_role_the_same_records(
    rig: Rig, viewer: Role, seen: list[int]
) -> None:
    await fill(rig, PRIVATE)
    query = rig.query(PRIVATE)

    page = await query(msgspec.structs.replace(BY_ID, counting=Counting.EXACT), viewer)
    walked = [row.id async for rows in query.for_role(viewer).walk(BY_ID) for row in rows]
    single = [number for number in (1, 2, 3) if await _sees(rig, number, viewer)]

    assert [row.id for row in page.rows] == seen
    assert page.total == len(seen)
    assert walked == seen
    assert single == seen
    assert await query.for_role(viewer).count() == len(seen)


async def _sees(rig: Rig, number: int, viewer: Role) -> bool:
    try:
        row = await rig.query(PRIVATE).get((number,), viewer)
    except UnknownRecord:
        return False
    return bool(row.id == number)


async def test_a_filter_cannot_widen_what_a_role_sees(rig: Rig) -> None:
    await fill(rig, PRIVATE)
    request = msgspec.structs.replace(BY_ID, filter=asked(("user_id__in", "2,3")))

    assert (await rig.query(PRIVATE)(request, Role.ANYONE)).rows == []
    assert [row.id for row in (await rig.query(PRIVATE)(request, Role.USER)).rows] == [2]


async def test_a_record_that_does_not_exist_is_unknown(rig: Rig) -> None:
    with pytest.raises(UnknownRecord, match="posts"):
        await rig.query().get((1,))


@pytest.mark.parametrize(
    ("viewer", "error"), [(Role.ANYONE, LoginRequired), (Role.USER, Forbidden)]
)
async def test_a_viewer_who_may_not_read_is_refused_everything(
    rig: Rig, viewer: Role, error: type[CatchmentError]
) -> None:
    query = rig.query(LOCKED)

    with pytest.raises(error):
        await query(BY_ID, viewer)
    with pytest.raises(error):
        await query.get((1,), viewer)
    with pytest.raises(error):
        query.for_role(viewer)


async def test_a_viewer_who_may_read_is_admitted(rig: Rig) -> None:
    await fill(rig, LOCKED)

    reader = rig.query(LOCKED).for_role(Role.ADMIN)

    assert await reader.count() == 3
    assert (await reader.freshness()).seq == 1


# ---------------------------------------------------------------- all records


async def test_a_walk_shows_everything_in_chunks(rig: Rig) -> None:
    await rig.fetch(rig.source("one", posts(2 * CHUNK + 1)))()

    chunks = [rows async for rows in rig.query().for_role(Role.ANYONE).walk(BY_ID)]

    assert [len(chunk) for chunk in chunks] == [CHUNK, CHUNK, 1]
    walked = [row.id for chunk in chunks for row in chunk]
    assert walked == list(range(1, 2 * CHUNK + 2))


@pytest.mark.parametrize("most", [0, 1, CHUNK, CHUNK + 1, 3 * CHUNK])
async def test_a_walk_ends_after_as_many_records_as_are_wanted(rig: Rig, most: int) -> None:
    await rig.fetch(rig.source("one", posts(2 * CHUNK + 1)))()

    chunks = [rows async for rows in rig.query().for_role(Role.ANYONE).walk(BY_ID, most)]

    assert [row.id for chunk in chunks for row in chunk] == list(range(1, 2 * CHUNK + 2))[:most]


async def test_a_walk_in_an_order_without_an_index_asks_the_store_less_often(rig: Rig) -> None:
    await rig.fetch(rig.source("one", posts(2 * CHUNK + 1)))()
    by_title = PageRequest(sort=Sort.parse(POSTS, "title"))

    chunks = [rows async for rows in rig.query().for_role(Role.ANYONE).walk(by_title)]

    # All of one snapshot, because they were read at once, but in chunks.
    assert [len(chunk) for chunk in chunks] == [CHUNK, CHUNK, 1]
    titles = [row.title for chunk in chunks for row in chunk]
    assert titles == sorted(titles)


async def test_a_walk_begins_at_the_requested_page(rig: Rig) -> None:
    await rig.fetch(rig.source("one", posts(CHUNK + 5)))()
    request = msgspec.structs.replace(BY_ID, offset=3)

    walked = [
        row.id async for rows in rig.query().for_role(Role.ANYONE).walk(request) for row in rows
    ]

    assert walked == list(range(4, CHUNK + 6))


async def test_a_walk_over_nothing_is_one_empty_chunk(rig: Rig) -> None:
    assert [rows async for rows in rig.query().for_role(Role.ANYONE).walk(BY_ID)] == [[]]


def test_a_query_knows_its_dataset(rig: Rig) -> None:
    assert rig.query().dataset is POSTS
