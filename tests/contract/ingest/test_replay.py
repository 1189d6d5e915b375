"""Contract of `Intake` in a replay: records are released once they can be read."""

import msgspec
import pytest

from application.ports.ingest import Intake
from application.ports.jobs import JobFilter
from domain.errors import LeaseLost
from domain.jobs import FetchJob, JobStatus, Mode
from domain.payloads import Payload, Replay
from domain.reports import Counts, FetchReport, Rejection
from tests.contract.backends import Backend
from tests.strategies import SAMPLES, sample

BAD = Rejection("/0/title", "expected text")
WORSE = Rejection("/1", "expected an object")


async def fetched(
    backend: Backend, *rejections: Rejection, body: bytes = b"[]", merges: bool = True
) -> Payload:
    """Return a payload of which these records were rejected, merged or not."""
    job = await backend.claimed()
    async with backend.intakes.open(SAMPLES, "one", job) as intake:
        kept = await intake.keep(backend.payload(body))
        await intake.reject(rejections, kept)
        if merges:
            await intake.commit(backend.checkpoint(job))
    await backend.end(job)
    return kept


async def pointers(backend: Backend) -> set[str]:
    """Return the pointers of the records in quarantine."""
    return {one.pointer for one in await backend.quarantine.recent(SAMPLES.name, 100)}


async def receipts(intake: Intake[object], replay: Replay | None = None) -> list[int]:
    """Return the receipts of the stored payloads."""
    return [kept.receipt.id async for kept in intake.kept(replay)]


# ---------------------------------------------------------------- replayed payloads


async def test_a_receipt_says_which_job_it_was_for_and_what_became_of_it(backend: Backend) -> None:
    merged = await fetched(backend, BAD, body=b"1")
    held = await fetched(backend, WORSE, Rejection("/2", "?"), body=b"2", merges=False)
    jobs = [job.id for job in await _jobs(backend)]
    job = await backend.claimed()

    async with backend.intakes.open(SAMPLES, "one", job) as intake:
        kept = [kept async for kept in intake.kept(Replay())]

    assert [one.payload for one in kept] == [merged, held]
    receipts = [(r.id, r.job_id, r.merged, r.waiting) for r in (one.receipt for one in kept)]
    assert receipts == [(merged.receipt, jobs[1], True, 1), (held.receipt, jobs[0], False, 2)]
    assert len({one.receipt.body for one in kept}) == 2


async def _jobs(backend: Backend) -> list[FetchJob]:
    return await backend.history.recent(JobFilter((SAMPLES.name,)), 10)


async def test_a_replay_reads_what_waits_and_what_was_committed_since(backend: Backend) -> None:
    before = await fetched(backend, body=b"before")
    held = await fetched(backend, BAD, body=b"held", merges=False)
    nothing = await fetched(backend, body=b"failed", merges=False)
    since = await fetched(backend, body=b"since")
    job = await backend.claimed()

    async with backend.intakes.open(SAMPLES, "one", job) as intake:
        assert await receipts(intake, Replay()) == [held.receipt, since.receipt]
        assert await receipts(intake, Replay(held.receipt)) == [held.receipt, since.receipt]
        assert await receipts(intake, Replay(nothing.receipt)) == []
        assert await receipts(intake) == [before.receipt, since.receipt]


async def test_rejected_records_of_another_source_are_not_read(backend: Backend) -> None:
    await fetched(backend, BAD)
    job = await backend.claimed()

    async with backend.intakes.open(SAMPLES, "two", job) as intake:
        assert await receipts(intake, Replay()) == []


async def test_equal_bodies_have_equal_digests(backend: Backend) -> None:
    await fetched(backend, BAD, body=b"same")
    await fetched(backend, body=b"same")
    job = await backend.claimed()

    async with backend.intakes.open(SAMPLES, "one", job) as intake:
        kept = [kept.receipt.body async for kept in intake.kept(Replay())]

    assert len(kept) == 2
    assert len(set(kept)) == 1


# ---------------------------------------------------------------- released records


async def test_records_no_longer_rejected_are_released_by_the_commit(backend: Backend) -> None:
    payload = await fetched(backend, BAD, WORSE)
    job = await backend.claimed()

    async with backend.intakes.open(SAMPLES, "one", job) as intake:
        await intake.reject([WORSE], payload)
        before = await pointers(backend)
        await intake.commit(backend.checkpoint(job))

    assert before == {BAD.pointer, WORSE.pointer}
    assert await pointers(backend) == {WORSE.pointer}


async def test_without_a_commit_nothing_is_released(backend: Backend) -> None:
    payload = await fetched(backend, BAD, merges=False)
    job = await backend.claimed()

    async with backend.intakes.open(SAMPLES, "one", job) as intake:
        await intake.reject([], payload)
    async with backend.intakes.open(SAMPLES, "one", job) as intake:
        assert await receipts(intake) == [], "it is not merged either"

    assert await pointers(backend) == {BAD.pointer}


async def test_a_commit_that_comes_too_late_releases_nothing(backend: Backend) -> None:
    payload = await fetched(backend, BAD)
    job = await backend.claimed()

    async with backend.intakes.open(SAMPLES, "one", job) as intake:
        await intake.reject([], payload)
        await backend.jobs.cancel(job.id)
        with pytest.raises(LeaseLost):
            await intake.commit(backend.checkpoint(job))

    assert await pointers(backend) == {BAD.pointer}


async def test_rejected_records_of_other_payloads_stay(backend: Backend) -> None:
    payload = await fetched(backend, BAD)
    await fetched(backend, WORSE)
    job = await backend.claimed()

    async with backend.intakes.open(SAMPLES, "one", job) as intake:
        await intake.reject([], payload)
        new = await intake.keep(backend.payload(b"new"))
        await intake.reject([Rejection("/9", "is new")], new)
        await intake.commit(backend.checkpoint(job))

    assert await pointers(backend) == {WORSE.pointer, "/9"}


