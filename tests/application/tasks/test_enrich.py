"""Enriching: tasks learn what GitHub says of their repositories, however long it takes."""

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
    """Everything in memory, with GitHub."""
    return TaskRig()


async def waiting(rig: TaskRig, *repositories: str) -> list[str]:
    """Tasks that were made while GitHub was down, by identifier."""
    rig.github.failure = DOWN
    made = [await rig.create(repository) for repository in repositories]
    rig.github.failure = None
    rig.github.asked.clear()
    for repository in repositories:
        rig.github.facts[repository] = FACTS
    return [task.id for task in made]


# ---------------------------------------------------------------- tasks that wait


async def test_the_job_that_was_asked_for_enriches_what_waits(rig: TaskRig) -> None:
    [task_id] = await waiting(rig, "a/b")
    rig.clock.advance(60)

    job = await rig.work()

    task = await rig.task(task_id)
    assert (task.enrichment, task.repo_stars, task.version) == (Enrichment.OK, 7, 2)
    assert task.repo_fetched_at == task.updated_at == rig.clock.now()
    assert (job.status, report_of(job).counts) == (JobStatus.SUCCEEDED, counts(updated=1))
    assert (report_of(job).source, report_of(job).requests) == ("github", 1)


async def test_a_repository_is_asked_for_once_for_all_of_its_tasks(rig: TaskRig) -> None:
    await waiting(rig, "a/b", "a/b", "c/d", "a/b")

    job = await rig.work()

    assert rig.asked == ["a/b", "c/d"]
    assert report_of(job).counts == counts(updated=4)
    assert {task.enrichment for task in await rig.all_tasks()} == {Enrichment.OK}


async def test_a_repository_that_is_known_by_now_costs_nothing(rig: TaskRig) -> None:
    await waiting(rig, "a/b")
    await rig.create("a/b")

    job = await rig.work()

    assert rig.asked == ["a/b"]
    assert (report_of(job).requests, report_of(job).counts) == (0, counts(updated=1, unchanged=1))


async def test_a_repository_that_is_gone_is_an_answer(rig: TaskRig) -> None:
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


async def test_what_a_user_changes_meanwhile_is_kept(rig: TaskRig) -> None:
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
    """Tasks that somebody else changes, or deletes, just before a job does."""

    def __init__(self, rig: TaskRig, edit: TaskEdit | None) -> None:
        super().__init__(rig.database, rig.clock)
        self._rig = rig
        self._edit = edit

    async def change(self, task_id: str, change: Callable[[Task], Task]) -> Any | None:
        """Let somebody else be faster."""
        if self._edit is None:
            await self._rig.delete_task(task_id)
        else:
            await self._rig.change_task(task_id, self._edit)
        return await super().change(task_id, change)


async def overtaken(rig: TaskRig, edit: TaskEdit | None) -> FetchJob:
    """Run the last job, and let somebody else be faster each time it changes a task."""
    tasks = OvertakenTasks(rig, edit)
    enrich = EnrichTasks(rig.repository_lookup, tasks, rig.store, rig.intakes, rig.clock)
    ran = await rig.fetch_all([enrich]).run(rig.last.id)
    assert ran is not None
    return ran


