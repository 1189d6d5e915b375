"""Contract of `SourceHistory`: exact totals, changed by the ends of jobs alone."""

from datetime import timedelta

import pytest

from domain.builtin.posts import POSTS
from domain.errors import LeaseLost
from domain.jobs import LEASE, FetchJob, JobStatus
from domain.reports import Counts, Failure, FetchReport, SourceReport, SourceStatus
from domain.retention import RetainedKind
from domain.totals import SourceTotals
from tests.contract.backends import Backend
from tests.strategies import SAMPLES

FAILURE = Failure("held", "too bad é")
GOOD = SourceReport(
    source="one",
    status=SourceStatus.PARTIAL,
    counts=Counts(
        received=35,
        inserted=1,
        updated=2,
        unchanged=3,
        duplicates=4,
        deleted=5,
        quarantined=18,
        held=7,
    ),
)
BAD = SourceReport(source="two", status=SourceStatus.FAILED, error=FAILURE)
BOTH = ["posts", "samples"]


async def _end(backend: Backend, job: FetchJob, *sources: SourceReport) -> None:
    report = FetchReport(sources=sources)
    await backend.jobs.release(job.ended(JobStatus.PARTIAL, report, backend.clock.now()))


async def test_nothing_has_run_at_first(backend: Backend) -> None:
    assert await backend.sources.totals(BOTH) == []


async def test_the_end_of_a_job_counts_for_each_of_its_sources(backend: Backend) -> None:
    await _end(backend, await backend.claimed(), GOOD, BAD)
    now = backend.clock.now()

    assert await backend.sources.totals(BOTH) == [
        SourceTotals(
            dataset="samples",
            source="one",
            runs=1,
            last_run_at=now,
            last_status=SourceStatus.PARTIAL,
            last_success_at=now,
            counts=GOOD.counts,
        ),
        SourceTotals(
            dataset="samples",
            source="two",
            runs=1,
            last_run_at=now,
            last_status=SourceStatus.FAILED,
            last_error=FAILURE,
        ),
    ]


async def test_totals_equal_those_of_the_domain(backend: Backend) -> None:
    expected = SourceTotals(dataset="samples", source="one")
    failed = SourceReport(source="one", status=SourceStatus.FAILED, error=FAILURE)

    for report in (GOOD, failed, GOOD, GOOD, failed):
        backend.clock.advance(1)
        await _end(backend, await backend.claimed(), report)
        expected = expected.after(report, backend.clock.now())

    assert await backend.sources.totals(["samples"]) == [expected]


async def test_each_dataset_has_its_own_totals_and_only_the_requested_are_returned(
    backend: Backend,
) -> None:
    await _end(backend, await backend.claimed(SAMPLES), GOOD)
    await _end(backend, await backend.claimed(POSTS), GOOD)

    assert [t.dataset for t in await backend.sources.totals(BOTH)] == ["posts", "samples"]
    assert [t.dataset for t in await backend.sources.totals(["posts"])] == ["posts"]
    assert await backend.sources.totals([]) == []


async def test_a_deferred_job_counts_nothing(backend: Backend) -> None:
    job = await backend.claimed()

    await backend.jobs.release(job.deferred(backend.clock.now() + timedelta(hours=1)))

    assert await backend.sources.totals(BOTH) == []


async def test_a_job_without_requests_counts_nothing(backend: Backend) -> None:
    await _end(backend, await backend.claimed())
    cancelled = await backend.claimed()
    await backend.jobs.cancel(cancelled.id)

    assert await backend.sources.totals(BOTH) == []


async def test_of_two_workers_with_one_job_only_the_holder_of_its_lease_counts(
    backend: Backend,
) -> None:
    first = await backend.claimed()
    backend.clock.advance(LEASE)
    second = await backend.jobs.claim(first.id)
    assert second is not None

    for _ in range(2):
        with pytest.raises(LeaseLost):
            await _end(backend, first, GOOD)
    await _end(backend, second, GOOD)
    with pytest.raises(LeaseLost):
        await _end(backend, second, GOOD)

    [total] = await backend.sources.totals(BOTH)
    assert (total.runs, total.counts) == (1, GOOD.counts)


async def test_totals_outlive_the_jobs_they_were_counted_from(backend: Backend) -> None:
    for _ in range(3):
        await _end(backend, await backend.claimed(), GOOD)
        backend.clock.advance(1)
    before = await backend.sources.totals(BOTH)

    pruned = await backend.retention.prune(RetainedKind.JOBS, backend.clock.now(), 100)

    assert (pruned, await backend.sources.totals(BOTH)) == (2, before)
