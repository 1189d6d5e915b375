"""Jobs against plain rules, through any order of steps of workers that may have lost them."""

import asyncio
from datetime import datetime, timedelta

import msgspec
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, invariant, rule

from application.ports.jobs import JobFilter
from domain.builtin.posts import POSTS
from domain.errors import LeaseLost
from domain.jobs import FetchJob, JobStatus
from domain.reports import FetchReport
from tests.contract.backends import Open
from tests.contract.machines import Machine, hold_to
from tests.strategies import SAMPLES

LEASE, LOST = timedelta(seconds=5), timedelta(seconds=1)
UNFINISHED = (JobStatus.QUEUED, JobStatus.RUNNING)
datasets = st.sampled_from([SAMPLES, POSTS])


class JobsMachine(Machine):
    """Jobs are requested, claimed, renewed, ended, deferred and cancelled."""

    known: Bundle[str] = Bundle("known")
    held: Bundle[FetchJob] = Bundle("held")

    def __init__(self, open_backend: Open, runner: asyncio.Runner) -> None:
        super().__init__(open_backend, runner)
        self.jobs: dict[str, FetchJob] = {}

    @property
    def now(self) -> datetime:
        return self.backend.clock.now()

    def change(self, job_id: str, **fields: object) -> FetchJob:
        """Change a job of the model."""
        self.jobs[job_id] = msgspec.structs.replace(self.jobs[job_id], **fields)
        return self.jobs[job_id]

    def may_be_claimed(self, job: FetchJob) -> bool:
        if job.status is JobStatus.QUEUED:
            return job.run_at is None or job.run_at <= self.now
        expired = job.lease_until is not None and job.lease_until <= self.now
        return job.status is JobStatus.RUNNING and expired

    def holds(self, job: FetchJob) -> bool:
        known = self.jobs[job.id]
        return known.status is JobStatus.RUNNING and known.fence == job.fence

    # -------------------------------------------------------- steps

    @rule(seconds=st.sampled_from([0.5, 1.0, 1.5, 4.999999, 5.0]))
    def time_passes(self, seconds: float) -> None:
        self.backend.clock.advance(seconds)

    @rule(target=known, dataset=datasets)
    def a_job_is_requested(self, dataset: object) -> str:
        wanted = self.backend.queued(dataset)  # type: ignore[arg-type]
        of_it = (job for job in self.jobs.values() if job.dataset == wanted.dataset)
        in_the_way = next((job for job in of_it if job.status in UNFINISHED), wanted)

        assert self.run(self.backend.jobs.request(wanted)) == in_the_way
        self.jobs[in_the_way.id] = in_the_way
        return in_the_way.id

    @rule(job_id=known)
    def a_known_job_is_requested_again(self, job_id: str) -> None:
        wanted = msgspec.structs.replace(self.backend.queued(), id=job_id)

        assert self.run(self.backend.jobs.request(wanted)) == self.jobs[job_id]

    @rule(target=held, job_id=known)
    def a_job_is_claimed(self, job_id: str) -> FetchJob:
        job, claimed = self.jobs[job_id], self.run(self.backend.jobs.claim(job_id))
        if not self.may_be_claimed(job):
            assert claimed is None
            return job  # a worker that never claimed it, or lost it
        expected = self.change(
            job_id,
            status=JobStatus.RUNNING,
            fence=job.fence + 1,
            attempts=job.attempts + 1,
            run_at=None,
            started_at=self.now,
            lease_until=self.now + LEASE,
        )
        assert claimed == expected
        return expected

    @rule(job=held)
    def a_lease_is_renewed(self, job: FetchJob) -> None:
        if self.holds(job):
            self.run(self.backend.jobs.renew(job))
            self.change(job.id, lease_until=self.now + LEASE)
        else:
            with pytest.raises(LeaseLost):
                self.run(self.backend.jobs.renew(job))

    @rule(
        job=held,
        status=st.sampled_from([JobStatus.SUCCEEDED, JobStatus.PARTIAL, JobStatus.FAILED]),
    )
    def a_job_ends(self, job: FetchJob, status: JobStatus) -> None:
        self.release(job, status=status, report=FetchReport(), finished_at=self.now)

    @rule(job=held, seconds=st.sampled_from([0.0, 1.0, 5.0]))
    def a_job_is_deferred(self, job: FetchJob, seconds: float) -> None:
        run_at = self.now + timedelta(seconds=seconds)
        self.release(job, status=JobStatus.QUEUED, attempts=0, run_at=run_at)

    def release(self, job: FetchJob, **becomes: object) -> None:
        """Store the new state of a job, if it is held."""
        changed = msgspec.structs.replace(job, lease_until=None, **becomes)
        if self.holds(job):
            self.run(self.backend.jobs.release(changed))
            self.change(job.id, lease_until=None, **becomes)
        else:
            with pytest.raises(LeaseLost):
                self.run(self.backend.jobs.release(changed))

    @rule(job_id=known)
    def a_job_is_cancelled(self, job_id: str) -> None:
        job, cancelled = self.jobs[job_id], self.run(self.backend.jobs.cancel(job_id))
        if job.status not in UNFINISHED:
            assert cancelled is None
            return
        assert cancelled == self.change(
            job_id,
            status=JobStatus.CANCELLED,
            fence=job.fence + 1,
            run_at=None,
            lease_until=None,
            finished_at=self.now,
        )

    # -------------------------------------------------------- what always holds

    @invariant()
    def every_job_is_that_of_the_model(self) -> None:
        wanted = JobFilter((SAMPLES.name, POSTS.name))

        newest_first = [self.jobs[job_id] for job_id in sorted(self.jobs, reverse=True)]
        assert self.run(self.backend.history.recent(wanted, 1000)) == newest_first

    @invariant()
    def overdue_jobs_may_run_and_have_no_worker(self) -> None:
        lost = {
            job.id
            for job in self.jobs.values()
            if self.may_be_claimed(job)
            and (
                job.status is JobStatus.RUNNING
                or job.run_at is not None
                or job.queued_at + LOST <= self.now
            )
        }

        assert set(self.run(self.backend.history.overdue(100))) == lost


def test_jobs_agree_with_plain_rules_whatever_happens(open_backend: Open) -> None:
    hold_to(JobsMachine, open_backend, steps=40)