async def test_reading_an_old_payload_again_does_not_make_it_the_one_seen_last(
    backend: Backend,
) -> None:
    old = await fetched(backend, BAD, body=b"old")
    new = await fetched(backend, BAD, body=b"new")
    job = await backend.claimed()

    async with backend.intakes.open(SAMPLES, "one", job) as intake:
        await intake.reject([BAD], old)
        await intake.commit(backend.checkpoint(job))

    [waiting] = await backend.quarantine.recent(SAMPLES.name, 10)
    assert waiting.receipt == new.receipt


async def test_a_reprocessed_payload_counts_as_merged(backend: Backend) -> None:
    held = await fetched(backend, BAD, body=b"held", merges=False)
    job = await backend.claimed()

    async with backend.intakes.open(SAMPLES, "one", job) as intake:
        await intake.add([sample(1)], held)
        await intake.reject([], held)
        counts = await intake.commit(backend.checkpoint(job))
        assert await receipts(intake) == [held.receipt]

    assert counts == Counts(received=1, inserted=1)


async def test_an_old_payload_does_not_overwrite_a_newer_one(backend: Backend) -> None:
    old = await fetched(backend, BAD, merges=False)
    await backend.bring([sample(1, title="new")])
    job = await backend.claimed()

    async with backend.intakes.open(SAMPLES, "one", job) as intake:
        await intake.add([sample(1, title="old"), sample(2)], old)
        await intake.reject([], old)
        counts = await intake.commit(None)

    assert counts == Counts(received=2, inserted=1, unchanged=1)
    assert [row.title for row in await backend.everything()] == ["new", "a title"]


# ---------------------------------------------------------------- checkpoints


async def test_a_checkpoint_keeps_its_own_counts_and_those_of_the_merge(backend: Backend) -> None:
    job = await backend.claimed()
    rejected = Counts(received=1, quarantined=1)
    checkpoint = msgspec.structs.replace(backend.checkpoint(job), counts=rejected)

    async with backend.intakes.open(SAMPLES, "one", job) as intake:
        kept = await intake.keep(backend.payload())
        await intake.add([sample(1), sample(1), sample(2)], kept)
        counts = await intake.commit(checkpoint)

    [known] = (await backend.store.freshness(SAMPLES)).checkpoints
    assert counts == Counts(received=3, inserted=2, duplicates=1)
    assert known == msgspec.structs.replace(checkpoint, counts=counts + rejected)


async def test_a_commit_without_a_checkpoint_leaves_the_known_one(backend: Backend) -> None:
    await backend.bring([sample(1)])
    known = (await backend.store.freshness(SAMPLES)).checkpoints
    backend.clock.advance(60)
    job = await backend.claimed()

    async with backend.intakes.open(SAMPLES, "one", job) as intake:
        await intake.add([sample(2)], await intake.keep(backend.payload()))
        await intake.commit(None)

    freshness = await backend.store.freshness(SAMPLES)
    assert freshness.checkpoints == known
    assert freshness.seq == 2


@pytest.mark.parametrize("mode", [Mode.REPLAY, Mode.REBUILD])
async def test_reprocessing_does_not_change_the_status_of_the_last_fetch(
    backend: Backend, mode: Mode
) -> None:
    await backend.end(await backend.claimed(), JobStatus.FAILED)
    backend.clock.advance(1)
    again = msgspec.structs.replace(backend.queued(), mode=mode, receipt=7)
    await backend.jobs.request(again)
    claimed = await backend.jobs.claim(again.id)
    assert claimed is not None
    await backend.jobs.release(
        claimed.ended(JobStatus.SUCCEEDED, FetchReport(), backend.clock.now())
    )

    known = await backend.history.get(again.id)

    assert known is not None
    assert (known.mode, known.receipt) == (mode, 7)
    assert (await backend.store.freshness(SAMPLES)).last_status is JobStatus.FAILED


# ---------------------------------------------------------------- dry runs


async def test_a_dry_run_returns_the_counts_of_a_commit_and_writes_nothing(
    backend: Backend,
) -> None:
    await backend.bring([sample(1), sample(2)])
    payload = await fetched(backend, BAD)
    before = await backend.everything(), await backend.store.freshness(SAMPLES)
    backend.clock.advance(60)
    unknown_job = backend.queued()

    async with backend.intakes.open(SAMPLES, "one", unknown_job) as intake:
        await intake.add([sample(1), sample(2, title="new"), sample(3), sample(3)], payload)
        counts = await intake.commit(None, dry_run=True)

    assert counts == Counts(received=4, inserted=1, updated=1, unchanged=1, duplicates=1)
    assert (await backend.everything(), await backend.store.freshness(SAMPLES)) == before
    assert await pointers(backend) == {BAD.pointer}


async def test_a_dry_run_of_nothing_changes_nothing(backend: Backend) -> None:
    async with backend.intakes.open(SAMPLES, "one", backend.queued()) as intake:
        assert await intake.commit(None, dry_run=True) == Counts()


async def test_a_damaged_payload_is_marked_and_hides_no_other(backend: Backend) -> None:
    damaged = await fetched(backend, body=b"damaged")
    sound = await fetched(backend, body=b"sound")
    job = await backend.claimed()

    await backend.damage(damaged.receipt)

    async with backend.intakes.open(SAMPLES, "one", job) as intake:
        kept = [one async for one in intake.kept()]
    assert [(one.receipt.id, one.damaged) for one in kept] == [
        (damaged.receipt, True),
        (sound.receipt, False),
    ]
    assert [one.payload.body for one in kept] == [b"", b"sound"]
