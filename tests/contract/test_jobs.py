"""What the jobs' keeper promises: one worker at a time, and no end without its fence."""

import pytest

from domain.errors import LeaseLost
from domain.jobs import LEASE, FetchJob, JobStatus
from domain.posts import POSTS
from domain.reports import Counts, Failure, FetchReport, SourceReport, SourceStatus
from tests.contract.backends import Backend
from tests.strategies import SAMPLES

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


async def test_a_requested_job_is_written_down_as_it_is(backend: Backend) -> None:
    job = backend.queued()

    assert await backend.jobs.request(job) == job
    assert await backend.jobs.get(job.id) == job


async def test_an_unknown_job_is_none(backend: Backend) -> None:
    assert await backend.jobs.get("no such job") is None
    assert await backend.jobs.claim("no such job") is None


async def test_a_dataset_with_an_unfinished_job_gets_no_second(backend: Backend) -> None:
    first = await backend.jobs.request(backend.queued())
    refused = backend.queued()

    again = await backend.jobs.request(refused)
    claimed = await backend.jobs.claim(first.id)
    while_running = await backend.jobs.request(backend.queued())

    assert again == first
    assert while_running == claimed
    assert await backend.jobs.get(refused.id) is None


async def test_another_dataset_has_jobs_of_its_own(backend: Backend) -> None:
    first = await backend.jobs.request(backend.queued(SAMPLES))
    second = await backend.jobs.request(backend.queued(POSTS))

    assert first.id != second.id


async def test_a_finished_job_makes_room_for_the_next(backend: Backend) -> None:
    await backend.end(await backend.claimed())
    following = backend.queued()

    assert await backend.jobs.request(following) == following


async def test_a_waiting_job_is_claimed_with_a_lease_and_the_first_fence(backend: Backend) -> None:
    job = await backend.jobs.request(backend.queued())
    backend.clock.advance(2)

    claimed = await backend.jobs.claim(job.id)

    assert claimed == job.claimed(backend.clock.now())
    assert (claimed.status, claimed.fence) == (JobStatus.RUNNING, 1)
    assert claimed.lease_until == backend.clock.now() + LEASE
    assert await backend.jobs.get(job.id) == claimed


async def test_a_running_job_is_claimed_by_nobody_else(backend: Backend) -> None:
    job = await backend.claimed()
    backend.clock.advance(LEASE.total_seconds() - 0.001)

    assert await backend.jobs.claim(job.id) is None


async def test_an_abandoned_job_is_claimed_with_the_next_fence(backend: Backend) -> None:
    job = await backend.claimed()
    backend.clock.advance(LEASE)

    successor = await backend.jobs.claim(job.id)

    assert successor is not None
    assert (successor.fence, successor.attempts) == (2, 2)
    assert successor.queued_at == job.queued_at
    assert await backend.jobs.claim(job.id) is None


async def test_a_finished_job_is_claimed_by_nobody(backend: Backend) -> None:
    job = await backend.claimed()
    await backend.end(job)
    backend.clock.advance(LEASE * 2)

    assert await backend.jobs.claim(job.id) is None


async def test_renewing_keeps_the_job_from_others(backend: Backend) -> None:
    job = await backend.claimed()
    for _ in range(3):
        backend.clock.advance(LEASE.total_seconds() - 0.001)
        await backend.jobs.renew(job)

    renewed = await backend.jobs.get(job.id)

    assert renewed is not None
    assert renewed.lease_until == backend.clock.now() + LEASE
    assert await backend.jobs.claim(job.id) is None


async def test_an_overdue_lease_nobody_took_can_be_renewed(backend: Backend) -> None:
    job = await backend.claimed()
    backend.clock.advance(LEASE * 2)

    await backend.jobs.renew(job)

    assert await backend.jobs.claim(job.id) is None


async def test_the_end_is_written_down_with_its_report(backend: Backend) -> None:
    job = await backend.claimed()
    backend.clock.advance(3)
    ended = job.ended(JobStatus.PARTIAL, REPORT, backend.clock.now())

    await backend.jobs.finish(ended)

    assert await backend.jobs.get(job.id) == ended


@pytest.mark.parametrize("verb", ["renew", "finish"])
async def test_a_worker_thought_dead_can_neither_renew_nor_finish(
    backend: Backend, verb: str
) -> None:
    job = await backend.claimed()
    backend.clock.advance(LEASE)
    successor = await backend.jobs.claim(job.id)

    with pytest.raises(LeaseLost):
        await _do(backend, verb, job)

    assert await backend.jobs.get(job.id) == successor


@pytest.mark.parametrize("verb", ["renew", "finish"])
async def test_an_ended_job_can_neither_be_renewed_nor_finished_again(
    backend: Backend, verb: str
) -> None:
    job = await backend.claimed()
    ended = await backend.end(job)
    backend.clock.advance(1)

    with pytest.raises(LeaseLost):
        await _do(backend, verb, job)

    assert await backend.jobs.get(job.id) == ended


@pytest.mark.parametrize("verb", ["renew", "finish"])
async def test_a_job_never_written_down_can_neither_be_renewed_nor_finished(
    backend: Backend, verb: str
) -> None:
    job = backend.queued().claimed(backend.clock.now())

    with pytest.raises(LeaseLost):
        await _do(backend, verb, job)


async def _do(backend: Backend, verb: str, job: FetchJob) -> None:
    if verb == "renew":
        await backend.jobs.renew(job)
    else:
        await backend.jobs.finish(job.ended(JobStatus.FAILED, REPORT, backend.clock.now()))
