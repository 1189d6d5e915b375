"""What a body may hold, to the last record (U8-U10, U13-U16, U23-U26, U28, U29)."""

import pytest

from domain.reports import Counts, SourceReport, SourceStatus
from tests.adapters.outbound.client_fixture import ClientFixture


def failure(report: SourceReport) -> str | None:
    return report.error.code if report.error else None


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ("U8-html", "unexpected_content"),
        ("U8-html-as-json", "unexpected_content"),
        ("U9", "unexpected_content"),
        ("U10-204", "empty"),
        ("U10-empty", "empty"),
        ("U13", "incomplete"),
        ("U15-corrupt", "bad_encoding"),
        ("U15-plain", "bad_encoding"),
        ("U16-single", "too_large"),
        ("U16-double", "unsupported_encoding"),
        ("U16-zstd", "unsupported_encoding"),
        ("U16-br", "unsupported_encoding"),
        ("U25", "too_deep"),
        ("U25-in-record", "too_deep"),
    ],
)
async def test_a_body_without_readable_records_changes_nothing(
    fixture: ClientFixture, fault: str, code: str
) -> None:
    await fixture.fetch("/posts?userId=3")
    posts, checkpoints = fixture.posts, fixture.database.freshness("posts").checkpoints

    report = await fixture.fetch(fault)

    assert failure(report) == code
    assert (report.requests, report.counts) == (1, Counts())
    assert fixture.posts == posts
    assert fixture.database.freshness("posts").checkpoints == checkpoints


@pytest.mark.parametrize("fault", ["U8-html", "U9", "U13", "U25"])
async def test_a_body_that_cannot_be_read_is_kept_all_the_same(
    fixture: ClientFixture, fault: str
) -> None:
    await fixture.fetch(fault)

    assert len(fixture.database.kept["posts", "jsonplaceholder"]) == 1


async def test_u10_an_empty_list_deletes_nothing(fixture: ClientFixture) -> None:
    await fixture.fetch("/posts")

    report = await fixture.fetch("U10-empty-list")

    assert (report.status, report.counts) == (SourceStatus.SUCCEEDED, Counts())
    assert len(fixture.posts) == 100


@pytest.mark.parametrize(
    "fault",
    [
        "U23-utf16",
        "U23-utf8-mark",
        "U23-latin1-declared",
        "U24-negative-zero",
        "U24-above-2-53",
        "U26",
        "U28-new-field",
    ],
)
async def test_what_is_odd_and_sound_is_kept_whole(fixture: ClientFixture, fault: str) -> None:
    report = await fixture.fetch(fault)

    assert report.counts == Counts(received=100, inserted=100)
    assert report.error is None


@pytest.mark.parametrize(
    ("fault", "pointer", "reason"),
    [
        ("U23-invalid-utf8", "/2", "holds bytes that are not text in its charset"),
        ("U23-latin1", "/2", "holds bytes that are not text in its charset"),
        ("U23-nul", "/2/title", "title holds the character U+0000"),
        ("U23-surrogate", "/2", "JSON is malformed"),
        ("U24-nan", "/2", "JSON is malformed"),
        ("U24-infinity", "/2", "JSON is malformed"),
        ("U24-overflow", "/2/userId", "out of range"),
        ("U24-2-64", "/2/userId", "Expected `int` <= 9223372036854775807"),
        ("U24-5000-digits", "/2/userId", "out of range"),
    ],
)
async def test_one_bad_record_is_one_rejection(
    fixture: ClientFixture, fault: str, pointer: str, reason: str
) -> None:
    report = await fixture.fetch(fault)

    assert report.counts == Counts(received=100, inserted=99, quarantined=1)
    assert report.status is SourceStatus.PARTIAL
    assert 3 not in fixture.posts
    ((where, why),) = fixture.rejections
    assert where == pointer
    assert reason in why


async def test_u23_declared_latin1_is_read_as_such(fixture: ClientFixture) -> None:
    await fixture.fetch("U23-latin1-declared")

    assert fixture.posts[3].title == "le café de la rivière"


async def test_u24_large_integers_are_not_rounded(fixture: ClientFixture) -> None:
    await fixture.fetch("U24-above-2-53")

    assert fixture.posts[3].user_id == 2**53 + 1


async def test_u26_of_two_titles_the_last_one_counts(fixture: ClientFixture) -> None:
    await fixture.fetch("U26")

    assert fixture.posts[3].title == "the last title"


@pytest.mark.parametrize(
    ("fault", "first"),
    [
        ("U28-removed-field", ("/0", "Object missing required field `title`")),
        ("U28-renamed-field", ("/0", "Object missing required field `title`")),
        ("U28-type-flip", ("/0/userId", "Expected `int`, got `str`")),
        ("U28-null", ("/0/title", "Expected `str`, got `null`")),
    ],
)
async def test_a_tenth_of_drifted_records_is_quarantined(
    fixture: ClientFixture, fault: str, first: tuple[str, str]
) -> None:
    report = await fixture.fetch(fault)

    assert report.counts == Counts(received=100, inserted=90, quarantined=10)
    assert fixture.rejections[0] == first
    assert [pointer.split("/")[1] for pointer, _ in fixture.rejections] == [
        str(n) for n in range(0, 100, 10)
    ]


@pytest.mark.parametrize(("fault", "bad"), [("U28-mostly-bad", 50), ("U28-all-bad", 100)])
async def test_when_most_have_drifted_the_old_data_stays(
    fixture: ClientFixture, fault: str, bad: int
) -> None:
    await fixture.fetch("/posts")
    before = fixture.posts

    report = await fixture.fetch(fault)

    assert failure(report) == "held"
    assert (report.counts.received, report.counts.quarantined) == (100, bad)
    assert fixture.posts == before


async def test_u29_a_shrinking_upstream_deletes_nothing(fixture: ClientFixture) -> None:
    await fixture.fetch("U29")

    report = await fixture.fetch("U29")

    assert report.counts == Counts(received=12, unchanged=12)
    assert len(fixture.posts) == 10_000
