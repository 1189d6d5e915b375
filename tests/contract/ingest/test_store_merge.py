"""Contract of `Intake`: complete merges or none, with every record counted."""

from datetime import timedelta

import pytest

from domain.builtin.posts import POSTS, Post
from domain.checkpoints import Checkpoint
from domain.dataset import CHANGED_AT
from domain.errors import LeaseLost
from domain.filters import Filter
from domain.jobs import LEASE, FetchJob, JobStatus
from domain.paging import PageRequest, Sort
from domain.reports import Counts, Rejection
from tests.contract.backends import Backend
from tests.strategies import SAMPLES, sample

ALL = Filter()


def plain(row: object) -> dict[str, object]:
    """Return a row's own fields."""
    return {name: getattr(row, name) for name in SAMPLES.fields if name != CHANGED_AT.name}


async def test_an_empty_dataset_has_no_rows_and_was_never_fetched(backend: Backend) -> None:
    freshness = await backend.store.freshness(SAMPLES)

    assert await backend.everything() == []
    assert await backend.store.count(SAMPLES, ALL) == 0
    assert await backend.store.get(SAMPLES, ("a", 1), ALL) is None
    assert (freshness.seq, freshness.checkpoints, freshness.last_status) == (0, (), None)


async def test_new_records_are_inserted_as_they_are(backend: Backend) -> None:
    full = sample(
        1,
        count=-5,
        price=0.1,
        rating=1e308,
        checked=False,
        closed_at=backend.clock.now() - timedelta(microseconds=1),
        note="é, \\ 😀",
        state="off",
        tags=["x", "", "x,y"],
        labels=["\\"],
    )

    counts = await backend.bring([full, sample(2)])

    rows = await backend.everything()
    assert counts == Counts(received=2, inserted=2)
    assert [plain(row) for row in rows] == [plain(full), plain(sample(2))]
    assert [type(row) for row in rows] == [SAMPLES.row, SAMPLES.row]
    assert [row._changed_at for row in rows] == [backend.clock.now()] * 2


async def test_a_changed_record_is_updated(backend: Backend) -> None:
    await backend.bring([sample(1, title="old"), sample(2)])
    backend.clock.advance(60)

    counts = await backend.bring([sample(1, title="new")])

    row = await backend.store.get(SAMPLES, ("a", 1), ALL)
    assert counts == Counts(received=1, updated=1)
    assert row is not None
    assert (row.title, row._changed_at) == ("new", backend.clock.now())


async def test_a_change_is_later_than_the_one_before_though_the_clock_was_set_back(
    backend: Backend,
) -> None:
    await backend.bring([sample(1)])
    backend.clock.advance(-60)

    await backend.bring([sample(1), sample(2)])
    await backend.bring([sample(3)])

    times = [row._changed_at for row in await backend.everything()]
    assert times[0] < times[1] < times[2]
    assert times[0] > backend.clock.now()


@pytest.mark.parametrize(
    "changed",
    [
        {"count": 0},
        {"price": 1.0000000000000002},
        {"rating": 0.0},
        {"ready": False},
        {"checked": False},
        {"title": "A title"},
        {"note": ""},
        {"mood": "angry"},
        {"state": "on"},
        {"tags": [""]},
        {"labels": []},
    ],
    ids=lambda changed: next(iter(changed)),
)
async def test_a_change_of_any_field_is_a_change(
    backend: Backend, changed: dict[str, object]
) -> None:
    await backend.bring([sample(1)])

    assert await backend.bring([sample(1, **changed)]) == Counts(received=1, updated=1)
    assert await backend.bring([sample(1)]) == Counts(received=1, updated=1)


async def test_an_equal_record_is_not_rewritten(backend: Backend) -> None:
    await backend.bring([sample(1), sample(2)])
    before = await backend.everything()
    backend.clock.advance(60)

    counts = await backend.bring([sample(1), sample(2)])

    assert counts == Counts(received=2, unchanged=2)
    assert await backend.everything() == before


