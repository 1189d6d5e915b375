"""Jobs: the allowed transitions."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from domain.errors import IllegalTransition
from domain.jobs import LEASE, FetchJob, JobStatus, Mode
from domain.reports import FetchReport

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
QUEUED, RUNNING = JobStatus.QUEUED, JobStatus.RUNNING
FINAL = {JobStatus.SUCCEEDED, JobStatus.PARTIAL, JobStatus.FAILED, JobStatus.CANCELLED}
#: What a run can come to.
ENDS = FINAL - {JobStatus.CANCELLED}


def job(status: JobStatus = QUEUED, **changed: object) -> FetchJob:
    """Return a job that stands so."""
    plain = FetchJob(
        id="1", dataset="posts", status=status, fence=3, attempts=2, queued_at=NOW - LEASE
    )
    return msgspec.structs.replace(plain, **changed)


def abandoned(now: datetime) -> FetchJob:
    """Return a running job whose lease has just run out."""
    return job(RUNNING, lease_until=now, started_at=now - LEASE)


def test_a_new_job_waits_unforced_for_its_first_attempt() -> None:
    new = FetchJob(id="1", dataset="posts", queued_at=NOW)

    assert (new.mode, new.force, new.status) == (Mode.SYNC, False, QUEUED)
    assert (new.fence, new.attempts) == (0, 0)
    assert new.is_claimable(NOW)


# ---------------------------------------------------------------- the table

Move = Callable[[FetchJob], FetchJob]
MOVES: dict[str, Move] = {
    "claimed": lambda job: job.claimed(NOW),
    **{f"ended {end}": lambda job, end=end: job.ended(end, FetchReport(), NOW) for end in ENDS},
    "deferred": lambda job: job.deferred(NOW + LEASE),
    "cancelled": lambda job: job.cancelled(NOW),
}
#: Every way there is, from a job whose lease, if it has one, has run out.
LEGAL = {
    (QUEUED, "claimed"): RUNNING,
    (QUEUED, "cancelled"): JobStatus.CANCELLED,
    (RUNNING, "claimed"): RUNNING,
    (RUNNING, "deferred"): QUEUED,
    (RUNNING, "cancelled"): JobStatus.CANCELLED,
    **{(RUNNING, f"ended {end}"): end for end in ENDS},
}
ALL = [(status, move) for status in JobStatus for move in sorted(MOVES)]


def standing(status: JobStatus) -> FetchJob:
    """Return a job with this status that nothing but its status keeps from moving."""
    return abandoned(NOW) if status is RUNNING else job(status)


def test_a_final_status_has_no_successor() -> None:
    assert {status for status in JobStatus if status.is_final} == FINAL


@pytest.mark.parametrize(("before", "move"), sorted(LEGAL))
def test_an_allowed_transition_is_made(before: JobStatus, move: str) -> None:
    assert MOVES[move](standing(before)).status is LEGAL[before, move]


@pytest.mark.parametrize(("before", "move"), [pair for pair in ALL if pair not in LEGAL])
def test_any_other_transition_is_refused(before: JobStatus, move: str) -> None:
    with pytest.raises(IllegalTransition, match=f"job 1 .*{before}"):
        MOVES[move](standing(before))


@pytest.mark.parametrize("status", sorted(set(JobStatus) - ENDS))
def test_a_job_cannot_end_with_a_status_that_is_not_final(status: JobStatus) -> None:
    with pytest.raises(IllegalTransition, match=f"cannot end as {status}"):
        job(RUNNING).ended(status, FetchReport(), NOW)


# ---------------------------------------------------------------- what each way changes


def test_a_claim_gives_a_lease_the_next_fence_and_counts_as_an_attempt() -> None:
    waiting = job(run_at=NOW, mode=Mode.TASK, force=True)

    assert waiting.claimed(NOW) == msgspec.structs.replace(
        waiting,
        status=RUNNING,
        fence=4,
        attempts=3,
        run_at=None,
        started_at=NOW,
        lease_until=NOW + LEASE,
    )


def test_a_claim_after_an_expired_lease_is_a_claim_like_any_other() -> None:
    assert abandoned(NOW).claimed(NOW) == msgspec.structs.replace(
        abandoned(NOW), fence=4, attempts=3, started_at=NOW, lease_until=NOW + LEASE
    )


@pytest.mark.parametrize("status", sorted(ENDS))
def test_an_end_stores_the_report_and_releases_the_lease(status: JobStatus) -> None:
    report = FetchReport()

    ended = abandoned(NOW).ended(status, report, NOW)

    assert ended == msgspec.structs.replace(
        abandoned(NOW), status=status, report=report, finished_at=NOW, lease_until=None
    )


def test_a_deferred_job_waits_as_if_it_had_never_been_tried() -> None:
    run_at = NOW + LEASE

    assert abandoned(NOW).deferred(run_at) == msgspec.structs.replace(
        abandoned(NOW), status=QUEUED, attempts=0, run_at=run_at, lease_until=None
    )


@pytest.mark.parametrize("unfinished", [job(run_at=NOW + LEASE), abandoned(NOW + LEASE)])
def test_cancelling_locks_out_the_worker_of_the_job(unfinished: FetchJob) -> None:
    assert unfinished.cancelled(NOW) == msgspec.structs.replace(
        unfinished,
        status=JobStatus.CANCELLED,
        fence=4,
        run_at=None,
        lease_until=None,
        finished_at=NOW,
    )


# ---------------------------------------------------------------- when it may be taken


@pytest.mark.parametrize(
    ("one", "claimable"),
    [
        (job(), True),
        (job(run_at=NOW), True),
        (job(run_at=NOW + MICROSECOND), False),
        (job(RUNNING, lease_until=NOW), True),
        (job(RUNNING, lease_until=NOW + MICROSECOND), False),
        (job(RUNNING), False),
        *((job(status, lease_until=NOW, run_at=NOW), False) for status in sorted(FINAL)),
    ],
)
def test_a_job_is_claimable_when_it_is_due_or_its_lease_has_expired(
    one: FetchJob, claimable: bool
) -> None:
    assert one.is_claimable(NOW) is claimable


@pytest.mark.parametrize(
    "taken", [job(run_at=NOW + MICROSECOND), job(RUNNING, lease_until=NOW + LEASE)]
)
def test_a_job_that_is_not_claimable_cannot_be_claimed(taken: FetchJob) -> None:
    with pytest.raises(IllegalTransition, match="cannot be claimed"):
        taken.claimed(NOW)


@pytest.mark.parametrize(
    ("status", "attempts", "suspected"),
    [
        (JobStatus.RUNNING, 1, False),
        (JobStatus.RUNNING, 2, True),
        (JobStatus.RUNNING, 5, True),
        (JobStatus.QUEUED, 5, False),
        (JobStatus.FAILED, 5, False),
    ],
)
def test_a_job_that_has_lost_two_workers_is_suspected(
    status: JobStatus, attempts: int, suspected: bool
) -> None:
    assert job(status=status, attempts=attempts).is_suspected is suspected


def test_only_a_job_without_a_waiting_client_may_be_deferred() -> None:
    assert {mode: job(mode=mode).may_wait for mode in Mode} == {
        Mode.SYNC: False,
        Mode.TASK: True,
        Mode.SCHEDULE: True,
        Mode.REPLAY: False,
        Mode.REBUILD: False,
    }


def test_fetches_contact_sources_and_reprocessing_does_not() -> None:
    assert [mode for mode in Mode if not mode.asks] == [Mode.REPLAY, Mode.REBUILD]


@pytest.mark.parametrize(
    ("other", "serves"),
    [
        ({"mode": Mode.SYNC}, False),
        ({"mode": Mode.REBUILD}, False),
        ({"mode": Mode.REPLAY}, True),
        ({"mode": Mode.REPLAY, "receipt": 7}, False),
        ({"mode": Mode.SYNC, "id": "wanted"}, True),
    ],
)
def test_a_replay_is_served_by_the_same_replay_and_by_itself(
    other: dict[str, Any], serves: bool
) -> None:
    wanted = FetchJob(id="wanted", dataset="posts", mode=Mode.REPLAY, queued_at=NOW)
    found = FetchJob(**{"id": "found", "dataset": "posts", "queued_at": NOW, **other})

    assert found.serves(wanted) is serves


def test_any_fetch_serves_any_other() -> None:
    asking = [mode for mode in Mode if mode.asks]

    assert all(job(mode=one).serves(job(mode=other)) for one in asking for other in asking)


# ---------------------------------------------------------------- any way of going on


class Lives(RuleBasedStateMachine):
    """One job, to which anything happens that can, while time goes by."""

    def __init__(self) -> None:
        super().__init__()
        self.now = NOW
        self.job = FetchJob(id="1", dataset="posts", queued_at=NOW)
        self.before = self.job
        self.claims = 0
        self.claims_since_deferred = 0

    def become(self, job: FetchJob) -> None:
        """Go on as this."""
        self.before, self.job = self.job, job

    @rule(seconds=st.sampled_from([0, 0.1, 2, LEASE.total_seconds(), 3600]))
    def let_time_pass(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    @precondition(lambda self: self.job.is_claimable(self.now))
    @rule()
    def claim(self) -> None:
        self.become(self.job.claimed(self.now))
        self.claims += 1
        self.claims_since_deferred += 1

    @precondition(lambda self: not self.job.is_claimable(self.now))
    @rule()
    def refuse_a_claim(self) -> None:
        with pytest.raises(IllegalTransition):
            self.job.claimed(self.now)

    @precondition(lambda self: self.job.status is RUNNING)
    @rule(seconds=st.sampled_from([0, 1, 7200]))
    def defer(self, seconds: float) -> None:
        self.become(self.job.deferred(self.now + timedelta(seconds=seconds)))
        self.claims_since_deferred = 0

    @precondition(lambda self: self.job.status is RUNNING)
    @rule(status=st.sampled_from(sorted(ENDS)))
    def end(self, status: JobStatus) -> None:
        self.become(self.job.ended(status, FetchReport(), self.now))

    @precondition(lambda self: not self.job.status.is_final)
    @rule()
    def cancel(self) -> None:
        self.become(self.job.cancelled(self.now))

    @precondition(lambda self: self.job.status.is_final)
    @rule(move=st.sampled_from(sorted(MOVES)))
    def stay_ended(self, move: str) -> None:
        with pytest.raises(IllegalTransition):
            MOVES[move](self.job)

    @invariant()
    def the_fence_never_sinks(self) -> None:
        assert self.job.fence >= self.before.fence
        assert self.job.fence == self.claims + (self.job.status is JobStatus.CANCELLED)

    @invariant()
    def attempts_are_the_claims_since_it_came_back_alive(self) -> None:
        assert self.job.attempts == self.claims_since_deferred

    @invariant()
    def a_lease_is_held_exactly_while_it_runs(self) -> None:
        assert (self.job.lease_until is not None) is (self.job.status is RUNNING)

    @invariant()
    def only_a_waiting_job_has_a_time_to_run(self) -> None:
        assert self.job.run_at is None or self.job.status is QUEUED

    @invariant()
    def it_has_ended_when_its_status_is_final(self) -> None:
        assert (self.job.finished_at is not None) is self.job.status.is_final


TestLives = Lives.TestCase
