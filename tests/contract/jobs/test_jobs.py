"""Contract of `Jobs`: one worker at a time, and no change without the current fence."""

import asyncio
from datetime import timedelta

import msgspec
import pytest

from domain.builtin.posts import POSTS
from domain.errors import LeaseLost
from domain.jobs import LEASE, FetchJob, JobStatus, Mode
from domain.reports import Counts, Failure, FetchReport, SourceReport, SourceStatus
from tests.contract.backends import Backend
from tests.strategies import SAMPLES, sample

MICROSECOND = timedelta(microseconds=1)
REPORT = FetchReport(
    sources=(
        SourceReport(
            source="one",
            status=SourceStatus.PARTIAL,
            requests=2,
            bytes=10,
            counts=Counts(received=2, inserted=1, quarantined=1),
        ),
        SourceReport(source="two", status=SourceStatus.FAILED, error=Failure("held", "too bad é")),
    )
)


# ---------------------------------------------------------------- requests


async def test_a_requested_job_is_stored_as_it_is(backend: Backend) -> None:
    job = msgspec.structs.replace(backend.queued(), mode=Mode.SCHEDULE, force=True)

    assert await backend.jobs.request(job) == job
    assert await backend.history.get(job.id) == job


async def test_an_unknown_job_is_none(backend: Backend) -> None:
    assert await backend.jobs.claim("no such job") is None
    assert await backend.jobs.cancel("no such job") is None


async def test_the_same_job_requested_twice_is_one_job(backend: Backend) -> None:
    job = backend.queued()

    stands = [await backend.jobs.request(job), await backend.jobs.request(job)]
    claimed = await backend.jobs.claim(job.id)
    stands.append(await backend.jobs.request(job))
    assert claimed is not None
    ended = await backend.end(claimed)
    stands.append(await backend.jobs.request(job))

    assert stands == [job, job, claimed, ended]


async def test_a_dataset_with_an_unfinished_job_gets_no_second(backend: Backend) -> None:
    first = await backend.jobs.request(backend.queued())
    refused = backend.queued()

    again = await backend.jobs.request(refused)
    claimed = await backend.jobs.claim(first.id)
    while_running = await backend.jobs.request(backend.queued())

    assert again == first
    assert while_running == claimed
    assert await backend.history.get(refused.id) is None


async def test_a_job_that_is_known_is_found_before_the_one_that_is_unfinished(
    backend: Backend,
) -> None:
    ended = await backend.end(await backend.claimed())
    await backend.jobs.request(backend.queued())

    assert await backend.jobs.request(ended) == ended


async def test_of_many_requests_at_once_all_get_the_same_job(backend: Backend) -> None:
    wanted = [backend.queued() for _ in range(8)]

    requested = await asyncio.gather(*(backend.jobs.request(job) for job in wanted))

    assert len({job.id for job in requested}) == 1
    assert requested[0] in wanted


async def test_another_dataset_has_jobs_of_its_own(backend: Backend) -> None:
    first = await backend.jobs.request(backend.queued(SAMPLES))
    second = await backend.jobs.request(backend.queued(POSTS))

    assert first.id != second.id


async def test_a_finished_job_makes_room_for_the_next(backend: Backend) -> None:
    await backend.end(await backend.claimed())
    following = backend.queued()

    assert await backend.jobs.request(following) == following


# ---------------------------------------------------------------- claims


async def test_a_waiting_job_is_claimed_with_a_lease_and_the_first_fence(backend: Backend) -> None:
    job = await backend.jobs.request(backend.queued())
    backend.clock.advance(2)

    claimed = await backend.jobs.claim(job.id)

    assert claimed == job.claimed(backend.clock.now())
    assert (claimed.status, claimed.fence, claimed.attempts) == (JobStatus.RUNNING, 1, 1)
    assert claimed.lease_until == backend.clock.now() + LEASE
    assert await backend.history.get(job.id) == claimed


