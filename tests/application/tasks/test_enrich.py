"""Enrichment: tasks get GitHub's facts about their repositories."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from adapters.memory.tasks import MemoryTasks
from application.tasks.enrich import LIMITED_FOR, EnrichTasks
from domain.errors import (
    LeaseLost,
    SourceBlocked,
    SourceRefused,
    SourceTimedOut,
    SourceUnavailable,
    UnexpectedContent,
)
from domain.jobs import LEASE, PATIENCE, FetchJob, JobStatus, Mode
from domain.reports import Failure, Outcome, SourceStatus
from domain.repositories import Enrichment, RepoFacts
from domain.tasks import TASKS, Task, TaskEdit
from tests.application.rig import ended
from tests.application.task_rig import FACTS, FRESH_FOR, TaskRig, counts, report_of

DOWN = SourceUnavailable("GitHub is down")


@pytest.fixture
def rig() -> TaskRig:
    """Return a rig with GitHub in memory."""
    return TaskRig()


async def waiting(rig: TaskRig, *repositories: str) -> list[str]:
    """Return tasks that were created while GitHub was down, by identifier."""
    rig.github.failure = DOWN
    made = [await rig.create(repository) for repository in repositories]
    rig.github.failure = None
    rig.github.asked.clear()
    for repository in repositories:
        rig.github.facts[repository] = FACTS
    return [task.id for task in made]


# ---------------------------------------------------------------- pending tasks


async def test_the_requested_job_enriches_pending_tasks(rig: TaskRig) -> None:
    [task_id] = await waiting(rig, "a/b")
    rig.clock.advance(60)

    job = await rig.work()

    task = await rig.task(task_id)
    assert (task.enrichment, task.repo_stars, task.version) == (Enrichment.OK, 7, 2)
    assert task.repo_fetched_at == task.updated_at == rig.clock.now()
    assert (job.status, report_of(job).counts) == (JobStatus.SUCCEEDED, counts(updated=1))
    assert (report_of(job).source, report_of(job).requests) == ("github", 1)


async def test_a_repository_is_looked_up_once_for_all_of_its_tasks(rig: TaskRig) -> None:
    await waiting(rig, "a/b", "a/b", "c/d", "a/b")

    job = await rig.work()

    assert rig.asked == ["a/b", "c/d"]
    assert report_of(job).counts == counts(updated=4)
    assert {task.enrichment for task in await rig.all_tasks()} == {Enrichment.OK}


async def test_a_known_repository_costs_no_request(rig: TaskRig) -> None:
    await waiting(rig, "a/b")
    await rig.create("a/b")

    job = await rig.work()

    assert rig.asked == ["a/b"]
    assert (report_of(job).requests, report_of(job).counts) == (0, counts(updated=1, unchanged=1))


async def test_a_missing_repository_is_a_result(rig: TaskRig) -> None:
    [task_id] = await waiting(rig, "a/b")
    rig.github.facts.clear()

    job = await rig.work()

    assert (await rig.task(task_id)).enrichment is Enrichment.NOT_FOUND
    assert job.status is JobStatus.SUCCEEDED


async def test_a_task_made_while_the_job_runs_is_enriched_by_it_as_well(rig: TaskRig) -> None:
    await waiting(rig, "a/b")
    rig.github.takes_s = 1
    working = asyncio.create_task(rig.work())
    await rig.clock.settle()
    rig.github.takes_s = 0
    [meanwhile] = await waiting(rig, "c/d")

    await rig.clock.elapse(1)

    assert report_of(await working).counts == counts(updated=2)
    assert (await rig.task(meanwhile)).enrichment is Enrichment.OK


async def test_a_concurrent_change_of_a_user_is_kept(rig: TaskRig) -> None:
    [same, moved, deleted] = await waiting(rig, "a/b", "a/b", "a/b")
    rig.github.takes_s = 1
    working = asyncio.create_task(rig.work())
    await rig.clock.settle()
    changing = [
        asyncio.create_task(rig.change_task(same, TaskEdit(title="meanwhile"))),
        asyncio.create_task(rig.change_task(moved, TaskEdit(repository="no/where"))),
    ]
    await rig.delete_task(deleted)
    await rig.clock.elapse(5)

    await asyncio.gather(*changing)
    await working

    first, second = await rig.task(same), await rig.task(moved)
    assert (first.title, first.repo_stars) == ("meanwhile", 7)
    assert (second.repository, second.enrichment) == ("no/where", Enrichment.NOT_FOUND)
    assert second.repo_stars is None


class OvertakenTasks(MemoryTasks):
    """Tasks that are changed or deleted concurrently, just before a job changes them."""

    def __init__(self, rig: TaskRig, edit: TaskEdit | None) -> None:
        super().__init__(rig.database, rig.clock)
        self._rig = rig
        self._edit = edit

    async def change(self, task_id: str, change: Callable[[Task], Task]) -> Any | None:
        """Make the concurrent change first."""
        if self._edit is None:
            await self._rig.delete_task(task_id)
        else:
            await self._rig.change_task(task_id, self._edit)
        return await super().change(task_id, change)


async def overtaken(rig: TaskRig, edit: TaskEdit | None) -> FetchJob:
    """Run the last job, with a concurrent change before each of its own."""
    tasks = OvertakenTasks(rig, edit)
    enrich = EnrichTasks(rig.repository_lookup, tasks, rig.store, rig.intakes, rig.clock)
    ran = await rig.fetch_all([enrich]).run(rig.last.id)
    assert ran is not None
    return ran


async def test_a_task_whose_repository_changes_concurrently_gets_no_wrong_facts(
    rig: TaskRig,
) -> None:
    [task_id] = await waiting(rig, "a/b")

    await overtaken(rig, TaskEdit(repository="no/where"))

    task = await rig.task(task_id)
    assert (task.repository, task.enrichment, task.repo_stars) == (
        "no/where",
        Enrichment.NOT_FOUND,
        None,
    )


async def test_a_task_that_is_deleted_concurrently_is_not_counted(rig: TaskRig) -> None:
    await waiting(rig, "a/b")

    job = await overtaken(rig, None)

    assert report_of(job).counts == counts()
    assert await rig.all_tasks() == []


# ---------------------------------------------------------------- by the schedule


async def test_a_scheduled_job_looks_up_again_with_validators(rig: TaskRig) -> None:
    made = await rig.create()
    rig.clock.advance(FRESH_FOR)

    job = await rig.tick()

    [_, (name, known)] = rig.github.asked
    assert name == "a/b"
    assert known is not None
    assert known.facts == FACTS
    assert report_of(job).not_modified == 1
    assert (await rig.task(made.id)) == made


async def test_changed_facts_are_added_to_every_task_of_the_repository(
    rig: TaskRig,
) -> None:
    first, second = await rig.create(), await rig.create()
    rig.github.facts["a/b"] = RepoFacts("a better client", 8, None)
    rig.clock.advance(FRESH_FOR)

    job = await rig.tick()

    for made in (first, second):
        task = await rig.task(made.id)
        assert (task.repo_stars, task.repo_language, task.version) == (8, None, 2)
        assert task.repo_fetched_at == rig.clock.now()
    assert report_of(job).counts == counts(updated=2)


async def test_a_fresh_repository_is_not_looked_up_again(rig: TaskRig) -> None:
    await rig.create()
    rig.clock.advance(FRESH_FOR - timedelta(seconds=1))

    await rig.tick()

    assert rig.asked == ["a/b"]


async def test_a_requested_job_looks_up_only_pending_tasks(rig: TaskRig) -> None:
    await rig.create()
    rig.clock.advance(FRESH_FOR)
    await waiting(rig, "c/d")

    await rig.work()

    assert rig.asked == ["c/d"]


async def test_pending_tasks_come_first_then_the_oldest_lookups(
    rig: TaskRig,
) -> None:
    rig.github.facts |= {"o/1": FACTS, "o/2": FACTS}
    await rig.create("o/2")
    rig.clock.advance(1)
    await rig.create("o/1")
    rig.clock.advance(FRESH_FOR)
    await waiting(rig, "z/z")

    rig.database.jobs.clear()
    await rig.tick()

    assert rig.asked == ["z/z", "o/2", "o/1"]


async def test_a_repository_without_tasks_is_forgotten_without_a_request(rig: TaskRig) -> None:
    made = await rig.create()
    await rig.delete_task(made.id)
    rig.clock.advance(FRESH_FOR)

    await rig.tick()

    assert rig.asked == ["a/b"]
    assert await rig.known_repositories.get("a/b") is None


async def test_a_run_that_ended_well_leaves_a_checkpoint(rig: TaskRig) -> None:
    await waiting(rig, "a/b")

    job = await rig.work()

    checkpoint = (await rig.store.freshness(TASKS)).of("github")
    assert checkpoint is not None
    assert (checkpoint.job_id, checkpoint.fetched_at) == (job.id, rig.clock.now())
    assert checkpoint.counts == counts(updated=1)


async def test_github_has_nothing_to_reprocess(rig: TaskRig) -> None:
    await waiting(rig, "a/b")

    report = await rig.enrich.reprocess(rig.last, None)

    assert (report.status, report.counts) == (SourceStatus.SUCCEEDED, counts())
    assert rig.asked == []


# ---------------------------------------------------------------- GitHub fails


async def test_a_failure_of_one_repository_does_not_affect_the_others(rig: TaskRig) -> None:
    [bad, good] = await waiting(rig, "a/bad", "z/good")
    rig.github.failures["a/bad"] = UnexpectedContent("garbage")

    job = await rig.work()

    assert (await rig.task(bad)).enrichment is Enrichment.UNAVAILABLE
    assert (await rig.task(good)).enrichment is Enrichment.OK
    report = report_of(job)
    assert (report.status, report.counts) == (
        SourceStatus.PARTIAL,
        counts(updated=1, unchanged=1),
    )
    assert report.error is not None
    assert report.error.code == "unexpected_content"
    assert job.status is JobStatus.PARTIAL


async def test_when_all_lookups_fail_the_job_fails_and_stores_no_checkpoint(
    rig: TaskRig,
) -> None:
    await waiting(rig, "a/b", "c/d")
    rig.github.failure = DOWN

    job = await rig.work()

    assert (job.status, job.outcome) == (JobStatus.FAILED, Outcome.FAILED)
    assert report_of(job).counts == counts(unchanged=2)
    assert (await rig.store.freshness(TASKS)).checkpoints == ()


async def test_a_pending_task_becomes_unavailable_when_github_fails(rig: TaskRig) -> None:
    rig.github.failure = SourceTimedOut("silence")
    made = await rig.create()
    rig.github.failure = DOWN

    await rig.work()

    assert (await rig.task(made.id)).enrichment is Enrichment.UNAVAILABLE


async def test_known_facts_stay_after_a_failure(rig: TaskRig) -> None:
    made = await rig.create()
    rig.github.failure = DOWN
    rig.clock.advance(FRESH_FOR)

    job = await rig.tick()

    assert await rig.task(made.id) == made
    assert job.status is JobStatus.FAILED


async def test_at_github_s_limit_the_job_is_deferred_and_then_continues(rig: TaskRig) -> None:
    [first, second, third] = await waiting(rig, "a/b", "c/d", "e/f")
    until = rig.later(600)
    rig.github.failures["c/d"] = SourceBlocked("the limit is reached", retry_at=until)

    job = await rig.work()
    between = (await rig.task(first)).enrichment, (await rig.task(second)).enrichment
    rig.github.failures.clear()
    rig.clock.advance(600)
    after = await rig.work()

    assert (job.status, job.run_at) == (JobStatus.QUEUED, until)
    assert between == (Enrichment.OK, Enrichment.UNAVAILABLE)
    assert after.status is JobStatus.SUCCEEDED
    for task_id in (second, third):
        assert (await rig.task(task_id)).enrichment is Enrichment.OK
    assert rig.asked == ["a/b", "c/d", "c/d", "e/f"]


async def test_a_host_that_refuses_the_caller_gets_one_request_and_the_job_fails(
    rig: TaskRig,
) -> None:
    await waiting(rig, *(f"a/{number}" for number in range(24)))
    until = rig.later(600)
    rig.github.failure = SourceRefused("GitHub does not accept who asks", retry_at=until)

    job = await rig.work()
    asked = len(rig.asked)
    rig.github.failure = None
    rig.clock.advance(600)
    after = await rig.tick()

    assert (asked, job.status) == (1, JobStatus.FAILED)
    assert report_of(job).error == Failure(
        "source_refused", "GitHub does not accept who asks", until
    )
    assert (after.status, report_of(after).counts.updated) == (JobStatus.SUCCEEDED, 24)


async def test_a_refused_repository_is_requested_once_for_all_tasks_and_jobs(
    rig: TaskRig,
) -> None:
    rig.github.failure = SourceRefused("may not be read")
    for number in range(24):
        await rig.create(f"a/{number}")
        job = await rig.work()

    assert len(rig.asked) == 24
    assert report_of(job).error == Failure("source_refused", "may not be read")
    assert {task.enrichment for task in await rig.all_tasks()} == {Enrichment.UNAVAILABLE}


async def test_a_refused_repository_is_requested_again_after_a_while(rig: TaskRig) -> None:
    rig.github.failure = SourceRefused("may not be read")
    made = await rig.create("a/b")
    rig.github.failure = None
    rig.clock.advance(FRESH_FOR)

    await rig.tick()

    assert (await rig.task(made.id)).enrichment is Enrichment.OK


async def test_a_forgotten_repository_loses_its_refusal(rig: TaskRig) -> None:
    rig.github.failure = SourceRefused("may not be read")
    await rig.create("a/b")
    rig.github.failure = None

    await rig.repository_lookup.forget("a/b")
    made = await rig.create("a/b")

    assert made.enrichment is Enrichment.OK


async def test_a_rate_limit_without_a_time_lasts_a_minute(rig: TaskRig) -> None:
    await waiting(rig, "a/b")
    rig.github.failure = SourceBlocked("slow down")

    job = await rig.work()

    assert (job.status, job.run_at) == (JobStatus.QUEUED, rig.clock.now() + LIMITED_FOR)


async def test_a_job_deferred_for_a_day_ends_with_its_results(rig: TaskRig) -> None:
    await waiting(rig, "a/b")
    rig.clock.advance(PATIENCE)
    rig.github.failure = SourceBlocked("the limit is reached", retry_at=rig.later(120))

    job = await rig.work()

    assert job.status is JobStatus.PARTIAL
    assert report_of(job).error is not None


async def test_after_the_deadline_the_rest_is_done_by_the_next_run(rig: TaskRig) -> None:
    [first, second] = await waiting(rig, "a/b", "c/d")
    rig.github.takes_s = rig.fetch_tasks.deadline.total_seconds()
    working = asyncio.create_task(rig.work())
    await rig.clock.elapse(rig.github.takes_s)

    job = await working
    rig.github.takes_s = 0
    await rig.work()

    assert (job.status, job.run_at) == (JobStatus.QUEUED, rig.clock.now())
    assert rig.asked == ["a/b", "c/d"]
    for task_id in (first, second):
        assert (await rig.task(task_id)).enrichment is Enrichment.OK


async def test_after_the_deadline_nothing_more_is_looked_up(rig: TaskRig) -> None:
    await waiting(rig, "a/b", "c/d", "e/f")
    job = await rig.jobs.claim(rig.last.id)
    assert job is not None

    report = await rig.enrich(job, None, rig.clock.now())

    assert (report.status, report.counts, rig.asked) == (SourceStatus.PARTIAL, counts(), [])
    assert report.error is not None
    assert (report.error.code, report.error.retry_at) == ("source_timed_out", rig.clock.now())


async def test_a_lookup_that_the_deadline_ended_is_done_by_the_next_run(rig: TaskRig) -> None:
    await waiting(rig, "a/b")
    rig.github.takes_s = rig.fetch_tasks.deadline.total_seconds()
    rig.github.failure = SourceTimedOut("not done before the deadline")
    working = asyncio.create_task(rig.work())
    await rig.clock.elapse(rig.github.takes_s)

    job = await working

    assert (job.status, job.run_at) == (JobStatus.QUEUED, rig.clock.now())


async def test_a_job_that_is_taken_over_writes_no_checkpoint(rig: TaskRig) -> None:
    await waiting(rig, "a/b")
    job = await rig.jobs.claim(rig.last.id)
    assert job is not None
    rig.clock.advance(LEASE)
    await rig.jobs.claim(job.id)

    with pytest.raises(LeaseLost):
        await rig.enrich(job, None, rig.later(60))

    assert (await rig.store.freshness(TASKS)).checkpoints == ()


# ---------------------------------------------------------------- as a job step


async def test_a_scheduled_start_requests_the_job_of_tasks(rig: TaskRig) -> None:
    started = await rig.fetch_tasks.start(mode=Mode.SCHEDULE)

    assert (started.job.dataset, started.job.status) == ("tasks", JobStatus.QUEUED)
    assert rig.fetch_tasks.hosts == {"github": rig.github.host}


async def test_running_lookups_are_cancelled_when_the_process_stops(rig: TaskRig) -> None:
    rig.github.takes_s = 3600
    making = asyncio.create_task(rig.create())
    await rig.clock.settle()

    await rig.repository_lookup.close()

    assert await rig.known_repositories.get("a/b") is None
    await ended(making)
