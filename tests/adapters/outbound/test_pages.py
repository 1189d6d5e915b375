"""Pages are followed on one host, to their end, and never in circles (U27, U32)."""

from dataclasses import replace

import pytest

from adapters.outbound.builtin.posts import jsonplaceholder
from adapters.outbound.sources import HttpSource
from domain.pages import LinkHeader, Pages
from domain.politeness import Rate
from domain.reports import Counts
from tests.adapters.outbound.client_fixture import (
    Answering,
    ClientFixture,
    open_client,
    reply,
    replying,
)


@pytest.mark.parametrize("fault", ["U32-total-high", "U32-total-low"])
async def test_what_the_total_says_does_not_matter(fixture: ClientFixture, fault: str) -> None:
    report = await fixture.fetch(fault)

    assert (report.requests, report.counts) == (10, Counts(received=100, inserted=100))


@pytest.mark.parametrize(
    ("fault", "pages", "counts"),
    [
        ("U27-within-page", 1, Counts(received=101, inserted=100, duplicates=1)),
        ("U27-conflict", 1, Counts(received=101, inserted=100, quarantined=1)),
        ("U27-across-pages", 10, Counts(received=109, inserted=100, duplicates=9)),
        ("U32-overlap", 11, Counts(received=110, inserted=100, duplicates=10)),
        ("U32-empty-page", 11, Counts(received=100, inserted=100)),
        ("U32-shift", 10, Counts(received=91, inserted=91)),
    ],
)
async def test_repeated_and_missing_records_are_counted(
    fixture: ClientFixture, fault: str, pages: int, counts: Counts
) -> None:
    report = await fixture.fetch(fault)

    assert (report.requests, report.counts, report.error) == (pages, counts, None)


async def test_of_one_id_on_several_pages_the_last_record_wins(fixture: ClientFixture) -> None:
    await fixture.fetch("U27-across-pages")

    assert fixture.posts[1].title == "as seen on page 10"


async def test_of_one_id_on_one_page_the_first_record_stays_and_the_other_waits(
    fixture: ClientFixture,
) -> None:
    await fixture.fetch("U27-conflict")

    [(pointer, reason)] = fixture.rejections
    assert fixture.posts[3].title == fixture.upstream.collection().records[2]["title"]
    assert reason == "key_not_unique: /2 has the same id and different values"
    assert pointer != "/2"


@pytest.mark.parametrize(("fault", "requests"), [("U32-self", 2), ("U32-loop", 3)])
async def test_pages_in_a_circle_are_left(
    fixture: ClientFixture, fault: str, requests: int
) -> None:
    report = await fixture.fetch(fault)

    assert report.error is not None
    assert report.error.code == "pagination_loop"
    assert fixture.upstream.count() == report.requests <= requests
    assert fixture.posts == {}


@pytest.mark.parametrize("fault", ["U32-endless", "U32-empty-forever"])
async def test_the_number_of_pages_is_bounded(fixture: ClientFixture, fault: str) -> None:
    short = replace(
        jsonplaceholder(fixture.url(fault)), pages=Pages(paginator=LinkHeader(), max_pages=5)
    )
    report = await fixture.fetch(fault, source=HttpSource(short, fixture.client))

    assert report.error is not None
    assert report.error.code == "too_many_pages"
    assert (fixture.upstream.count(), fixture.posts) == (5, {})


async def test_u32_endless_pages_end_at_the_deadline() -> None:
    async with open_client() as fixture:
        report = await fixture.fetch("U32-endless", seconds=0)

    assert report.error is not None
    assert report.error.code == "source_timed_out"


@pytest.mark.parametrize("fault", ["U32-expired-410", "U32-expired-422"])
async def test_an_expired_page_fails_the_fetch_and_the_next_one_starts_again(
    fixture: ClientFixture, fault: str
) -> None:
    failed = await fixture.fetch(fault)
    stored = fixture.posts
    again = await fixture.fetch(fault)

    assert failed.error is not None
    assert failed.error.code == "source_refused"
    assert stored == {}
    assert again.counts.inserted == 100


async def test_a_next_page_on_another_host_is_not_followed() -> None:
    body = b"[]"
    head = (
        b'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nLink: <http://127.0.0.1:1/>; rel="next"\r\n\r\n'
    )
    async with (
        replying(head + body) as key,
        open_client(allowed_private=frozenset({key})) as fixture,
    ):
        report = await fixture.fetch(f"http://{key}/")

    assert report.error is not None
    assert "another host" in report.error.detail
    assert report.requests == 1


async def test_a_304_that_leads_to_a_second_page_is_not_nothing_new() -> None:
    one, two = (b'[{"userId":7,"id":%d,"title":"a","body":"b"}]' % n for n in (1, 2))
    leads_on = "Link: </2>; rel='next'"
    replies = (
        reply(one, 'ETag: "1"'),
        reply(b"", leads_on, status="304 Not Modified", bounded=False),
        reply(one, 'ETag: "1"', leads_on),
        reply(two),
    )
    async with Answering(*replies) as server:
        async with open_client(allowed_private=frozenset({server.place})) as fixture:
            await fixture.fetch(server.url("/"))
            report = await fixture.fetch(server.url("/"))
            posts = fixture.posts

    assert report.counts == Counts(received=2, inserted=1, unchanged=1)
    assert (report.requests, report.not_modified) == (3, 1)
    assert [b"If-None-Match" in head for head in server.heads] == [False, True, False, False]
    assert sorted(posts) == [1, 2]


async def test_a_304_with_any_other_link_is_nothing_new() -> None:
    unchanged = reply(b"", "Link: </>; rel=self", status="304 Not Modified", bounded=False)
    async with Answering(reply(b"[]", 'ETag: "1"'), unchanged) as server:
        async with open_client(allowed_private=frozenset({server.place})) as fixture:
            await fixture.fetch(server.url("/"))
            report = await fixture.fetch(server.url("/"))

    assert (report.requests, report.not_modified, report.counts) == (1, 1, Counts())


async def test_a_walk_that_our_own_limit_makes_too_long_says_so_and_the_way_out() -> None:
    async with open_client(rate=Rate(1, 5.0)) as fixture:
        report = await fixture.fetch("/posts?_page=1&_limit=10", seconds=20)

    assert report.error is not None
    assert report.error.code == "source_timed_out"
    for named in ("4 requests", fixture.key, "CATCHMENT_FETCH_DEADLINE", "CATCHMENT_RATE_LIMITS"):
        assert named in report.error.detail
    assert report.error.retry_at is not None


async def test_a_walk_with_a_distant_next_page_is_distinguished_from_a_late_one() -> None:
    async with open_client(rate=Rate(1, 60.0)) as fixture:
        report = await fixture.fetch("/posts?_page=1&_limit=10", seconds=20)

    assert report.error is not None
    assert report.error.code == "source_blocked"
    assert "after 1 request;" in report.error.detail


async def test_several_pages_leave_no_validator_behind(fixture: ClientFixture) -> None:
    first = await fixture.fetch("/posts?_page=1&_limit=40")
    again = await fixture.fetch("/posts?_page=1&_limit=40")

    (checkpoint,) = fixture.database.freshness("posts").checkpoints
    assert (checkpoint.url, checkpoint.etag) == ("", None)
    assert (first.counts.inserted, again.counts.unchanged) == (100, 100)
    assert (again.requests, again.not_modified) == (3, 0)