async def test_of_the_same_key_the_last_record_wins_and_the_others_are_duplicates(
    backend: Backend,
) -> None:
    counts = await backend.bring(
        [sample(1, title="first"), sample(2), sample(1, title="second"), sample(1, title="last")]
    )

    assert counts == Counts(received=4, inserted=2, duplicates=2)
    assert [row.title for row in await backend.everything()] == ["last", "a title"]


async def test_a_key_repeated_on_a_later_page_is_a_duplicate(backend: Backend) -> None:
    job = await backend.claimed()
    async with backend.intakes.open(SAMPLES, "one", job) as intake:
        first = await intake.keep(backend.payload(b"[1]"))
        await intake.add([sample(1, title="first")], first)
        second = await intake.keep(backend.payload(b"[2]"))
        await intake.add([sample(1, title="second")], second)
        counts = await intake.commit(backend.checkpoint(job))

    assert counts == Counts(received=2, inserted=1, duplicates=1)
    assert [row.title for row in await backend.everything()] == ["second"]


async def test_rows_that_are_no_longer_received_stay(backend: Backend) -> None:
    await backend.bring([sample(1), sample(2)])

    await backend.bring([sample(2)])

    assert [row.number for row in await backend.everything()] == [1, 2]


async def test_records_with_a_different_key_part_are_different(backend: Backend) -> None:
    counts = await backend.bring([sample(1), sample(1, source="b"), sample(1, source="A")])

    assert counts.inserted == 3
    assert [row.source for row in await backend.everything()] == ["A", "a", "b"]


async def test_a_row_from_a_newer_receipt_stays(backend: Backend) -> None:
    job = await backend.claimed()
    async with backend.intakes.open(SAMPLES, "slow", job) as slow:
        older = await slow.keep(backend.payload(b"older"))
        async with backend.intakes.open(SAMPLES, "quick", job) as quick:
            newer = await quick.keep(backend.payload(b"newer"))
            await quick.add([sample(1, title="newer")], newer)
            await quick.commit(backend.checkpoint(job, "quick"))
        before = await backend.everything()
        backend.clock.advance(1)
        await slow.add([sample(1, title="older"), sample(2)], older)
        counts = await slow.commit(backend.checkpoint(job, "slow"))

    rows = await backend.everything()
    assert counts == Counts(received=2, inserted=1, unchanged=1)
    assert rows[0] == before[0]
    assert [row.title for row in rows] == ["newer", "a title"]


async def test_reprocessing_the_same_receipt_replaces_the_row(
    backend: Backend,
) -> None:
    job = await backend.claimed()
    async with backend.intakes.open(SAMPLES, "one", job) as intake:
        kept = await intake.keep(backend.payload())
        await intake.add([sample(1, title="misread")], kept)
        await intake.commit(backend.checkpoint(job))

    async with backend.intakes.open(SAMPLES, "one", job) as intake:
        await intake.add([sample(1, title="read well")], kept)
        counts = await intake.commit(backend.checkpoint(job))

    assert counts == Counts(received=1, updated=1)
    assert [row.title for row in await backend.everything()] == ["read well"]


# ---------------------------------------------------------------- atomic and fenced


async def test_nothing_is_seen_before_the_commit(backend: Backend) -> None:
    await backend.bring([sample(1, title="old")])
    before = await backend.everything()
    freshness = await backend.store.freshness(SAMPLES)
    job = await backend.claimed()

    async with backend.intakes.open(SAMPLES, "one", job) as intake:
        kept = await intake.keep(backend.payload())
        await intake.add([sample(1, title="new"), sample(2)], kept)
        during = await backend.everything()
        freshness_during = await backend.store.freshness(SAMPLES)
        await intake.commit(backend.checkpoint(job))

    assert during == before
    assert freshness_during == freshness
    assert [row.title for row in await backend.everything()] == ["new", "a title"]


async def test_leaving_without_a_commit_leaves_the_records_as_they_were(backend: Backend) -> None:
    await backend.bring([sample(1, title="old")])
    before = await backend.everything()
    freshness = await backend.store.freshness(SAMPLES)
    job = await backend.claimed()

    async with backend.intakes.open(SAMPLES, "one", job) as intake:
        kept = await intake.keep(backend.payload())
        await intake.add([sample(1, title="new"), sample(2)], kept)

    assert await backend.everything() == before
    assert await backend.store.freshness(SAMPLES) == freshness


