"""Replays: rejected records are reprocessed, and newer data is not overwritten."""

import asyncio
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.memory.ingest import MemorySource
from application.ingest.quarantine import ReplayQuarantine
from domain.builtin.posts import POSTS, Post
from domain.dataset import Role
from domain.jobs import LEASE, FetchJob, JobStatus, Mode
from domain.payloads import Batch, Payload
from domain.reports import Counts, Outcome, SourceStatus
from tests.application.reprocessing import GOOD, Forgiving, body, came, fixed, many, strict
from tests.application.rig import Rig, counts_of, only, posts
from tests.sharing import SHARED, SharedPost


async def replayed(rig: Rig, *sources: MemorySource[Any], receipt: int | None = None) -> Any:
    """Replay with these sources, which must not be asked."""
    fetched = await rig.fetch(*sources).reprocess(Role.ADMIN, Mode.REPLAY, receipt)
    assert all(source.asked == [] for source in sources)
    assert fetched.job.mode is Mode.REPLAY
    return fetched


async def waiting(rig: Rig) -> list[str]:
    """Return the pointers of the records in quarantine."""
    return sorted(one.pointer for one in await rig.quarantine.recent("posts", 1000))


# ---------------------------------------------------------------- after a fix


async def test_records_that_can_be_read_now_are_stored_and_leave_the_quarantine(rig: Rig) -> None:
    await came(rig, many(good=3, bad=2))

    fetched = await replayed(rig, fixed(rig))

    assert (fetched.outcome, fetched.job.status) == (Outcome.CHANGED, JobStatus.SUCCEEDED)
    assert counts_of(fetched) == Counts(received=5, inserted=2, unchanged=3)
    assert (only(fetched).requests, only(fetched).bytes) == (0, 0)
    assert len(await rig.stored()) == 5
    assert await waiting(rig) == []


async def test_records_that_cannot_be_read_stay_in_quarantine(rig: Rig) -> None:
    await came(rig, many(good=3, bad=2, hopeless=1))

    fetched = await replayed(rig, fixed(rig))

    assert (fetched.outcome, fetched.job.status) == (Outcome.PARTIAL, JobStatus.PARTIAL)
    assert counts_of(fetched) == Counts(received=6, inserted=2, unchanged=3, quarantined=1)
    assert await waiting(rig) == ["/5"]


async def test_a_replay_without_a_fix_never_changes_anything(rig: Rig) -> None:
    await came(rig, many(good=3, bad=2))
    before = await rig.quarantine.recent("posts", 10), await rig.stored()

    for _ in range(2):
        fetched = await replayed(rig, strict(rig))
        assert counts_of(fetched) == Counts(received=5, unchanged=3, quarantined=2)

    after = await rig.quarantine.recent("posts", 10), await rig.stored()
    assert after[1] == before[1]
    assert [one.id for one in after[0]] == [one.id for one in before[0]]


async def test_a_new_reason_replaces_the_old_one(
    rig: Rig,
) -> None:
    class Demanding(msgspec.Struct, frozen=True):
        """A post with another required field."""

        subject: str
        id: int

    await came(rig, many(good=0, bad=1))
    [before] = await rig.quarantine.recent("posts", 10)

    await replayed(rig, fixed(rig, record=Demanding))

    [after] = await rig.quarantine.recent("posts", 10)
    assert (before.pointer, after.pointer) == ("/0", "/0")
    assert before.reason != after.reason


async def test_a_second_replay_finds_nothing_to_do(rig: Rig) -> None:
    await came(rig, many(good=3, bad=2))
    await replayed(rig, fixed(rig))
    writes = rig.database.tables["posts"].seq, await rig.store.freshness(POSTS)

    again = await replayed(rig, fixed(rig))

    assert (again.outcome, counts_of(again)) == (Outcome.UNCHANGED, Counts())
    assert (rig.database.tables["posts"].seq, await rig.store.freshness(POSTS)) == writes


async def test_one_payload_can_be_replayed_alone(rig: Rig) -> None:
    await came(rig, many(good=1, bad=1), many(good=1, bad=1, first=11))

    fetched = await replayed(rig, fixed(rig), receipt=2)

    assert counts_of(fetched).inserted == 1
    assert sorted(row.id for row in await rig.stored()) == [1, 11, 12]
    assert [one.receipt for one in await rig.quarantine.recent("posts", 10)] == [1]


