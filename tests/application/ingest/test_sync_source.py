"""SourceSync: the records of a source are stored or rejected, and every one is counted."""

from dataclasses import replace
from typing import Any

import msgspec
import pytest

from adapters.memory.ingest import MemorySource
from application.ingest.normalise import HOLD_COUNT
from domain.builtin.posts import POSTS, Post
from domain.checkpoints import MAX_CONFIRMATIONS
from domain.errors import SourceBlocked, SourceUnavailable
from domain.jobs import JobStatus
from domain.payloads import Batch, Payload
from domain.reports import Counts, Failure, Outcome, SourceStatus
from tests.application.rig import BuggySource, Rig, adds_up, counts_of, only, posts
from tests.sharing import SHARED


def body(*items: Any) -> bytes:
    """Return a body with these items."""
    return msgspec.json.encode(items)


GOOD = {"id": 1, "user_id": 1, "title": "t", "body": "b"}
BAD = {"id": "one"}


def many(good: int, bad: int) -> bytes:
    """Return a body with so many valid and invalid records."""
    return body(*({**GOOD, "id": number} for number in range(good)), *([BAD] * bad))


# ---------------------------------------------------------------- pages


async def test_several_pages_are_merged_at_once(rig: Rig) -> None:
    source = rig.source("one", posts(2), posts(2, first=3), posts(1, first=5))

    fetched = await rig.fetch(source)()

    assert counts_of(fetched) == Counts(received=5, inserted=5)
    assert fetched.freshness.seq == 1
    report = only(fetched)
    assert (report.requests, report.bytes) == (3, sum(len(b) for b in rig.database.bodies))


async def test_an_empty_response_is_a_success(rig: Rig) -> None:
    fetched = await rig.fetch(rig.source("one", b"[]"))()

    assert fetched.outcome is Outcome.UNCHANGED
    assert fetched.freshness.fetched_at == rig.clock.now()


async def test_a_repeated_key_is_a_duplicate(rig: Rig) -> None:
    source = rig.source("one", posts(2, title="first"), posts(1, title="last"))

    assert counts_of(await rig.fetch(source)()) == Counts(received=3, inserted=2, duplicates=1)
    assert await rig.titles() == ["last", "first"]


async def test_validators_of_one_page_are_remembered(rig: Rig) -> None:
    source = rig.source("one", posts(1))
    source.etag = '"v1"'

    checkpoint = (await rig.fetch(source)()).freshness.of("one")

    assert checkpoint is not None
    assert (checkpoint.url, checkpoint.etag) == ("memory://one/0", '"v1"')


async def test_validators_of_many_pages_are_not(rig: Rig) -> None:
    source = rig.source("one", posts(1), posts(1, first=2))
    source.etag = '"v1"'

    checkpoint = (await rig.fetch(source)()).freshness.of("one")

    assert checkpoint is not None
    assert (checkpoint.url, checkpoint.etag) == ("", None)


# ---------------------------------------------------------------- not modified


async def test_not_modified_changes_only_the_time_of_the_fetch(rig: Rig) -> None:
    source = rig.source("one", posts(2))
    source.etag = '"v1"'
    fetch = rig.fetch(source)
    first = await fetch()
    before = await rig.stored()
    rig.clock.advance(60)

    again = await fetch()

    known, confirmed = first.freshness.of("one"), again.freshness.of("one")
    assert known is not None
    assert confirmed == msgspec.structs.replace(
        known, fetched_at=rig.clock.now(), job_id=again.job.id, confirmations=1
    )
    assert again.outcome is Outcome.UNCHANGED
    assert (counts_of(again), only(again).not_modified) == (Counts(), 1)
    assert (await rig.stored(), again.freshness.seq) == (before, 1)
    assert rig.database.receipts == 1


async def test_after_many_not_modified_in_a_row_everything_is_requested(rig: Rig) -> None:
    source = rig.source("one", posts(2))
    source.etag = '"v1"'
    fetch = rig.fetch(source)
    for _ in range(MAX_CONFIRMATIONS + 2):
        fetched = await fetch()
        rig.clock.advance(60)

    checkpoint = fetched.freshness.of("one")
    validators = [ask.checkpoint.etag for ask in source.asked if ask.checkpoint is not None]
    assert checkpoint is not None
    assert validators == ['"v1"'] * MAX_CONFIRMATIONS + [None]
    assert (checkpoint.etag, checkpoint.confirmations) == ('"v1"', 0)
    assert counts_of(fetched) == Counts(received=2, unchanged=2)