async def test_a_running_job_cannot_be_claimed_again(backend: Backend) -> None:
    job = await backend.claimed()
    backend.clock.advance(LEASE - MICROSECOND)

    assert await backend.jobs.claim(job.id) is None


async def test_of_many_who_claim_at_once_one_gets_the_job(backend: Backend) -> None:
    job = await backend.jobs.request(backend.queued())

    claimed = await asyncio.gather(*(backend.jobs.claim(job.id) for _ in range(8)))

    assert [one.fence for one in claimed if one is not None] == [1]


async def test_an_abandoned_job_is_claimed_with_the_next_fence(backend: Backend) -> None:
    job = await backend.claimed()
    backend.clock.advance(LEASE)

    successor = await backend.jobs.claim(job.id)

    assert successor == job.claimed(backend.clock.now())
    assert (successor.fence, successor.attempts) == (2, 2)
    assert await backend.jobs.claim(job.id) is None


async def test_a_finished_job_cannot_be_claimed(backend: Backend) -> None:
    job = await backend.claimed()
    await backend.end(job)
    backend.clock.advance(LEASE * 2)

    assert await backend.jobs.claim(job.id) is None


async def test_renewing_keeps_the_job_from_others(backend: Backend) -> None:
    job = await backend.claimed()
    for _ in range(3):
        backend.clock.advance(LEASE - MICROSECOND)
        await backend.jobs.renew(job)

    assert await backend.history.get(job.id) == msgspec.structs.replace(
        job, lease_until=backend.clock.now() + LEASE
    )
    assert await backend.jobs.claim(job.id) is None


async def test_an_expired_lease_without_a_new_claim_can_be_renewed(backend: Backend) -> None:
    job = await backend.claimed()
    backend.clock.advance(LEASE * 2)

    await backend.jobs.renew(job)

    assert await backend.jobs.claim(job.id) is None


# ---------------------------------------------------------------- ends


async def test_the_end_is_stored_with_its_report(backend: Backend) -> None:
    job = await backend.claimed()
    backend.clock.advance(3)
    ended = job.ended(JobStatus.PARTIAL, REPORT, backend.clock.now())

    await backend.jobs.release(ended)

    assert await backend.history.get(job.id) == ended


async def put_back(backend: Backend, seconds: float = 60) -> FetchJob:
    """Return a job that is deferred for so long."""
    job = await backend.claimed()
    deferred = job.deferred(backend.clock.now() + timedelta(seconds=seconds))
    await backend.jobs.release(deferred)
    return deferred


async def test_a_deferred_job_waits_and_is_unfinished(backend: Backend) -> None:
    deferred = await put_back(backend)

    assert await backend.history.get(deferred.id) == deferred
    assert (deferred.status, deferred.attempts) == (JobStatus.QUEUED, 0)
    assert await backend.jobs.request(backend.queued()) == deferred


async def test_a_deferred_job_is_claimed_when_it_is_due(
    backend: Backend,
) -> None:
    deferred = await put_back(backend)

    backend.clock.advance(timedelta(seconds=60) - MICROSECOND)
    early = await backend.jobs.claim(deferred.id)
    backend.clock.advance(MICROSECOND)
    in_time = await backend.jobs.claim(deferred.id)

    assert early is None
    assert in_time == deferred.claimed(backend.clock.now())
    assert (in_time.fence, in_time.attempts, in_time.run_at) == (2, 1, None)


async def test_a_job_may_be_deferred_again_and_again(backend: Backend) -> None:
    job = await put_back(backend)
    for _ in range(3):
        backend.clock.advance(60)
        claimed = await backend.jobs.claim(job.id)
        assert claimed is not None
        job = claimed.deferred(backend.clock.now() + timedelta(seconds=60))
        await backend.jobs.release(job)

    assert await backend.history.get(job.id) == job
    assert job.fence == 4


# ---------------------------------------------------------------- cancellation


