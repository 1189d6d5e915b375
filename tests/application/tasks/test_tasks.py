"""Tasks: created, changed and deleted in any state of GitHub, with no change lost."""

import asyncio

import pytest

from adapters.memory.jobs import MemoryJobs
from application.tasks.tasks import PATIENCE_S, QueryTasks, TaskEnricher
from domain.dataset import Role
from domain.errors import (
    InvalidInput,
    SourceBlocked,
    SourceError,
    SourceRefused,
    SourceTimedOut,
    SourceUnavailable,
    StaleVersion,
    StoreUnavailable,
    UnexpectedContent,
    UnknownRecord,
)
from domain.jobs import FetchJob, JobStatus, Mode
from domain.repositories import Enrichment
from domain.tasks import TASKS, Task, TaskEdit, TaskStatus
from tests.application.task_rig import FACTS, FRESH_FOR, TaskRig


@pytest.fixture
def rig() -> TaskRig:
    """Return a rig with GitHub in memory."""
    return TaskRig()


#: Failures of GitHub, and the enrichment of a task created during each.
FAILURES: list[tuple[SourceError, Enrichment]] = [
    (SourceUnavailable("500"), Enrichment.UNAVAILABLE),
    (SourceBlocked("429"), Enrichment.PENDING),
    (SourceTimedOut("silence"), Enrichment.PENDING),
    (SourceRefused("401"), Enrichment.UNAVAILABLE),
    (UnexpectedContent("garbage"), Enrichment.UNAVAILABLE),
]
ALL_FAILURES = pytest.mark.parametrize(
    ("failure", "enrichment"), FAILURES, ids=lambda each: getattr(each, "code", str(each))
)


# ---------------------------------------------------------------- creation


async def test_a_task_is_created_with_github_s_facts(rig: TaskRig) -> None:
    made = await rig.create()

    assert await rig.task(made.id) == made
    assert (made.enrichment, made.repo_description, made.repo_stars, made.repo_language) == (
        Enrichment.OK,
        FACTS.description,
        FACTS.stars,
        FACTS.language,
    )
    assert made.repo_fetched_at == made.created_at == rig.clock.now()
    assert not rig.database.jobs


async def test_a_missing_repository_is_reported_and_not_looked_up_again(
    rig: TaskRig,
) -> None:
    made = await rig.create("no/where")

    assert (made.enrichment, made.repo_stars) == (Enrichment.NOT_FOUND, None)
    assert not rig.database.jobs


@ALL_FAILURES
async def test_a_task_is_created_in_any_state_of_github_and_a_job_follows(
    rig: TaskRig, failure: SourceError, enrichment: Enrichment
) -> None:
    rig.github.failure = failure

    made = await rig.create()

    assert (await rig.task(made.id)).enrichment is enrichment
    assert (rig.last.dataset, rig.last.mode, rig.last.force) == ("tasks", Mode.TASK, True)
    assert rig.queue.announced == [rig.last.id]


@ALL_FAILURES
async def test_while_github_fails_tasks_are_read_changed_and_deleted(
    rig: TaskRig, failure: SourceError, enrichment: Enrichment
) -> None:
    rig.github.failure = failure
    made = await rig.create()

    changed = await rig.change_task(made.id, TaskEdit(title="another", repository="c/d"))
    listed = await rig.all_tasks()
    await rig.delete_task(made.id)

    assert (changed.title, changed.repository, changed.version) == ("another", "c/d", 2)
    assert changed.enrichment == enrichment
    assert [task.title for task in listed] == ["another"]
    assert await rig.all_tasks() == []


async def test_creating_a_task_waits_three_seconds_for_github_at_most(
    rig: TaskRig,
) -> None:
    rig.github.takes_s = 3600
    making = asyncio.create_task(rig.create())

    await rig.clock.elapse(PATIENCE_S - 0.001)
    before = making.done()
    await rig.clock.elapse(0.001)

    assert not before
    assert (await making).enrichment is Enrichment.PENDING
    assert rig.last.status is JobStatus.QUEUED