async def test_not_modified_from_a_source_without_a_checkpoint_is_an_error(rig: Rig) -> None:
    fetched = await rig.fetch(rig.source("one"))()

    error = only(fetched).error
    assert error is not None
    assert (fetched.outcome, error.code) == (Outcome.FAILED, "unexpected_content")
    assert fetched.freshness.checkpoints == ()


@pytest.mark.parametrize("pages", [1, 3])
async def test_the_same_bodies_again_rewrite_nothing(rig: Rig, pages: int) -> None:
    source = rig.source("one", *(posts(2, first=10 * page) for page in range(pages)))
    fetch = rig.fetch(source)
    await fetch()
    before = await rig.stored()
    rig.clock.advance(60)

    again = await fetch()

    assert again.outcome is Outcome.UNCHANGED
    assert counts_of(again) == Counts(received=2 * pages, unchanged=2 * pages)
    assert (await rig.stored(), again.freshness.seq) == (before, 1)
    assert again.freshness.fetched_at == rig.clock.now()


async def test_the_same_body_again_is_not_normalised(rig: Rig) -> None:
    class Reads(type(rig.source("one"))):  # type: ignore[misc]
        """A source that records what it normalises."""

        def normalise(self, payload: Payload) -> Batch[Post]:
            """Read the payload, and record it."""
            read.append(payload.receipt)
            return super().normalise(payload)  # type: ignore[no-any-return]

    read: list[int] = []
    source = Reads("one", Post, rig.clock, posts(2))
    fetch = rig.fetch(source)
    await fetch()
    rig.clock.advance(60)

    await fetch()

    assert read == [1]


async def test_the_same_bad_records_again_are_counted_again(rig: Rig) -> None:
    source = rig.source("one", many(good=2, bad=1))
    fetch = rig.fetch(source)
    await fetch()
    rig.clock.advance(60)

    again = await fetch()

    assert counts_of(again) == Counts(received=3, unchanged=2, quarantined=1)
    assert again.outcome is Outcome.PARTIAL
    assert await rig.quarantine.count("posts") == 1


# ---------------------------------------------------------------- bad records


async def test_an_invalid_record_is_quarantined_and_the_valid_ones_are_stored(rig: Rig) -> None:
    fetched = await rig.fetch(rig.source("one", body(GOOD, BAD)))()

    [waiting] = await rig.quarantine.recent("posts", 10)
    assert (fetched.outcome, fetched.job.status) == (Outcome.PARTIAL, JobStatus.PARTIAL)
    assert only(fetched).status is SourceStatus.PARTIAL
    assert counts_of(fetched) == Counts(received=2, inserted=1, quarantined=1)
    assert (waiting.source, waiting.receipt, waiting.pointer) == ("one", 1, "/1")
    assert waiting.excerpt == '{"id":"one"}'


async def test_an_unstorable_record_is_named_by_its_pointer_and_field(rig: Rig) -> None:
    fetched = await rig.fetch(rig.source("one", body(GOOD, {**GOOD, "id": 2, "title": "\0"})))()

    [waiting] = await rig.quarantine.recent("posts", 10)
    assert counts_of(fetched) == Counts(received=2, inserted=1, quarantined=1)
    assert waiting.pointer == "/1/title"
    assert waiting.reason == "title holds the character U+0000"
    assert "'id': 2" in waiting.excerpt


async def test_without_a_pointer_the_key_names_the_record(rig: Rig) -> None:
    class Silent(MemorySource[Any]):
        """A source without pointers to its records."""

        def normalise(self, payload: Payload) -> Batch[Any]:
            """Read the payload, without pointers."""
            return replace(super().normalise(payload), pointer=None)

    source = Silent("one", Post, rig.clock, body(GOOD, {**GOOD, "id": 2, "title": "\0"}))

    await rig.fetch(source)()

    [waiting] = await rig.quarantine.recent("posts", 10)
    assert waiting.pointer == "posts(2)/title"


async def test_a_body_that_is_not_a_list_of_records_fails_the_source(rig: Rig) -> None:
    fetched = await rig.fetch(rig.source("one", b"<html>"))()

    error = only(fetched).error
    assert error is not None
    assert error.code == "unexpected_content"
    assert rig.database.receipts == 1  # the payload is stored nevertheless


@pytest.mark.parametrize(
    ("good", "bad", "held"),
    [
        (0, HOLD_COUNT - 1, False),  # few
        (80, HOLD_COUNT, False),  # 20 % is not more than 20 %
        (79, HOLD_COUNT, True),
        (0, HOLD_COUNT, True),
        (1000, 100, False),
    ],
)
async def test_too_many_bad_records_hold_the_merge(
    rig: Rig, good: int, bad: int, held: bool
) -> None:
    fetched = await rig.fetch(rig.source("one", many(good, bad)))()

    error = only(fetched).error
    assert (error is not None and error.code == "held") is held
    assert counts_of(fetched).quarantined == bad
    assert len(await rig.stored()) == (0 if held else good)