async def _break_off(backend: Backend, job: FetchJob) -> None:
    async with backend.intakes.open(SAMPLES, "one", job) as intake:
        kept = await intake.keep(backend.payload())
        await intake.add([sample(1)], kept)
        raise ZeroDivisionError


async def test_an_exception_leaves_the_records_as_they_were(backend: Backend) -> None:
    job = await backend.claimed()

    with pytest.raises(ZeroDivisionError):
        await _break_off(backend, job)

    assert await backend.everything() == []
    await backend.end(job)
    assert await backend.bring([sample(1)]) == Counts(received=1, inserted=1)


async def test_a_worker_thought_dead_cannot_commit(backend: Backend) -> None:
    job = await backend.claimed()
    async with backend.intakes.open(SAMPLES, "one", job) as intake:
        kept = await intake.keep(backend.payload())
        await intake.add([sample(1)], kept)
        backend.clock.advance(LEASE)
        successor = await backend.jobs.claim(job.id)

        with pytest.raises(LeaseLost):
            await intake.commit(backend.checkpoint(job))

    assert successor is not None
    assert await backend.everything() == []
    assert (await backend.store.freshness(SAMPLES)).checkpoints == ()


async def test_a_worker_thought_dead_can_neither_keep_nor_reject(backend: Backend) -> None:
    job = await backend.claimed()
    async with backend.intakes.open(SAMPLES, "one", job) as intake:
        kept = await intake.keep(backend.payload())
        backend.clock.advance(LEASE)
        await backend.jobs.claim(job.id)

        with pytest.raises(LeaseLost):
            await intake.keep(backend.payload(b"another"))
        with pytest.raises(LeaseLost):
            await intake.reject([Rejection("/0", "is bad")], kept)

    assert await backend.quarantine.count(SAMPLES.name) == 0


async def test_zero_has_no_sign(backend: Backend) -> None:
    await backend.bring([sample(1, price=-0.0, rating=-0.0)])

    again = await backend.bring([sample(1, price=0.0, rating=0.0)])

    [row] = await backend.everything()
    assert again == Counts(received=1, unchanged=1)
    assert (str(row.price), str(row.rating)) == ("0.0", "0.0")


async def test_its_successor_can_commit(backend: Backend) -> None:
    job = await backend.claimed()
    backend.clock.advance(LEASE)
    successor = await backend.jobs.claim(job.id)
    assert successor is not None

    async with backend.intakes.open(SAMPLES, "one", successor) as intake:
        kept = await intake.keep(backend.payload())
        await intake.add([sample(1)], kept)
        counts = await intake.commit(backend.checkpoint(successor))

    assert counts == Counts(received=1, inserted=1)


async def test_an_expired_lease_without_a_new_claim_does_not_hinder_a_commit(
    backend: Backend,
) -> None:
    job = await backend.claimed()
    async with backend.intakes.open(SAMPLES, "one", job) as intake:
        kept = await intake.keep(backend.payload())
        await intake.add([sample(1)], kept)
        backend.clock.advance(LEASE * 2)

        assert await intake.commit(backend.checkpoint(job)) == Counts(received=1, inserted=1)


async def test_a_job_that_has_ended_cannot_commit(backend: Backend) -> None:
    job = await backend.claimed()
    async with backend.intakes.open(SAMPLES, "one", job) as intake:
        kept = await intake.keep(backend.payload())
        await intake.add([sample(1)], kept)
        await backend.end(job)

        with pytest.raises(LeaseLost):
            await intake.commit(backend.checkpoint(job))

    assert await backend.everything() == []


async def test_an_unknown_job_cannot_commit(backend: Backend) -> None:
    job = backend.queued().claimed(backend.clock.now())
    async with backend.intakes.open(SAMPLES, "one", job) as intake:
        with pytest.raises(LeaseLost):
            await intake.commit(backend.checkpoint(job))


# ---------------------------------------------------------------- sequence and checkpoints


