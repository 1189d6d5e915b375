"""JobRunner: a job is claimed by one worker, run to its end, and its end is stored once."""

import asyncio

import pytest

from adapters.memory.ingest import MemorySource
from adapters.memory.jobs import MemoryJobs
from domain.builtin.posts import Post
from domain.errors import LeaseLost, StoreUnavailable
from domain.jobs import LEASE, MAX_ATTEMPTS, FetchJob, JobStatus
from domain.reports import Counts
from tests.application.rig import BuggySource, Rig, posts
from tests.sharing import SHARED


async def test_a_waiting_job_is_claimed_run_and_ended(rig: Rig) -> None:
    job = await rig.queued()
    rig.clock.advance(1)

    ran = await rig.fetch(rig.source("one", posts(3))).run(job.id)

    assert ran == await rig.known(job.id)
    assert (ran.status, ran.fence, ran.attempts) == (JobStatus.SUCCEEDED, 1, 1)
    assert (ran.started_at, ran.finished_at) == (rig.clock.now(), rig.clock.now())
    assert ran.report is not None
    assert ran.report.counts == Counts(received=3, inserted=3)


async def test_a_job_that_cannot_be_claimed_is_not_run(rig: Rig) -> None:
    source = rig.source("one", posts(1))
    run = rig.fetch(source).run
    job = await rig.queued()
    first = asyncio.create_task(run(job.id))
    source.takes_s = 1
    await rig.clock.settle()

    assert await run(job.id) is None, "it runs already"
    await rig.clock.elapse(1)
    await first
    assert await run(job.id) is None, "it has ended"
    assert await run("nothing") is None, "there is none"
    assert len(source.asked) == 1


async def test_of_many_workers_one_runs_the_job(rig: Rig) -> None:
    source = rig.source("one", posts(1))
    job = await rig.queued()

    ran = await asyncio.gather(*(rig.fetch(source).run(job.id) for _ in range(10)))

    assert [one.attempts for one in ran if one is not None] == [1]
    assert len(source.asked) == 1


async def test_a_job_whose_sources_are_all_fresh_sends_no_request_unless_it_is_forced(
    rig: Rig,
) -> None:
    source = rig.source("one", posts(1))
    fetch = rig.fetch(source)
    await fetch()

    plain = await fetch.run((await rig.queued()).id)
    asked = len(source.asked)
    forced = await rig.jobs.request(
        FetchJob(id="f", dataset="posts", force=True, queued_at=rig.clock.now())
    )
    await fetch.run(forced.id)

    assert plain is not None
    assert plain.status is JobStatus.SUCCEEDED
    assert (asked, len(source.asked)) == (1, 2)


def test_a_run_knows_the_hosts_of_its_sources(rig: Rig) -> None:
    fetch = rig.fetch(rig.shared("one"), rig.shared("two"), dataset=SHARED)

    assert fetch.hosts == {"one": "one", "two": "two"}


# ---------------------------------------------------------------- given up


@pytest.mark.parametrize("times", [MAX_ATTEMPTS - 1, MAX_ATTEMPTS])
async def test_a_job_that_kills_its_workers_is_given_up_after_the_last_attempt(
    rig: Rig, times: int
) -> None:
    job = await rig.abandoned(times)
    sources = rig.shared("one"), rig.shared("two")
    rig.clock.advance(LEASE)

    ran = await rig.fetch(*sources, dataset=SHARED).run(job.id)

    assert ran is not None
    assert ran.report is not None
    given_up = times == MAX_ATTEMPTS
    assert ran.status is (JobStatus.FAILED if given_up else JobStatus.SUCCEEDED)
    assert [f.code for f in ran.report.failures] == ["gave_up"] * 2 * given_up
    assert len(sources[0].asked) == (not given_up)
    assert await rig.known(job.id) == ran


# ---------------------------------------------------------------- interrupted


class Failing(MemoryJobs):
    """Jobs that cannot be released."""

    error: Exception = StoreUnavailable("the disk is gone")

    async def release(self, job: FetchJob) -> None:
        """Fail."""
        raise self.error