async def test_a_waiting_job_is_cancelled(backend: Backend) -> None:
    job = await backend.jobs.request(backend.queued())
    backend.clock.advance(1)

    cancelled = await backend.jobs.cancel(job.id)

    assert cancelled == job.cancelled(backend.clock.now())
    assert await backend.history.get(job.id) == cancelled
    assert await backend.jobs.claim(job.id) is None


async def test_a_deferred_job_is_cancelled(backend: Backend) -> None:
    deferred = await put_back(backend)

    assert await backend.jobs.cancel(deferred.id) == deferred.cancelled(backend.clock.now())
    backend.clock.advance(60)
    assert await backend.jobs.claim(deferred.id) is None


async def test_a_running_job_is_cancelled_and_its_worker_merges_nothing(backend: Backend) -> None:
    job = await backend.claimed()
    async with backend.intakes.open(SAMPLES, "one", job) as intake:
        kept = await intake.keep(backend.payload())
        await intake.add([sample(1)], kept)

        cancelled = await backend.jobs.cancel(job.id)

        with pytest.raises(LeaseLost):
            await intake.commit(backend.checkpoint(job))
    assert cancelled == job.cancelled(backend.clock.now())
    assert await backend.everything() == []


async def test_a_job_that_has_ended_cannot_be_cancelled(backend: Backend) -> None:
    ended = await backend.end(await backend.claimed())
    other = await backend.jobs.request(backend.queued())
    backend.clock.advance(1)

    assert await backend.jobs.cancel(ended.id) is None
    assert await backend.jobs.cancel(other.id) is not None
    assert await backend.jobs.cancel(other.id) is None
    assert await backend.history.get(ended.id) == ended


async def test_a_cancelled_job_makes_room_for_the_next(backend: Backend) -> None:
    await backend.jobs.cancel((await backend.claimed()).id)
    following = backend.queued()

    assert await backend.jobs.request(following) == following


# ---------------------------------------------------------------- outdated changes

VERBS = pytest.mark.parametrize("verb", ["renew", "end", "put back"])


@VERBS
async def test_a_worker_that_lost_its_lease_changes_nothing(backend: Backend, verb: str) -> None:
    job = await backend.claimed()
    backend.clock.advance(LEASE)
    successor = await backend.jobs.claim(job.id)

    with pytest.raises(LeaseLost):
        await _do(backend, verb, job)

    assert await backend.history.get(job.id) == successor


@VERBS
async def test_a_job_that_has_ended_changes_no_more(backend: Backend, verb: str) -> None:
    job = await backend.claimed()
    ended = await backend.end(job)
    backend.clock.advance(1)

    with pytest.raises(LeaseLost):
        await _do(backend, verb, job)

    assert await backend.history.get(job.id) == ended


@VERBS
async def test_a_cancelled_job_changes_no_more(backend: Backend, verb: str) -> None:
    job = await backend.claimed()
    cancelled = await backend.jobs.cancel(job.id)

    with pytest.raises(LeaseLost):
        await _do(backend, verb, job)

    assert await backend.history.get(job.id) == cancelled


@VERBS
async def test_a_deferred_job_is_not_changed_by_the_worker_that_deferred_it(
    backend: Backend, verb: str
) -> None:
    deferred = await put_back(backend)
    held = msgspec.structs.replace(deferred, status=JobStatus.RUNNING, run_at=None)

    with pytest.raises(LeaseLost):
        await _do(backend, verb, held)

    assert await backend.history.get(deferred.id) == deferred


@VERBS
async def test_an_unknown_job_is_not_changed(backend: Backend, verb: str) -> None:
    job = backend.queued().claimed(backend.clock.now())

    with pytest.raises(LeaseLost):
        await _do(backend, verb, job)


async def _do(backend: Backend, verb: str, job: FetchJob) -> None:
    now = backend.clock.now()
    if verb == "renew":
        await backend.jobs.renew(job)
    elif verb == "end":
        await backend.jobs.release(job.ended(JobStatus.FAILED, REPORT, now))
    else:
        await backend.jobs.release(job.deferred(now))
