"""Contract of `JobHistory`: every job with its state, and the jobs without a worker."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from application.ports.jobs import JobFilter
from domain.builtin.posts import POSTS
from domain.dataset import Dataset
from domain.jobs import LEASE, LOST, FetchJob, JobStatus
from tests.contract.backends import Backend
from tests.strategies import SAMPLES

MICROSECOND = timedelta(microseconds=1)
BOTH = JobFilter((SAMPLES.name, POSTS.name))


async def ended(
    backend: Backend, dataset: Dataset[Any] = SAMPLES, status: JobStatus = JobStatus.SUCCEEDED
) -> FetchJob:
    """Return a job that has ended."""
    return await backend.end(await backend.claimed(dataset), status)


async def test_an_unknown_job_is_none(backend: Backend) -> None:
    assert await backend.history.get("no such job") is None


# ---------------------------------------------------------------- recent ones


async def test_without_jobs_there_are_none(backend: Backend) -> None:
    assert await backend.history.recent(BOTH, 10) == []


async def test_jobs_are_shown_newest_first_as_they_stand(backend: Backend) -> None:
    done = await ended(backend)
    failed = await ended(backend, POSTS, JobStatus.FAILED)
    running = await backend.claimed(POSTS)
    waiting = await backend.jobs.request(backend.queued())

    assert await backend.history.recent(BOTH, 10) == [waiting, running, failed, done]


@pytest.mark.parametrize("limit", [1, 2, 5, 9])
async def test_no_more_are_shown_than_wanted(backend: Backend, limit: int) -> None:
    jobs = [await ended(backend) for _ in range(5)]

    assert await backend.history.recent(BOTH, limit) == jobs[::-1][:limit]


async def test_from_any_job_on_the_older_ones_are_shown(backend: Backend) -> None:
    jobs = [await ended(backend) for _ in range(5)]

    older = [await backend.history.recent(BOTH, 2, before=job.id) for job in jobs]

    assert older == [jobs[:n][::-1][:2] for n in range(5)]


async def test_only_the_jobs_of_the_wanted_datasets_are_shown(backend: Backend) -> None:
    one, two = await ended(backend, SAMPLES), await ended(backend, POSTS)

    for wanted, shown in [
        (("samples",), [one]),
        (("posts",), [two]),
        (("posts", "samples"), [two, one]),
        (("rivers",), []),
    ]:
        assert await backend.history.recent(JobFilter(wanted), 10) == shown


@pytest.mark.parametrize("status", list(JobStatus))
async def test_only_the_jobs_in_the_wanted_status_are_shown(
    backend: Backend, status: JobStatus
) -> None:
    for end in (JobStatus.SUCCEEDED, JobStatus.PARTIAL, JobStatus.FAILED):
        await ended(backend, status=end)
    await backend.jobs.cancel((await backend.claimed()).id)
    await backend.claimed(POSTS)
    await backend.jobs.request(backend.queued())

    shown = await backend.history.recent(msgspec.structs.replace(BOTH, status=status), 10)

    assert [job.status for job in shown] == [status]


async def test_status_dataset_and_place_go_together(backend: Backend) -> None:
    first = await ended(backend)
    await ended(backend, status=JobStatus.FAILED)
    await ended(backend, POSTS)
    last = await ended(backend)

    wanted = JobFilter(("samples",), JobStatus.SUCCEEDED)

    assert await backend.history.recent(wanted, 10, before=last.id) == [first]
    assert await backend.history.recent(wanted, 1) == [last]


# ---------------------------------------------------------------- overdue ones


async def overdue(backend: Backend) -> list[str]:
    """Return the jobs without a worker."""
    return await backend.history.overdue(10)


async def test_a_job_that_has_waited_for_long_is_overdue(backend: Backend) -> None:
    job = await backend.jobs.request(backend.queued())

    backend.clock.advance(LOST - MICROSECOND)
    early = await overdue(backend)
    backend.clock.advance(MICROSECOND)

    assert early == []
    assert await overdue(backend) == [job.id]


async def test_a_deferred_job_is_overdue_when_it_is_due(backend: Backend) -> None:
    job = await backend.claimed()
    await backend.jobs.release(job.deferred(backend.clock.now() + LOST / 2))

    early = await overdue(backend)
    backend.clock.advance(LOST / 2 - MICROSECOND)
    still_early = await overdue(backend)
    backend.clock.advance(MICROSECOND)

    assert (early, still_early) == ([], [])
    assert await overdue(backend) == [job.id], "a due job is not overdue"


async def test_a_job_deferred_for_long_is_not_overdue_however_old_it_is(
    backend: Backend,
) -> None:
    job = await backend.claimed()
    await backend.jobs.release(job.deferred(backend.clock.now() + timedelta(hours=1)))
    backend.clock.advance(1800)

    assert await overdue(backend) == []


async def test_a_job_with_an_expired_lease_is_overdue(backend: Backend) -> None:
    job = await backend.claimed()

    backend.clock.advance(LEASE - MICROSECOND)
    early = await overdue(backend)
    backend.clock.advance(MICROSECOND)
    late = await overdue(backend)
    await backend.jobs.renew(job)

    assert (early, late) == ([], [job.id])
    assert await overdue(backend) == [], "its worker lives after all"


async def test_a_job_that_has_ended_is_never_overdue(backend: Backend) -> None:
    await ended(backend)
    await backend.jobs.cancel((await backend.claimed(POSTS)).id)
    backend.clock.advance(3600)

    assert await overdue(backend) == []


async def test_the_job_that_waits_longest_is_first_and_the_limit_holds(
    backend: Backend,
) -> None:
    older = await backend.claimed(POSTS)
    backend.clock.advance(1)
    younger = await backend.jobs.request(backend.queued())
    backend.clock.advance(LEASE)

    assert await backend.history.overdue(2) == [older.id, younger.id]
    assert await backend.history.overdue(1) == [older.id]


async def test_a_job_keeps_the_trace_in_which_it_was_requested(backend: Backend) -> None:
    traced = msgspec.structs.replace(backend.queued(), traceparent="00-a-trace")
    await backend.jobs.request(traced)

    claimed = await backend.jobs.claim(traced.id)

    assert claimed is not None
    assert claimed.traceparent == "00-a-trace"
    assert (await backend.end(claimed)).traceparent == "00-a-trace"
    assert await backend.history.get(traced.id) is not None


# ---------------------------------------------------------------- unfinished ones


async def test_every_job_that_has_not_ended_is_unfinished_oldest_first(backend: Backend) -> None:
    await ended(backend)
    running = await backend.claimed(POSTS)
    backend.clock.advance(1)
    deferred = (await backend.claimed()).deferred(backend.clock.now() + timedelta(minutes=1))
    await backend.jobs.release(deferred)

    assert await backend.history.unfinished() == [running, deferred]

    await backend.end(running)
    await backend.jobs.cancel(deferred.id)
    assert await backend.history.unfinished() == []