async def test_all_pages_of_a_fetch_are_replayed(rig: Rig) -> None:
    source = strict(rig, many(good=1, bad=1), many(good=1, bad=1, first=11))
    await rig.fetch(source)()
    assert await waiting(rig) == ["/1", "/1"]

    fetched = await replayed(rig, fixed(rig))

    assert counts_of(fetched) == Counts(received=4, inserted=2, unchanged=2)
    assert await waiting(rig) == []


def of(rig: Rig, name: str, forgiving: bool = False) -> MemorySource[Any]:
    """Return a source of a shared dataset; a lenient one sets the source of its records."""
    fields = [("source", str, name), ("id", int, 0), ("title", str, "title")]
    record = msgspec.defstruct("Known", fields, frozen=True) if forgiving else SharedPost
    source = rig.source(name, body({"source": name, "id": 1}, {"id": 2}), record=record)
    source.version = "2" if forgiving else "1"
    return source


async def test_every_source_replays_its_own_payloads(rig: Rig) -> None:
    await rig.fetch(of(rig, "one"), of(rig, "two"), dataset=SHARED)()
    before = await waiting(rig)
    fixed = [of(rig, name, forgiving=True) for name in ("one", "two")]
    fetch = rig.fetch(*fixed, dataset=SHARED)

    fetched = await ReplayQuarantine(rig.quarantine, {"posts": fetch}).dataset(Role.ADMIN, "posts")

    assert len(before) == 2
    assert counts_of(fetched) == Counts(received=4, inserted=2, unchanged=2)
    assert await waiting(rig) == []


# ---------------------------------------------------------------- newer data stays


async def test_an_old_payload_does_not_overwrite_newer_data(rig: Rig) -> None:
    await came(rig, body({"id": 1}, {"id": 2}), body({**GOOD, "title": "new"}))

    await replayed(rig, fixed(rig))

    assert await rig.titles() == ["new", ""]


async def test_an_old_payload_does_not_overwrite_data_that_a_newer_one_confirmed(rig: Rig) -> None:
    # The row is of the first payload: the third one is equal, and rewrites nothing.
    first = body({**GOOD, "title": "held to"})
    await came(rig, first, body({"id": 1}), first)

    fetched = await replayed(rig, fixed(rig))

    assert await rig.titles() == ["held to"]
    assert counts_of(fetched) == Counts(received=2, unchanged=1, duplicates=1)
    assert await waiting(rig) == []


async def test_a_body_that_arrived_often_since_is_read_once(rig: Rig) -> None:
    await came(rig, body({"id": 1}), *[body(GOOD)] * 5)

    fetched = await replayed(rig, fixed(rig))

    assert counts_of(fetched).received == 2


ITEMS = st.fixed_dictionaries(
    {"id": st.integers(1, 3), "title": st.sampled_from("abc")},
    # Without these fields a record can be read only after the fix.
    optional={"user_id": st.just(1), "body": st.just("b")},
)


#: Of one key a page has one record: another one with other values would stay in quarantine.
PAGES = st.lists(ITEMS, max_size=3, unique_by=lambda item: item["id"])


@given(fetches=st.lists(PAGES, max_size=6), alone=st.booleans())
def test_a_replay_ends_as_if_the_fixed_normaliser_had_read_everything(
    fetches: list[list[dict[str, Any]]], alone: bool
) -> None:
    async def replay() -> list[Any]:
        rig = Rig()
        await came(rig, *(body(*items) for items in fetches))
        while alone and (left := await rig.quarantine.recent("posts", 1)):
            await replayed(rig, fixed(rig), receipt=left[0].receipt)
        await replayed(rig, fixed(rig))
        assert await waiting(rig) == []
        return [(row.id, row.title) for row in await rig.stored()]

    newest = {item["id"]: item["title"] for items in fetches for item in items}

    assert asyncio.run(replay()) == sorted(newest.items())


# ---------------------------------------------------------------- held fetches


async def test_a_held_fetch_stays_held_without_a_fix(rig: Rig) -> None:
    await came(rig, many(good=5, bad=30))

    fetched = await replayed(rig, strict(rig))

    error = only(fetched).error
    assert error is not None
    assert (fetched.outcome, error.code) == (Outcome.FAILED, "held")
    assert counts_of(fetched) == Counts(received=35, quarantined=30, held=5)
    assert await rig.stored() == []
    assert len(await waiting(rig)) == 30


async def test_a_held_fetch_is_merged_after_a_fix_though_nothing_was_merged_before(
    rig: Rig,
) -> None:
    await came(rig, many(good=5, bad=30))

    fetched = await replayed(rig, fixed(rig))

    assert counts_of(fetched) == Counts(received=35, inserted=35)
    assert fetched.freshness.checkpoints == ()
    assert await waiting(rig) == []
    rebuilt = await rig.fetch(fixed(rig)).reprocess(Role.ADMIN, Mode.REBUILD)
    assert counts_of(rebuilt) == Counts(received=35, unchanged=35), "it counts as merged now"


