"""What we know of a URL is used for that URL, and never believed blindly (U33, U34, U38, U43)."""

from datetime import timedelta

import pytest

from adapters.outbound.polite.messages import NotModified
from domain.reports import Counts
from tests.adapters.outbound.client_fixture import ClientFixture, open_client

UNCHANGED = Counts(received=100, unchanged=100)


def sent(fixture: ClientFixture, header: str) -> list[str | None]:
    """What each request said in a header."""
    return [request.headers.get(header) for request in fixture.upstream.requests]


async def test_nothing_new_is_neither_read_nor_written(fixture: ClientFixture) -> None:
    await fixture.fetch("/posts")
    report = await fixture.fetch("/posts")

    assert (report.requests, report.not_modified, report.bytes) == (1, 1, 0)
    assert (report.counts, report.error) == (Counts(), None)
    assert len(fixture.database.kept["posts", "jsonplaceholder"]) == 1
    (checkpoint,) = fixture.database.freshness("posts").checkpoints
    assert checkpoint.confirmations == 1


async def test_something_new_is_read(fixture: ClientFixture) -> None:
    await fixture.fetch("/posts")
    fixture.upstream.revise(2)

    report = await fixture.fetch("/posts")

    assert report.counts == Counts(received=100, updated=100)


@pytest.mark.parametrize(
    ("fault", "counts"),
    [
        ("U33-same-etag-new-body", Counts(received=100, updated=100)),
        ("U33-new-etag-same-body", UNCHANGED),
        ("U33-weak", UNCHANGED),
        ("U33-alternating", UNCHANGED),
        ("U33-gzip-suffix", UNCHANGED),
        ("U33-long", UNCHANGED),
        ("U33-crlf", UNCHANGED),
        ("U34-future", UNCHANGED),
        ("U34-garbage", UNCHANGED),
    ],
)
async def test_the_body_decides_whatever_the_validators_say(
    fixture: ClientFixture, fault: str, counts: Counts
) -> None:
    await fixture.fetch(fault)
    report = await fixture.fetch(fault)

    assert (report.counts, report.not_modified) == (counts, 0)


@pytest.mark.parametrize("fault", ["U33-strong", "U33-304-with-body"])
async def test_a_validator_comes_back_exactly(fixture: ClientFixture, fault: str) -> None:
    await fixture.fetch(fault)
    report = await fixture.fetch(fault)
    after = await fixture.fetch("/posts")

    assert (report.requests, report.not_modified) == (1, 1)
    assert after.error is None


@pytest.mark.parametrize(
    ("fault", "header"),
    [
        ("U33-long", "if-none-match"),
        ("U34-future", "if-modified-since"),
        ("U34-garbage", "if-modified-since"),
    ],
)
async def test_an_unfit_validator_is_not_kept(
    fixture: ClientFixture, fault: str, header: str
) -> None:
    await fixture.fetch(fault)
    await fixture.fetch(fault)

    assert sent(fixture, header) == [None, None]


async def test_u33_an_unrequested_304_is_an_error(fixture: ClientFixture) -> None:
    failed = await fixture.fail("U33-unasked-304")

    assert failed.kind == ("UnexpectedContent", "unexpected_content")


async def test_u33_every_twentieth_confirmation_is_asked_for_in_full(
    fixture: ClientFixture,
) -> None:
    await fixture.fetch("U33-stuck-etag")

    reports = [await fixture.fetch("U33-stuck-etag") for _ in range(21)]

    asked = [known is not None for known in sent(fixture, "if-none-match")]
    assert asked == [False] + [True] * 19 + [False, True]
    assert reports[19].counts == Counts(received=100, updated=100)


async def test_validators_of_another_url_are_not_sent(fixture: ClientFixture) -> None:
    await fixture.fetch("/posts")
    await fixture.fetch("/posts?userId=3")

    assert sent(fixture, "if-none-match") == [None, None]
    assert sent(fixture, "if-modified-since") == [None, None]


async def test_validators_of_the_first_page_are_not_sent_for_the_next(
    fixture: ClientFixture,
) -> None:
    every = [*fixture.upstream.collection().records]
    fixture.upstream.set_posts(every[:30])
    await fixture.fetch("/posts?_page=1&_limit=40")
    fixture.upstream.set_posts(every)
    report = await fixture.fetch("/posts?_page=1&_limit=40")

    assert [known is not None for known in sent(fixture, "if-none-match")] == [False, True] + [
        False
    ] * 2
    assert report.counts == Counts(received=100, inserted=70, unchanged=30)


async def test_validators_do_not_follow_a_redirect(fixture: ClientFixture) -> None:
    await fixture.answer("U35-same-host", etag='"known"')

    assert sent(fixture, "if-none-match") == ['"known"', None]


async def test_a_date_alone_confirms_too(fixture: ClientFixture) -> None:
    first = await fixture.answer("/posts")

    again = await fixture.get("/posts", last_modified=first.last_modified)

    assert isinstance(again, NotModified)


async def test_nothing_new_leaves_the_connection_open() -> None:
    connections: list[str] = []

    async def resolve(host: str, port: int) -> list[str]:
        connections.append(host)
        return ["127.0.0.1"]

    async with open_client(resolve=resolve, named="upstream.test") as fixture:
        first = await fixture.answer("/posts")
        for _ in range(3):
            assert isinstance(await fixture.get("/posts", etag=first.etag), NotModified)

    assert len(connections) == 1


async def test_u34_a_date_counts_once_it_has_come(fixture: ClientFixture) -> None:
    early = await fixture.answer("U34-future")
    fixture.clock.advance(timedelta(days=2))
    fixture.upstream.now = lambda: fixture.clock.now() - timedelta(days=2)
    late = await fixture.answer("U34-future")

    assert early.last_modified is None
    assert late.last_modified is not None


async def test_u38_nothing_pushed_is_ever_sent_back(fixture: ClientFixture) -> None:
    await fixture.fetch("U38")
    await fixture.fetch("U38")

    assert sent(fixture, "cookie") == [None, None]
    assert sent(fixture, "authorization") == [None, None]


async def test_only_the_needed_values_are_shown(fixture: ClientFixture) -> None:
    await fixture.fetch("/posts")

    (request,) = fixture.upstream.requests
    assert request.headers == {
        "host": fixture.key,
        "user-agent": "catchment/0.1",
        "accept": "application/json, */*;q=0.1",
        "accept-encoding": "gzip",
    }


async def test_u43_what_an_upstream_repeats_is_not_in_our_errors(fixture: ClientFixture) -> None:
    failed = await fixture.fail("U7-404", etag='"a-secret"')

    assert "secret" not in failed.error.detail
    assert failed.error.detail.startswith(f"http://{fixture.key}/faults/U7-404/posts answered 404")