async def test_a_bug_ends_the_job_and_is_raised_after_the_other_sources_have_ended(
    rig: Rig,
) -> None:
    job = await rig.queued()
    buggy = BuggySource("buggy", Post, rig.clock, posts(1))
    good = rig.shared("good", 2)
    good.takes_s = 3
    running = asyncio.create_task(rig.fetch(buggy, good, dataset=SHARED).run(job.id))

    await rig.clock.elapse(3)

    with pytest.raises(ZeroDivisionError):
        await running
    ended = await rig.known(job.id)
    assert ended.status is JobStatus.FAILED
    assert ended.report is not None
    assert {failure.code for failure in ended.report.failures} == {"internal_error"}
    assert len(await rig.stored(SHARED)) == 2


async def test_a_bug_is_raised_even_when_the_end_cannot_be_stored(rig: Rig) -> None:
    job = await rig.queued()
    buggy = BuggySource("buggy", Post, rig.clock, posts(1))
    job_backend = rig.with_job_backend(jobs=Failing(rig.database, rig.clock))

    with pytest.raises(ZeroDivisionError) as raised:
        await rig.fetch(buggy, job_backend=job_backend).run(job.id)

    assert isinstance(raised.value.__cause__, StoreUnavailable)


async def test_a_job_whose_end_cannot_be_stored_is_taken_over(rig: Rig) -> None:
    job = await rig.queued()
    source = rig.source("one", posts(1))
    job_backend = rig.with_job_backend(jobs=Failing(rig.database, rig.clock))

    with pytest.raises(StoreUnavailable):
        await rig.fetch(source, job_backend=job_backend).run(job.id)
    rig.clock.advance(LEASE)
    again = await rig.fetch(source).run(job.id)

    assert again is not None
    assert (again.status, again.attempts) == (JobStatus.SUCCEEDED, 2)
    assert len(source.asked) == 1, "what was merged is not asked for again"


async def test_a_merge_refused_by_the_fence_writes_no_end_either(rig: Rig) -> None:
    job = await rig.queued()
    source = rig.source("one", posts(1))
    source.takes_s = 1
    running = asyncio.create_task(rig.fetch(source).run(job.id))
    await rig.clock.settle()
    successor = rig.database.jobs[job.id].claimed(rig.clock.now() + LEASE)
    rig.database.jobs[job.id] = successor

    await rig.clock.elapse(1)

    with pytest.raises(LeaseLost):
        await running
    assert await rig.known(job.id) == successor
    assert await rig.stored() == []


# ---------------------------------------------------------------- callers


def slow(rig: Rig, seconds: float = 3) -> MemorySource[Post]:
    """Return a slow source."""
    source = rig.source("one", posts(1))
    source.takes_s = seconds
    return source


async def test_a_run_continues_when_its_caller_leaves(rig: Rig) -> None:
    job = await rig.queued()
    caller = asyncio.create_task(rig.fetch(slow(rig)).run(job.id))
    await rig.clock.settle()

    caller.cancel()
    await rig.clock.elapse(3)

    assert caller.cancelled()
    assert (await rig.known(job.id)).status is JobStatus.SUCCEEDED


async def test_a_failure_after_the_caller_has_left_is_not_logged_as_unretrieved(rig: Rig) -> None:
    job = await rig.queued()
    source = BuggySource("buggy", Post, rig.clock, posts(1))
    source.takes_s = 3
    caller = asyncio.create_task(rig.fetch(source).run(job.id))
    await rig.clock.settle()

    caller.cancel()
    await rig.clock.elapse(3)

    assert caller.cancelled()
    assert (await rig.known(job.id)).status is JobStatus.FAILED


async def test_draining_waits_for_running_jobs(rig: Rig) -> None:
    run = rig.fetch(slow(rig)).run
    await run.drain()  # nothing runs yet
    caller = asyncio.create_task(run((await rig.queued()).id))
    await rig.clock.settle()
    draining = asyncio.create_task(run.drain())

    await rig.clock.elapse(2)
    early = draining.done()
    await rig.clock.elapse(1)

    assert (early, draining.done(), caller.done()) == (False, True, True)


async def test_closing_cancels_running_jobs_and_leaves_them_to_others(rig: Rig) -> None:
    job = await rig.queued()
    source = slow(rig, seconds=60)
    closing = rig.fetch(source)
    caller = asyncio.create_task(closing.run(job.id))
    await rig.clock.elapse(2)

    await closing.run.close()
    await rig.clock.settle()

    assert caller.cancelled()
    assert (await rig.known(job.id)).status is JobStatus.RUNNING
    source.takes_s = 0
    rig.clock.advance(LEASE)
    again = await rig.fetch(source).run(job.id)
    assert again is not None
    assert again.status is JobStatus.SUCCEEDED