async def test_a_slow_response_is_known_to_the_job_that_follows(rig: TaskRig) -> None:
    rig.github.takes_s = 5
    making = asyncio.create_task(rig.create())
    await rig.clock.elapse(10)
    made = await making

    await rig.work()

    assert (await rig.task(made.id)).enrichment is Enrichment.OK
    assert rig.asked == ["a/b"]


async def test_a_caller_that_leaves_during_a_lookup_creates_nothing(rig: TaskRig) -> None:
    rig.github.takes_s = 2
    making = asyncio.create_task(rig.create())
    await rig.clock.settle()

    making.cancel()
    await rig.clock.elapse(10)

    assert making.cancelled()
    assert await rig.all_tasks() == []


async def test_ten_tasks_on_one_repository_cost_one_request(rig: TaskRig) -> None:
    rig.github.takes_s = 1
    making = [asyncio.create_task(rig.create()) for _ in range(10)]
    await rig.clock.elapse(2)

    assert {(await each).enrichment for each in making} == {Enrichment.OK}
    assert (await rig.create()).repo_stars == 7
    assert rig.asked == ["a/b"]


async def test_a_known_repository_that_is_not_fresh_is_requested_conditionally(
    rig: TaskRig,
) -> None:
    first = await rig.create()
    rig.clock.advance(FRESH_FOR)

    second = await rig.create()

    assert (second.repo_stars, second.repo_fetched_at) == (7, first.repo_fetched_at)
    [(_, nothing), (_, known)] = rig.github.asked
    assert nothing is None
    assert known is not None
    assert (known.facts, bool(known.etag)) == (FACTS, True)


async def test_without_github_tasks_are_created_without_a_request() -> None:
    rig = TaskRig(github_is_off=True)

    made = await rig.create()

    assert made.enrichment is Enrichment.UNAVAILABLE
    assert rig.fetch_tasks.sources == ()
    assert (rig.asked, rig.database.jobs) == ([], {})


class NoJobs(MemoryJobs):
    """Jobs that cannot be stored."""

    async def request(self, job: FetchJob) -> FetchJob:
        """Fail."""
        raise StoreUnavailable("the database is busy")


async def test_a_stored_task_is_returned_though_no_job_can_be_stored(
    rig: TaskRig,
) -> None:
    rig.github.failure = SourceUnavailable("500")
    job_backend = rig.with_job_backend(jobs=NoJobs(rig.database, rig.clock))
    fetch = rig.fetch_all([rig.enrich], job_backend)
    create = rig.creating(TaskEnricher(rig.repository_lookup, fetch, rig.clock))

    made = await create(TaskEdit(title="a title", repository="a/b"))

    assert (await rig.task(made.id)).enrichment is Enrichment.UNAVAILABLE


async def test_invalid_input_is_refused_before_github_is_asked(rig: TaskRig) -> None:
    with pytest.raises(InvalidInput, match="repository"):
        await rig.create("nowhere")

    assert rig.asked == []
    assert await rig.all_tasks() == []


# ---------------------------------------------------------------- change


async def test_a_change_is_the_next_version(rig: TaskRig) -> None:
    made = await rig.create()
    rig.clock.advance(60)

    changed = await rig.change_task(made.id, TaskEdit(status=TaskStatus.DONE), seen={1})

    assert (changed.status, changed.version) == ("done", 2)
    assert changed.updated_at == rig.clock.now()
    assert rig.asked == ["a/b"]


async def test_a_change_of_an_old_version_is_refused_without_a_request(rig: TaskRig) -> None:
    made = await rig.create()
    await rig.change_task(made.id, TaskEdit(title="the first"))

    with pytest.raises(StaleVersion):
        await rig.change_task(made.id, TaskEdit(repository="c/d"), seen={1})

    assert (await rig.task(made.id)).title == "the first"
    assert rig.asked == ["a/b"]


async def test_a_new_repository_is_looked_up(rig: TaskRig) -> None:
    made = await rig.create("no/where")

    changed = await rig.change_task(made.id, TaskEdit(repository="a/b"))

    assert (changed.repository, changed.repo_stars, changed.version) == ("a/b", 7, 2)