async def test_a_task_that_moves_at_the_last_moment_does_not_get_another_one_s_facts(
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


async def test_a_task_that_is_deleted_at_the_last_moment_is_not_counted(rig: TaskRig) -> None:
    await waiting(rig, "a/b")

    job = await overtaken(rig, None)

    assert report_of(job).counts == counts()
    assert await rig.all_tasks() == []


# ---------------------------------------------------------------- by the schedule


async def test_the_schedule_looks_again_with_what_is_known(rig: TaskRig) -> None:
    made = await rig.create()
    rig.clock.advance(FRESH_FOR)

    job = await rig.tick()

    [_, (name, known)] = rig.github.asked
    assert name == "a/b"
    assert known is not None
    assert known.facts == FACTS
    assert report_of(job).not_modified == 1
    assert (await rig.task(made.id)) == made


async def test_what_has_changed_at_github_is_told_to_every_task_of_the_repository(
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


async def test_what_is_fresh_is_not_looked_at_again(rig: TaskRig) -> None:
    await rig.create()
    rig.clock.advance(FRESH_FOR - timedelta(seconds=1))

    await rig.tick()

    assert rig.asked == ["a/b"]


async def test_a_job_that_was_asked_for_looks_only_at_what_waits(rig: TaskRig) -> None:
    await rig.create()
    rig.clock.advance(FRESH_FOR)
    await waiting(rig, "c/d")

    await rig.work()

    assert rig.asked == ["c/d"]


async def test_what_waits_comes_first_and_then_what_was_looked_at_longest_ago(
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


async def test_a_repository_no_task_speaks_of_is_forgotten_unasked(rig: TaskRig) -> None:
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


async def test_there_is_nothing_of_github_s_to_read_again(rig: TaskRig) -> None:
    await waiting(rig, "a/b")

    report = await rig.enrich.reprocess(rig.last, None)

    assert (report.status, report.counts) == (SourceStatus.SUCCEEDED, counts())
    assert rig.asked == []


# ---------------------------------------------------------------- GitHub fails


async def test_one_repository_s_failure_is_not_the_others(rig: TaskRig) -> None:
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


async def test_when_nothing_can_be_had_the_job_fails_and_leaves_no_checkpoint(
    rig: TaskRig,
) -> None:
    await waiting(rig, "a/b", "c/d")
    rig.github.failure = DOWN

    job = await rig.work()

    assert (job.status, job.outcome) == (JobStatus.FAILED, Outcome.FAILED)
    assert report_of(job).counts == counts(unchanged=2)
    assert (await rig.store.freshness(TASKS)).checkpoints == ()


async def test_a_task_that_was_pending_is_told_that_github_fails(rig: TaskRig) -> None:
    rig.github.failure = SourceTimedOut("silence")
    made = await rig.create()
    rig.github.failure = DOWN

    await rig.work()

    assert (await rig.task(made.id)).enrichment is Enrichment.UNAVAILABLE


async def test_what_is_known_outlives_a_failure(rig: TaskRig) -> None:
    made = await rig.create()
    rig.github.failure = DOWN
    rig.clock.advance(FRESH_FOR)

    job = await rig.tick()

    assert await rig.task(made.id) == made
    assert job.status is JobStatus.FAILED


async def test_at_github_s_limit_the_job_waits_and_then_goes_on(rig: TaskRig) -> None:
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


async def test_a_host_that_refuses_whoever_asks_is_asked_once_and_the_job_says_so(
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


async def test_what_is_refused_is_asked_for_once_however_many_tasks_and_jobs_come(
    rig: TaskRig,
) -> None:
    rig.github.failure = SourceRefused("may not be read")
    for number in range(24):
        await rig.create(f"a/{number}")
        job = await rig.work()

    assert len(rig.asked) == 24
    assert report_of(job).error == Failure("source_refused", "may not be read")
    assert {task.enrichment for task in await rig.all_tasks()} == {Enrichment.UNAVAILABLE}


async def test_what_was_refused_is_asked_for_again_after_a_while(rig: TaskRig) -> None:
    rig.github.failure = SourceRefused("may not be read")
    made = await rig.create("a/b")
    rig.github.failure = None
    rig.clock.advance(FRESH_FOR)

    await rig.tick()

    assert (await rig.task(made.id)).enrichment is Enrichment.OK


async def test_a_repository_that_is_forgotten_is_not_known_to_be_refused(rig: TaskRig) -> None:
    rig.github.failure = SourceRefused("may not be read")
    await rig.create("a/b")
    rig.github.failure = None

    await rig.repository_lookup.forget("a/b")
    made = await rig.create("a/b")

    assert made.enrichment is Enrichment.OK


async def test_a_limit_without_a_time_is_left_for_a_minute(rig: TaskRig) -> None:
    await waiting(rig, "a/b")
    rig.github.failure = SourceBlocked("slow down")

    job = await rig.work()

    assert (job.status, job.run_at) == (JobStatus.QUEUED, rig.clock.now() + LIMITED_FOR)


async def test_a_job_that_has_waited_for_a_day_ends_with_what_it_has(rig: TaskRig) -> None:
    await waiting(rig, "a/b")
    rig.clock.advance(PATIENCE)
    rig.github.failure = SourceBlocked("the limit is reached", retry_at=rig.later(120))

    job = await rig.work()

    assert job.status is JobStatus.PARTIAL
    assert report_of(job).error is not None


async def test_when_the_time_is_up_the_rest_is_done_by_the_next_run(rig: TaskRig) -> None:
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


async def test_what_is_left_of_a_list_when_the_time_is_up_is_not_looked_at(rig: TaskRig) -> None:
    await waiting(rig, "a/b", "c/d", "e/f")
    job = await rig.jobs.claim(rig.last.id)
    assert job is not None

    report = await rig.enrich(job, None, rig.clock.now())

    assert (report.status, report.counts, rig.asked) == (SourceStatus.PARTIAL, counts(), [])
    assert report.error is not None
    assert (report.error.code, report.error.retry_at) == ("source_timed_out", rig.clock.now())


async def test_a_look_that_the_deadline_ended_is_done_by_the_next_run(rig: TaskRig) -> None:
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


# ---------------------------------------------------------------- in the fetch


async def test_a_scheduled_start_asks_for_the_job_of_tasks(rig: TaskRig) -> None:
    started = await rig.fetch_tasks.start(mode=Mode.SCHEDULE)

    assert (started.job.dataset, started.job.status) == ("tasks", JobStatus.QUEUED)
    assert rig.fetch_tasks.hosts == {"github": rig.github.host}


async def test_looks_that_go_on_are_stopped_when_the_process_stops(rig: TaskRig) -> None:
    rig.github.takes_s = 3600
    making = asyncio.create_task(rig.create())
    await rig.clock.settle()

    await rig.repository_lookup.close()

    assert await rig.known_repositories.get("a/b") is None
    await ended(making)