async def test_a_first_fetch_that_is_held_stores_nothing(rig: Rig) -> None:
    fetched = await rig.fetch(rig.source("one", many(good=30, bad=25)))()

    assert only(fetched).counts == Counts(received=55, quarantined=25, held=30)
    assert fetched.outcome is Outcome.FAILED
    assert await rig.stored() == []


async def test_a_held_merge_keeps_the_old_data_and_gives_the_reason(rig: Rig) -> None:
    source = rig.source("one", posts(2, title="old"))
    fetch = rig.fetch(source)
    first = await fetch()
    rig.clock.advance(60)
    source.pages = [posts(1, title="new"), many(good=5, bad=30)]

    held = await fetch()

    report = only(held)
    assert report.status is SourceStatus.FAILED
    assert report.counts == Counts(received=36, quarantined=30, held=6)
    assert report.error is not None
    assert report.error.detail.startswith("30 of 36 records cannot be read")
    assert "/5" in report.error.detail
    assert await rig.titles() == ["old", "old"]
    assert held.freshness.checkpoints == first.freshness.checkpoints


# ---------------------------------------------------------------- keys that are none


def again(*numbers: int) -> list[Any]:
    """Posts of these numbers, each with a title of its own."""
    return [{**GOOD, "id": number, "title": f"{place}"} for place, number in enumerate(numbers)]


async def test_of_two_records_of_a_page_with_one_key_the_later_waits_in_quarantine(
    rig: Rig,
) -> None:
    fetched = await rig.fetch(rig.source("one", body(*again(1, 2, 1), BAD, again(1)[0])))()

    [bad, waiting] = sorted(await rig.quarantine.recent("posts", 10), key=lambda one: one.pointer)[
        ::-1
    ]
    assert counts_of(fetched) == Counts(received=5, inserted=2, duplicates=1, quarantined=2)
    assert await rig.titles() == ["0", "1"]
    assert bad.pointer == "/3"
    assert waiting.pointer == "/2"
    assert waiting.reason == "key_not_unique: /0 has the same id and different values"
    assert "'title': '2'" in waiting.excerpt


async def test_on_a_later_page_the_last_one_wins(rig: Rig) -> None:
    source = rig.source("one", body(*again(1, 2)), body(*again(3, 1)))

    assert counts_of(await rig.fetch(source)()) == Counts(received=4, inserted=3, duplicates=1)
    assert await rig.titles() == ["1", "1", "0"]


@pytest.mark.parametrize(
    ("others", "repeats", "held"),
    [
        (0, 1, False),  # one alone
        (197, 2, False),  # 1 % is not more than 1 %
        (196, 2, True),
        (0, 2, True),
    ],
)
async def test_a_key_that_is_none_holds_the_merge(
    rig: Rig, others: int, repeats: int, held: bool
) -> None:
    source = rig.source("one", body(*again(*range(others + 1), *[0] * repeats)))

    fetched = await rig.fetch(source)()

    error = only(fetched).error
    received = others + 1 + repeats
    assert (error is not None) is held
    assert counts_of(fetched).quarantined == repeats
    assert len(await rig.stored()) == (0 if held else others + 1)
    if error is not None:
        assert (error.code, fetched.outcome) == ("key_not_unique", Outcome.FAILED)
        assert error.detail.startswith(
            f"{repeats} of {received} records repeat the key of another record of the same page"
        )
        assert f"/{others + 1}: key_not_unique: /0 has the same id" in error.detail


async def test_records_that_cannot_be_read_are_told_before_keys_that_are_none(rig: Rig) -> None:
    fetched = await rig.fetch(rig.source("one", body(*again(1, 1, 1), *([BAD] * HOLD_COUNT))))()

    error = only(fetched).error
    assert error is not None
    assert (error.code, error.detail[:11]) == ("held", "20 of 23 re")


# ---------------------------------------------------------------- failing sources


async def test_a_failing_source_is_reported_and_not_raised(rig: Rig) -> None:
    source = rig.source("one", posts(1))
    source.failure = SourceBlocked("too many requests", retry_at=rig.clock.now())

    fetched = await rig.fetch(source)()

    report = only(fetched)
    assert report.error == Failure("source_blocked", "too many requests", rig.clock.now())
    assert (fetched.outcome, fetched.job.status) == (Outcome.FAILED, JobStatus.FAILED)
    assert fetched.freshness.last_status is JobStatus.FAILED


