"""Jobs: the only ways from being asked for to the end."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from domain.errors import IllegalTransition
from domain.jobs import LEASE, FetchJob, JobStatus
from domain.reports import FetchReport

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
FINAL = {JobStatus.SUCCEEDED, JobStatus.PARTIAL, JobStatus.FAILED, JobStatus.CANCELLED}
#: Every way `ended` may go; a job runs by being claimed, not by ending.
LEGAL_ENDS = {
    (JobStatus.QUEUED, JobStatus.CANCELLED),
    *((JobStatus.RUNNING, status) for status in FINAL),
}
PAIRS = [(before, after) for before in JobStatus for after in JobStatus]


def job(status: JobStatus = JobStatus.QUEUED, lease_until: datetime | None = None) -> FetchJob:
    """A job that stands so."""
    return FetchJob(
        id="1", dataset="posts", status=status, fence=3, queued_at=NOW, lease_until=lease_until
    )


def test_final_is_what_nothing_follows() -> None:
    assert {status for status in JobStatus if status.is_final} == FINAL


@pytest.mark.parametrize(("before", "after"), sorted(LEGAL_ENDS))
def test_a_job_can_end_so(before: JobStatus, after: JobStatus) -> None:
    report = FetchReport()

    ended = job(before, NOW).ended(after, report, NOW)

    assert (ended.status, ended.finished_at, ended.lease_until) == (after, NOW, None)
    assert ended.report is report
    assert ended.fence == 3


@pytest.mark.parametrize(
    ("before", "after"), [pair for pair in PAIRS if pair not in LEGAL_ENDS], ids=str
)
def test_a_job_cannot_end_otherwise(before: JobStatus, after: JobStatus) -> None:
    with pytest.raises(IllegalTransition, match=f"from {before} to {after}"):
        job(before).ended(after, FetchReport(), NOW)


def test_a_waiting_job_can_be_claimed() -> None:
    claimed = job().claimed(NOW)

    expected = msgspec.structs.replace(
        job(), status=JobStatus.RUNNING, fence=4, started_at=NOW, lease_until=NOW + LEASE
    )
    assert claimed == expected
    assert claimed.attempts == 4


def test_a_running_job_can_be_claimed_when_its_lease_ran_out() -> None:
    running = job(JobStatus.RUNNING, lease_until=NOW)

    assert running.claimed(NOW).fence == 4
    assert not running.is_claimable(NOW - timedelta(microseconds=1))


@pytest.mark.parametrize(
    "taken",
    [
        job(JobStatus.RUNNING, lease_until=NOW + timedelta(microseconds=1)),
        job(JobStatus.RUNNING),
        *(job(status, lease_until=NOW) for status in sorted(FINAL)),
    ],
    ids=lambda taken: taken.status,
)
def test_no_other_job_can_be_claimed(taken: FetchJob) -> None:
    with pytest.raises(IllegalTransition, match="cannot be claimed"):
        taken.claimed(NOW)