async def test_the_sequence_moves_by_one_when_any_record_changed(backend: Backend) -> None:
    seqs = [(await backend.store.freshness(SAMPLES)).seq]
    for records in ([sample(1), sample(2)], [sample(1), sample(3)], [sample(1, title="new")]):
        await backend.bring(records)
        seqs.append((await backend.store.freshness(SAMPLES)).seq)

    assert seqs == [0, 1, 2, 3]


@pytest.mark.parametrize("records", [[], [sample(1)], [sample(1), sample(1)]])
async def test_the_sequence_stands_still_when_no_record_changed(
    backend: Backend, records: list[object]
) -> None:
    await backend.bring([sample(1)])

    await backend.bring(records)

    assert (await backend.store.freshness(SAMPLES)).seq == 1


async def test_every_source_has_its_own_checkpoint(backend: Backend) -> None:
    job = await backend.claimed()
    noted = []
    for source in ("two", "one"):
        backend.clock.advance(1)
        checkpoint = backend.checkpoint(job, source)
        async with backend.intakes.open(SAMPLES, source, job) as intake:
            await intake.commit(checkpoint)
        noted.append(checkpoint)

    freshness = await backend.store.freshness(SAMPLES)

    assert set(freshness.checkpoints) == set(noted)
    assert freshness.of("two") == noted[0]
    assert freshness.fetched_at == backend.clock.now()


async def test_a_checkpoint_comes_back_as_it_was(backend: Backend) -> None:
    job = await backend.claimed()
    full = Checkpoint(
        source="one",
        fetched_at=backend.clock.now() + timedelta(microseconds=1),
        job_id=job.id,
        url="https://example.com/?q=é",
        etag='W/"a"',
        last_modified="Thu, 01 Jan 2026 00:00:00 GMT",
        digest="d" * 64,
        normaliser_version="n" * 16,
        confirmations=3,
        counts=Counts(received=3, unchanged=2, quarantined=1),
    )

    async with backend.intakes.open(SAMPLES, "one", job) as intake:
        await intake.commit(full)

    assert (await backend.store.freshness(SAMPLES)).checkpoints == (full,)


async def test_a_new_checkpoint_takes_the_place_of_the_old_one(backend: Backend) -> None:
    await backend.bring([sample(1)])
    backend.clock.advance(60)
    await backend.bring([sample(1)])

    checkpoints = (await backend.store.freshness(SAMPLES)).checkpoints

    assert [checkpoint.fetched_at for checkpoint in checkpoints] == [backend.clock.now()]


async def test_checkpoints_are_in_the_plain_order_of_their_sources(backend: Backend) -> None:
    for source in ("b", "a", "B", "_"):
        await backend.bring([], source=source)

    freshness = await backend.store.freshness(SAMPLES)

    assert [checkpoint.source for checkpoint in freshness.checkpoints] == ["B", "_", "a", "b"]


async def test_freshness_has_the_status_of_the_last_job(backend: Backend) -> None:
    statuses = []
    for status in (JobStatus.FAILED, JobStatus.SUCCEEDED, JobStatus.PARTIAL):
        backend.clock.advance(1)
        await backend.end(await backend.claimed(), status)
        await backend.jobs.request(backend.queued(POSTS))
        statuses.append((await backend.store.freshness(SAMPLES)).last_status)

    assert statuses == [JobStatus.FAILED, JobStatus.SUCCEEDED, JobStatus.PARTIAL]


async def test_a_page_says_in_which_state_it_was_read(backend: Backend) -> None:
    await backend.bring([sample(1)])

    page = await backend.store.find(SAMPLES, PageRequest(sort=Sort.parse(SAMPLES, "")))

    assert page.freshness == await backend.store.freshness(SAMPLES)
    assert page.freshness.seq == 1


async def test_datasets_do_not_touch_each_other(backend: Backend) -> None:
    await backend.bring([sample(1)])

    counts = await backend.bring([Post(1, 2, "title", "body")], POSTS)

    post = await backend.store.get(POSTS, (1,), ALL)
    assert counts == Counts(received=1, inserted=1)
    assert post is not None
    assert (post.id, post.user_id, post.title, post.body) == (1, 2, "title", "body")
    assert [row.number for row in await backend.everything()] == [1]
    assert (await backend.store.freshness(SAMPLES)).seq == 1
