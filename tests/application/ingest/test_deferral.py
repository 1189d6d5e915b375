"""Deferral: a job whose source must not be asked for long waits in the queue."""

import asyncio
from datetime import datetime, timedelta

import pytest

from adapters.memory.ingest import MemorySource
from application.ingest.fetch import Fetch
from domain.builtin.posts import Post
from domain.errors import SourceBlocked, SourceError, SourceUnavailable
from domain.jobs import LEASE, MAX_ATTEMPTS, PATIENCE, FetchJob, JobStatus, Mode
from domain.reports import Outcome
from tests.application.rig import Rig, posts
from tests.sharing import SHARED

WAITING = [Mode.TASK, Mode.SCHEDULE]


def blocked(retry_at: datetime | None) -> SourceError:
    """The rate limit forbids asking."""
    return SourceBlocked("the limit is reached", retry_at=retry_at)


def broken(retry_at: datetime | None) -> SourceError:
    """The breaker is open."""
    return SourceUnavailable("it keeps failing", code="breaker_open", retry_at=retry_at)


def closed_until(rig: Rig, retry_at: datetime | None, name: str = "one") -> MemorySource[Post]:
    """Return a source that must not be asked before then."""
    source = rig.source(name, posts(1))
    source.failure = blocked(retry_at)
    return source


async def ran(fetch: Fetch[Post], job: FetchJob) -> FetchJob:
    """Return a job after its run."""
    ran = await fetch.run(job.id)
    assert ran is not None
    return ran


@pytest.mark.parametrize("mode", WAITING)
@pytest.mark.parametrize("why", [blocked, broken])
async def test_a_background_job_waits_until_the_source_may_be_asked(
    rig: Rig, mode: Mode, why: object
) -> None:
    job = await rig.queued(mode)
    source = rig.source("one", posts(1))
    source.failure = blocked(rig.later(90)) if why is blocked else broken(rig.later(90))

    deferred = await ran(rig.fetch(source), job)

    assert deferred == await rig.known(job.id)
    assert (deferred.status, deferred.run_at) == (JobStatus.QUEUED, rig.later(90))
    assert (deferred.attempts, deferred.fence) == (0, 1)
    assert (deferred.report, deferred.finished_at, deferred.lease_until) == (None, None, None)


async def test_a_job_with_a_waiting_client_fails_with_the_time_to_retry(
    rig: Rig,
) -> None:
    fetched = await rig.fetch(closed_until(rig, rig.later(90)))()

    assert fetched.outcome is Outcome.FAILED
    assert fetched.job.report is not None
    assert fetched.job.report.not_before == rig.later(90)


@pytest.mark.parametrize(("beyond", "status"), [(0.0, JobStatus.QUEUED), (0.001, JobStatus.FAILED)])
async def test_a_job_is_deferred_for_the_longest_patience_at_most(
    rig: Rig, beyond: float, status: JobStatus
) -> None:
    job = await rig.queued()
    source = closed_until(rig, job.queued_at + PATIENCE + timedelta(seconds=beyond))

    assert (await ran(rig.fetch(source), job)).status is status


async def test_patience_counts_from_the_request_of_the_job(
    rig: Rig,
) -> None:
    job = await rig.queued()
    source = closed_until(rig, rig.later(0))
    fetch = rig.fetch(source)
    runs = 0
    for _ in range(100):
        source.failure = blocked(rig.later(3600))
        last = await ran(fetch, job)
        runs += 1
        if last.status.is_final:
            break
        rig.clock.advance(3600)

    assert last.status is JobStatus.FAILED
    assert runs == PATIENCE / timedelta(hours=1) + 1
    assert runs > MAX_ATTEMPTS, "waiting does not count as an attempt"


async def test_a_source_without_a_time_to_retry_makes_the_job_fail(rig: Rig) -> None:
    job = await rig.queued()

    assert (await ran(rig.fetch(closed_until(rig, None)), job)).status is JobStatus.FAILED


async def test_of_several_sources_the_first_that_may_be_asked_is_waited_for(rig: Rig) -> None:
    job = await rig.queued()
    sources = closed_until(rig, rig.later(90)), closed_until(rig, rig.later(60), "two")

    assert (await ran(rig.fetch(*sources, dataset=SHARED), job)).run_at == rig.later(60)