async def test_a_source_that_fails_midway_keeps_the_old_data(rig: Rig) -> None:
    source = rig.source("one", posts(1, title="old"))
    fetch = rig.fetch(source)
    first = await fetch()
    rig.clock.advance(60)
    source.pages = [posts(1, title="new"), posts(1, first=2), posts(1, first=3)]
    source.failure, source.fails_after = SourceUnavailable("connection reset"), 2

    failed = await fetch()

    assert failed.outcome is Outcome.FAILED
    assert only(failed).requests == 2
    assert await rig.titles() == ["old"]
    assert failed.freshness.checkpoints == first.freshness.checkpoints


async def test_one_of_two_sources_failing_is_a_partial_fetch(rig: Rig) -> None:
    good, bad = rig.shared("good"), rig.shared("bad")
    bad.failure = SourceUnavailable("no answer")

    fetched = await rig.fetch(bad, good, dataset=SHARED)()

    assert fetched.job.report is not None
    statuses = [source.status for source in fetched.job.report.sources]
    assert (fetched.outcome, fetched.job.status) == (Outcome.PARTIAL, JobStatus.PARTIAL)
    assert statuses == [SourceStatus.FAILED, SourceStatus.SUCCEEDED]
    assert counts_of(fetched) == Counts(received=1, inserted=1)


async def test_both_of_two_sources_failing_is_a_failed_fetch(rig: Rig) -> None:
    sources = [rig.shared("one"), rig.shared("two")]
    for source in sources:
        source.failure = SourceUnavailable("no answer")

    fetched = await rig.fetch(*sources, dataset=SHARED)()

    assert fetched.outcome is Outcome.FAILED
    assert fetched.job.report is not None
    assert [failure.detail for failure in fetched.job.report.failures] == ["no answer"] * 2


async def test_an_unexpected_exception_fails_the_job_and_is_raised(rig: Rig) -> None:
    good = rig.shared("good")
    fetch = rig.fetch(BuggySource("buggy", Post, rig.clock, posts(1)), good, dataset=SHARED)

    with pytest.raises(ZeroDivisionError):
        await fetch()

    [job] = rig.database.jobs.values()
    assert job.status is JobStatus.FAILED
    assert job.report is not None
    assert {failure.code for failure in job.report.failures} == {"internal_error"}
    assert len(await rig.stored(SHARED)) == 1, "the other source ran to its end"


# ---------------------------------------------------------------- reprocessing


class Shouting(Post, frozen=True):
    """A post with another normalisation: its title is in capitals."""

    def __post_init__(self) -> None:
        msgspec.structs.force_setattr(self, "title", self.title.upper())


async def test_a_new_normaliser_reprocesses_stored_payloads_without_a_request(rig: Rig) -> None:
    await rig.fetch(rig.source("one", posts(2, title="quiet")))()
    source = rig.source("one", record=Shouting)
    source.version = "2"
    rig.clock.advance(1)

    fetched = await rig.fetch(source)()

    assert source.asked == []
    assert fetched.outcome is Outcome.CHANGED
    assert counts_of(fetched) == Counts(received=2, updated=2)
    assert await rig.titles() == ["QUIET", "QUIET"]
    assert (await rig.fetch(source)()).outcome is Outcome.FRESH


async def test_reprocessing_does_not_count_as_a_fetch(rig: Rig) -> None:
    first = await rig.fetch(rig.source("one", posts(2)))()
    source = rig.source("one")
    source.version = "2"
    rig.clock.advance(1)

    fetched = await rig.fetch(source)()

    assert fetched.freshness.fetched_at == first.freshness.fetched_at


async def test_when_the_source_is_due_it_is_asked_as_well(rig: Rig) -> None:
    await rig.fetch(rig.source("one", posts(2, title="old")))()
    source = rig.source("one", posts(3, title="new"), record=Shouting)
    source.version = "2"
    rig.clock.advance(60)

    fetched = await rig.fetch(source)()

    assert counts_of(fetched) == Counts(received=5, inserted=1, updated=4)
    assert await rig.titles() == ["NEW"] * 3
    assert len(source.asked) == 1


async def test_of_the_stored_payloads_the_newest_counts(rig: Rig) -> None:
    source = rig.source("one", posts(2, title="first"))
    await rig.fetch(source)()
    rig.clock.advance(60)
    source.pages = [posts(1, title="second")]
    await rig.fetch(source)()
    again = rig.source("one", record=Shouting)
    again.version = "2"

    fetched = await rig.fetch(again)()

    assert counts_of(fetched) == Counts(received=3, updated=2, duplicates=1)
    assert await rig.titles() == ["SECOND", "FIRST"]