async def test_a_new_repository_that_cannot_be_looked_up_is_left_to_a_job(rig: TaskRig) -> None:
    made = await rig.create()
    rig.github.failures["c/d"] = SourceUnavailable("500")

    changed = await rig.change_task(made.id, TaskEdit(repository="c/d"))

    assert (changed.enrichment, changed.repo_stars) == (Enrichment.UNAVAILABLE, None)
    assert rig.last.dataset == TASKS.name


async def test_a_task_that_changes_while_github_is_asked_is_not_overwritten(rig: TaskRig) -> None:
    made = await rig.create("no/where")
    rig.github.takes_s = 1
    moving = asyncio.create_task(rig.change_task(made.id, TaskEdit(repository="a/b"), seen={1}))
    await rig.clock.settle()
    await rig.change_task(made.id, TaskEdit(title="meanwhile"))

    await rig.clock.elapse(2)

    with pytest.raises(StaleVersion):
        await moving
    task = await rig.task(made.id)
    assert (task.title, task.repository) == ("meanwhile", "no/where")


async def test_two_concurrent_changes_are_both_applied(rig: TaskRig) -> None:
    made = await rig.create("no/where")
    rig.github.takes_s = 1
    moving = asyncio.create_task(rig.change_task(made.id, TaskEdit(repository="a/b")))
    await rig.clock.settle()
    await rig.change_task(made.id, TaskEdit(title="meanwhile"))

    await rig.clock.elapse(2)

    task = await moving
    assert (task.title, task.repository, task.repo_stars, task.version) == (
        "meanwhile",
        "a/b",
        7,
        3,
    )


async def test_a_task_that_is_deleted_while_github_is_asked_stays_deleted(rig: TaskRig) -> None:
    made = await rig.create("no/where")
    rig.github.takes_s = 1
    moving = asyncio.create_task(rig.change_task(made.id, TaskEdit(repository="a/b")))
    await rig.clock.settle()
    await rig.delete_task(made.id)

    await rig.clock.elapse(2)

    with pytest.raises(UnknownRecord):
        await moving
    assert await rig.all_tasks() == []


async def test_of_a_hundred_changes_at_once_none_is_lost(rig: TaskRig) -> None:
    made = await rig.create()

    async def change(number: int) -> Task:
        edit = TaskEdit(description=f"change {number}")
        changed: Task = await rig.change_task(made.id, edit)
        return changed

    changed = await asyncio.gather(*(change(number) for number in range(100)))

    assert sorted(each.version for each in changed) == list(range(2, 102))
    assert (await rig.task(made.id)).version == 101


async def test_of_a_hundred_changes_of_one_version_one_is_applied(rig: TaskRig) -> None:
    made = await rig.create()

    ended = await asyncio.gather(
        *(
            rig.change_task(made.id, TaskEdit(description=f"change {number}"), seen={1})
            for number in range(100)
        ),
        return_exceptions=True,
    )

    assert sum(isinstance(each, StaleVersion) for each in ended) == 99
    assert (await rig.task(made.id)).version == 2


async def test_a_missing_task_cannot_be_changed(rig: TaskRig) -> None:
    with pytest.raises(UnknownRecord):
        await rig.change_task("0" * 32, TaskEdit(title="a title"))


# ---------------------------------------------------------------- deletion and reads


async def test_a_deleted_task_is_gone(rig: TaskRig) -> None:
    made = await rig.create()

    await rig.delete_task(made.id, seen={1})

    with pytest.raises(UnknownRecord):
        await rig.task(made.id)
    with pytest.raises(UnknownRecord):
        await rig.delete_task(made.id)


async def test_an_old_version_cannot_be_deleted(rig: TaskRig) -> None:
    made = await rig.create()
    await rig.change_task(made.id, TaskEdit(title="another"))

    with pytest.raises(StaleVersion):
        await rig.delete_task(made.id, seen={1})

    assert (await rig.task(made.id)).title == "another"


async def test_anyone_reads_tasks(rig: TaskRig) -> None:
    made = await rig.create()

    row = await QueryTasks(rig.store).get((made.id,), Role.ANYONE)

    assert (row.id, row._changed_at) == (made.id, rig.clock.now())