async def test_a_job_that_could_ask_one_of_its_sources_does_not_wait_for_the_others(
    rig: Rig,
) -> None:
    job = await rig.queued()
    sources = closed_until(rig, rig.later(90)), rig.shared("two")

    assert (await ran(rig.fetch(*sources, dataset=SHARED), job)).status is JobStatus.PARTIAL


async def test_a_source_that_fails_after_a_request_is_not_waited_for(rig: Rig) -> None:
    job = await rig.queued()
    source = closed_until(rig, rig.later(90))
    source.fails_after = 1

    assert (await ran(rig.fetch(source), job)).status is JobStatus.FAILED


async def test_a_job_taken_over_from_a_dead_worker_may_be_deferred_too(rig: Rig) -> None:
    job = await rig.queued()
    await rig.jobs.claim(job.id)
    rig.clock.advance(LEASE)

    deferred = await ran(rig.fetch(closed_until(rig, rig.later(90))), job)

    assert (deferred.attempts, deferred.fence) == (0, 2)


# ---------------------------------------------------------------- other callers meanwhile


async def deferred(rig: Rig, fetch: Fetch[Post], seconds: float = 90) -> FetchJob:
    """Return a deferred job."""
    job = await ran(fetch, await rig.queued())
    assert job.run_at == rig.later(seconds)
    return job


async def test_another_request_gets_the_deferred_job_at_once(rig: Rig) -> None:
    source = closed_until(rig, rig.later(90))
    fetch = rig.fetch(source)
    waiting = await deferred(rig, fetch)

    now = await fetch()
    later = await fetch.start()

    assert (now.job, now.outcome) == (waiting, None)
    assert later.job == waiting
    assert len(source.asked) == 1
    assert rig.queue.announced == []


async def test_a_deferred_job_cannot_be_claimed_before_its_time(rig: Rig) -> None:
    fetch = rig.fetch(closed_until(rig, rig.later(90)))
    waiting = await deferred(rig, fetch)

    rig.clock.advance(89.999)
    early = await fetch.run(waiting.id)
    rig.clock.advance(0.001)

    assert early is None
    assert await fetch.run(waiting.id) is not None


async def test_at_its_time_a_caller_runs_a_deferred_job_itself(rig: Rig) -> None:
    source = closed_until(rig, rig.later(90))
    fetch = rig.fetch(source)
    waiting = await deferred(rig, fetch)
    rig.clock.advance(90)
    source.failure = None

    fetched = await fetch()

    assert (fetched.job.id, fetched.outcome) == (waiting.id, Outcome.CHANGED)


async def test_a_caller_whose_own_job_is_deferred_gets_it_back_queued(rig: Rig) -> None:
    waiting = await rig.queued(Mode.TASK)

    fetched = await rig.fetch(closed_until(rig, rig.later(90)))()

    assert (fetched.job.id, fetched.outcome) == (waiting.id, None)
    assert (fetched.job.status, fetched.job.run_at) == (JobStatus.QUEUED, rig.later(90))


async def test_a_caller_that_waits_for_a_job_deferred_elsewhere_gets_it_back_queued(
    rig: Rig,
) -> None:
    job = await rig.queued()
    elsewhere = await rig.jobs.claim(job.id)
    assert elsewhere is not None
    caller = asyncio.create_task(rig.fetch(rig.source("one", posts(1)))())
    await rig.clock.elapse(1)

    await rig.jobs.release(elsewhere.deferred(rig.later(90)))
    await rig.clock.elapse(0.2)

    assert caller.done()
    assert (await caller).job == elsewhere.deferred(rig.later(89.8))


async def test_a_deferred_job_can_be_cancelled(rig: Rig) -> None:
    fetch = rig.fetch(closed_until(rig, rig.later(90)))
    waiting = await deferred(rig, fetch)

    await rig.jobs.cancel(waiting.id)
    rig.clock.advance(90)

    assert await fetch.run(waiting.id) is None


async def test_a_deferred_job_does_not_change_the_schedule(rig: Rig) -> None:
    schedule = await rig.scheduled()

    await deferred(rig, rig.fetch(closed_until(rig, rig.later(90))))

    assert rig.database.schedules["posts"] == schedule