async def test_the_same_body_after_a_new_normaliser_is_counted_by_the_new_one(rig: Rig) -> None:
    await rig.fetch(rig.source("one", body(GOOD, {"id": 2})))()
    source = rig.source("one", body(GOOD, {"id": 2}), record=_Forgiving)
    source.version = "2"
    await rig.fetch(source)()
    rig.clock.advance(60)

    again = await rig.fetch(source)()

    assert counts_of(again) == Counts(received=2, unchanged=2)
    assert again.outcome is Outcome.UNCHANGED


class _Forgiving(msgspec.Struct, frozen=True):
    """A post with only its identifier required."""

    id: int
    user_id: int = 0
    title: str = ""
    body: str = ""


class _Strict(msgspec.Struct, frozen=True):
    """A post as the upstream sends it now: earlier payloads cannot be read."""

    id: int
    user_id: int
    title: str
    body: str
    new: int


async def test_when_stored_payloads_cannot_be_read_the_data_stays_until_the_source_is_due(
    rig: Rig,
) -> None:
    await rig.fetch(rig.source("one", b"[]", many(good=30, bad=0)))()
    source = rig.source("one", record=_Strict)
    source.version = "2"
    rig.clock.advance(1)

    fetched = await rig.fetch(source)()

    error = only(fetched).error
    assert error is not None
    assert (error.code, len(await rig.stored())) == ("held", 30)
    assert source.asked == []


async def test_when_stored_payloads_cannot_be_read_the_source_is_asked_for_everything(
    rig: Rig,
) -> None:
    old = rig.source("one", many(good=30, bad=0))
    old.etag = '"v1"'
    await rig.fetch(old)()
    source = rig.source("one", posts(2))
    source.version, source.etag = "2", '"v1"'
    source.pages = [posts(2)]
    rig.database.kept["posts", "one"][:] = [
        msgspec.structs.replace(payload, body=b"<html>")
        for payload in rig.database.kept["posts", "one"]
    ]
    rig.clock.advance(60)

    fetched = await rig.fetch(source)()

    assert [ask.checkpoint for ask in source.asked] == [None]
    assert only(fetched).error is None
    assert adds_up(counts_of(fetched))
    assert (await rig.fetch(source)()).outcome is Outcome.FRESH
    assert (await rig.store.freshness(POSTS)).fetched_at == rig.clock.now()


async def test_an_old_error_page_does_not_prevent_reprocessing_of_valid_payloads(
    rig: Rig,
) -> None:
    source = rig.source("one", posts(2, title="first"))
    await rig.fetch(source)()
    for pages in ([b"<html>oops"], [posts(2, title="second", first=3)]):
        rig.clock.advance(60)
        source.pages = pages
        await rig.fetch(source)()
    again = rig.source("one", record=Shouting)
    again.version = "2"

    fetched = await rig.fetch(again)()

    assert fetched.outcome is Outcome.CHANGED
    assert await rig.titles() == ["FIRST", "FIRST", "SECOND", "SECOND"]


async def test_a_held_fetch_is_not_merged_by_reprocessing(rig: Rig) -> None:
    source = rig.source("one", posts(200))
    await rig.fetch(source)()
    rig.clock.advance(60)
    source.pages = [many(good=30, bad=25)]
    await rig.fetch(source)()
    again = rig.source("one", record=Shouting)
    again.version = "2"

    fetched = await rig.fetch(again)()

    assert counts_of(fetched) == Counts(received=200, updated=200)


async def test_a_large_body_is_read_like_a_small_one(rig: Rig) -> None:
    large = [Post(number, 1, "t" * 1000, "b" * 1000) for number in range(600)]
    source = rig.source("one", large)

    fetched = await rig.fetch(source)()

    assert counts_of(fetched) == Counts(received=600, inserted=600)


async def test_a_page_that_is_damaged_before_it_is_read_is_not_taken_for_an_empty_one(
    rig: Rig,
) -> None:
    source = rig.source("one", posts(2), posts(2, first=3))
    fetch = rig.fetch(source)
    await fetch()
    source.pages = [posts(2), posts(2, first=3, title="new")]
    rig.database.damaged.add(rig.database.receipts + 1)
    rig.clock.advance(60)

    fetched = await fetch()

    error = only(fetched).error
    assert error is not None
    assert (fetched.outcome, error.code) == (Outcome.FAILED, "damaged_payload")