async def test_a_held_fetch_with_fewer_bad_records_is_merged(rig: Rig) -> None:
    await came(rig, many(good=5, bad=30, hopeless=25))

    fetched = await replayed(rig, fixed(rig))

    assert counts_of(fetched) == Counts(received=60, inserted=35, quarantined=25)
    assert len(await waiting(rig)) == 25


async def test_one_payload_of_a_held_fetch_replays_the_whole_fetch(rig: Rig) -> None:
    await rig.fetch(strict(rig, many(good=50, bad=1), many(good=0, bad=60, first=100)))()

    held = await replayed(rig, strict(rig), receipt=1)
    merged = await replayed(rig, fixed(rig), receipt=1)

    assert held.outcome is Outcome.FAILED
    assert counts_of(merged) == Counts(received=111, inserted=111)


async def test_a_held_fetch_does_not_prevent_other_replays(rig: Rig) -> None:
    await came(rig, many(good=1, bad=1), many(good=0, bad=0, hopeless=30))

    fetched = await replayed(rig, fixed(rig))

    report = only(fetched)
    assert report.error is not None
    assert (report.status, report.error.code) == (SourceStatus.PARTIAL, "held")
    assert report.counts == Counts(received=32, inserted=1, unchanged=1, quarantined=30)
    assert (fetched.outcome, len(await waiting(rig))) == (Outcome.PARTIAL, 30)


async def test_a_fetch_with_an_unreadable_page_is_left_out(rig: Rig) -> None:
    await rig.fetch(strict(rig, many(good=1, bad=1), b"<html>"))()

    fetched = await replayed(rig, fixed(rig))

    error = only(fetched).error
    assert error is not None
    assert (fetched.outcome, error.code) == (Outcome.FAILED, "unexpected_content")
    assert await waiting(rig) == ["/1"]


# ---------------------------------------------------------------- worse normalisers


class Strictest(msgspec.Struct, frozen=True):
    """A post with a required field that is always missing."""

    id: int
    never: int


async def test_a_normaliser_that_reads_fewer_records_merges_and_rejects_nothing(rig: Rig) -> None:
    await came(rig, many(good=30, bad=1))
    before = await rig.quarantine.recent("posts", 100), await rig.stored()

    for _ in range(2):
        fetched = await replayed(rig, fixed(rig, record=Strictest))
        error = only(fetched).error
        assert error is not None
        assert (fetched.outcome, error.code) == (Outcome.FAILED, "held")

    assert (await rig.quarantine.recent("posts", 100), await rig.stored()) == before


async def test_many_fetches_with_a_few_bad_records_each_are_not_held_together(rig: Rig) -> None:
    bodies = [many(good=1, bad=2, first=10 * number, hopeless=3) for number in range(1, 21)]
    await came(rig, *bodies)

    fetched = await replayed(rig, fixed(rig))

    assert only(fetched).error is None
    assert counts_of(fetched).inserted == 40
    assert set(await waiting(rig)) == {"/3", "/4", "/5"}


async def test_a_merged_payload_that_cannot_be_read_at_all_fails_the_replay(rig: Rig) -> None:
    class Lost(MemorySource[Any]):
        """A source that cannot read any payload."""

        def normalise(self, payload: Payload) -> Batch[Any]:
            """Fail."""
            return super().normalise(msgspec.structs.replace(payload, body=b"<html>"))

    await came(rig, many(good=1, bad=1))

    fetched = await replayed(rig, Lost("one", Post, rig.clock))

    error = only(fetched).error
    assert error is not None
    assert (fetched.outcome, error.code) == (Outcome.FAILED, "unexpected_content")
    assert await waiting(rig) == ["/1"]


# ---------------------------------------------------------------- differences from a fetch


async def test_a_replay_is_no_fetch_to_freshness_checkpoint_or_schedule(rig: Rig) -> None:
    schedule = await rig.scheduled()
    source = strict(rig, many(good=3, bad=2))
    source.etag = '"v1"'
    first = await rig.fetch(source)()
    rig.clock.advance(60)

    # After failures a success would move the next run forward.
    schedule = msgspec.structs.replace(
        schedule, failures=3, next_run_at=schedule.next_run_at + timedelta(hours=5)
    )
    rig.database.schedules["posts"] = schedule

    fetched = await replayed(rig, fixed(rig))

    before, after = first.freshness.of("one"), fetched.freshness.of("one")
    assert before is not None
    assert after == msgspec.structs.replace(before, digest="", counts=counts_of(fetched))
    assert fetched.freshness.last_status is JobStatus.PARTIAL, "as the fetch ended"
    assert rig.database.schedules["posts"] == schedule


async def test_after_a_replay_the_same_body_is_counted_again(rig: Rig) -> None:
    await came(rig, many(good=3, bad=2))
    lenient = rig.source("one", many(good=3, bad=2), record=Forgiving)
    await rig.fetch(lenient).reprocess(Role.ADMIN, Mode.REPLAY)

    again = await rig.fetch(lenient)()

    assert counts_of(again) == Counts(received=5, unchanged=5)


async def test_payloads_without_rejections_are_reprocessed_by_the_next_fetch(rig: Rig) -> None:
    class Shouting(msgspec.Struct, frozen=True):
        """A post whose title is in capitals."""

        id: int
        user_id: int = 0
        title: str = ""
        body: str = ""

        def __post_init__(self) -> None:
            msgspec.structs.force_setattr(self, "title", self.title.upper())

    await came(rig, body({**GOOD, "title": "early"}), body({**GOOD, "id": 2}, {"id": 3}))
    source = fixed(rig, record=Shouting)
    await rig.fetch(source).reprocess(Role.ADMIN, Mode.REPLAY)
    assert await rig.titles() == ["early", "T", ""]
    source.pages = [posts(0)]

    await rig.fetch(source)()

    assert await rig.titles() == ["EARLY", "T", ""]


async def test_a_fetch_after_a_fix_releases_records_from_quarantine(rig: Rig) -> None:
    await came(rig, many(good=3, bad=2, hopeless=1))
    source = fixed(rig, many(good=3, bad=2, hopeless=1))

    await rig.fetch(source)()

    assert await waiting(rig) == ["/5"]


# ---------------------------------------------------------------- lost workers


async def test_an_abandoned_replay_is_run_by_another_worker(rig: Rig) -> None:
    await came(rig, many(good=3, bad=2))
    job = await rig.queued(Mode.REPLAY)
    assert await rig.jobs.claim(job.id) is not None
    rig.clock.advance(LEASE)
    source = fixed(rig)

    ran = await rig.fetch(source).run(job.id)

    assert ran is not None
    assert (ran.status, ran.attempts, source.asked) == (JobStatus.SUCCEEDED, 2, [])
    assert await waiting(rig) == []


async def test_a_replay_that_kills_its_workers_is_given_up(rig: Rig) -> None:
    schedule = await rig.scheduled()
    await came(rig, many(good=3, bad=2))
    job = await rig.queued(Mode.REPLAY)
    for _ in range(5):
        assert await rig.jobs.claim(job.id) is not None
        rig.clock.advance(LEASE)

    ran = await rig.fetch(fixed(rig)).run(job.id)

    assert ran is not None
    assert ran.report is not None
    assert [failure.code for failure in ran.report.failures] == ["gave_up"]
    assert rig.database.schedules["posts"] == schedule


def lost_before_its_end(rig: Rig, job: FetchJob) -> None:
    """Reset a job to its state when its worker was lost between the merge and the end."""
    rig.database.jobs[job.id] = msgspec.structs.replace(
        job, status=JobStatus.RUNNING, report=None, finished_at=None, lease_until=rig.clock.now()
    )


async def test_a_fetch_that_is_taken_over_after_not_modified_reports_no_records(rig: Rig) -> None:
    source = strict(rig, posts(2))
    source.etag = '"v1"'
    await rig.fetch(source)()
    rig.clock.advance(60)
    first = await rig.fetch(source).run((await rig.queued()).id)
    assert first is not None
    lost_before_its_end(rig, first)

    again = await rig.fetch(source).run(first.id)

    assert again is not None
    assert again.report is not None
    assert [source.source for source in again.report.sources] == ["one"]
    assert again.report.counts == Counts()
    assert len(source.asked) == 2


@pytest.mark.parametrize("bad", [0, 1])
async def test_a_fetch_that_is_taken_over_after_its_merge_reports_what_was_merged(
    rig: Rig, bad: int
) -> None:
    source = strict(rig, many(good=2, bad=bad))
    job = await rig.queued()
    first = await rig.fetch(source).run(job.id)
    assert first is not None
    lost_before_its_end(rig, first)

    again = await rig.fetch(source).run(job.id)

    assert again is not None
    assert again.report is not None
    assert again.status is first.status
    assert again.report.counts == Counts(received=2 + bad, inserted=2, quarantined=bad)
    assert len(source.asked) == 1
