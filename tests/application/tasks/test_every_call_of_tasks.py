"""Tasks: whichever call fails, a task is consistent, and gets GitHub's facts in the end."""

import contextlib

import pytest

from application.datasets.query import Query
from application.tasks.enrich import EnrichTasks
from application.tasks.repository_lookup import RepositoryLookup
from application.tasks.tasks import ChangeTask, CreateTask, DeleteTask, QueryTasks, TaskEnricher
from domain.dataset import Role
from domain.errors import SourceUnavailable, StaleVersion, UnknownRecord
from domain.jobs import LEASE
from domain.paging import PageRequest, Sort
from domain.repositories import Enrichment
from domain.tasks import TASKS, Task, TaskEdit, task_of
from tests.application.sweeping import Case, sweep
from tests.application.task_rig import FACTS, FRESH_FOR

EDIT = TaskEdit(title="a title", repository="a/b")


class TasksCase(Case):
    """The use cases of tasks, and one task of a known repository."""

    def __init__(self) -> None:
        super().__init__()
        self.github = self.repositories
        self.github.facts["a/b"] = self.github.facts["c/d"] = FACTS
        known = self.counted(self.known_repositories)
        repository_lookup = RepositoryLookup(self.github, known, self.clock, FRESH_FOR)
        tasks = self.counted(self.tasks)
        store, intakes = self.counted(self.store), self.counted_intakes()
        enrich = EnrichTasks(repository_lookup, tasks, store, intakes, self.clock)
        self.enriching = self.fetch(
            dataset=TASKS,
            store=store,
            intakes=intakes,
            job_backend=self.counted_job_backend(),
            steps=[enrich],
        )
        follow = TaskEnricher(repository_lookup, self.enriching, self.clock)
        self.create_task = CreateTask(tasks, follow, self.clock, self.random)
        self.change_task = ChangeTask(tasks, QueryTasks(store), follow, self.clock)
        self.delete_task = DeleteTask(tasks)

    async def begin(self) -> None:
        """Create a task."""
        self.task = task_of(await self.create_task(EDIT))

    async def all_tasks(self) -> list[Task]:
        """Return every task."""
        request = PageRequest(sort=Sort.parse(TASKS, "created_at"))
        return [task_of(row) for row in (await Query(TASKS, self.store)(request)).rows]

    async def holds(self) -> None:
        """Assert that facts are those of the task's own repository, or missing."""
        for task in await self.all_tasks():
            known = task.enrichment is Enrichment.OK
            assert (task.repo_stars, task.repo_language) == (
                (7, "Python") if known else (None, None)
            )


class Creating(TasksCase):
    async def act(self) -> None:
        await self.create_task(TaskEdit(title="another", repository="c/d"))

    async def is_done(self) -> None:
        # A repetition after success creates a second task: tasks have no natural key.
        titles = [task.title for task in await self.all_tasks()]
        assert titles[:2] == ["a title", "another"]
        assert set(titles[2:]) <= {"another"}


class Changing(TasksCase):
    async def act(self) -> None:
        edit = TaskEdit(title="changed", repository="c/d")
        await self.change_task(self.task.id, edit, seen={self.task.version})

    async def act_again(self) -> None:
        with contextlib.suppress(StaleVersion):  # it has been changed already
            await self.act()

    async def is_done(self) -> None:
        [task] = await self.all_tasks()
        assert (task.title, task.repository) == ("changed", "c/d")
        assert task.version == self.task.version + 1


class Deleting(TasksCase):
    async def act(self) -> None:
        await self.delete_task(self.task.id, seen={self.task.version})

    async def act_again(self) -> None:
        with contextlib.suppress(UnknownRecord):  # it has been deleted already
            await self.act()

    async def is_done(self) -> None:
        assert await self.all_tasks() == []


class LookingLater(TasksCase):
    """The job that looks up two repositories, whose tasks were created while GitHub was down."""

    async def begin(self) -> None:
        self.github.failure = SourceUnavailable("GitHub is down")
        await super().begin()
        await self.create_task(TaskEdit(title="another", repository="c/d"))
        self.github.failure = None

    async def act(self) -> None:
        fetched = await self.enriching.start(Role.ADMIN, force=True)
        await self.enriching.run(fetched.job.id)

    async def act_again(self) -> None:
        # As a sweep does: it claims the job once its lease has expired.
        self.clock.advance(LEASE)
        await self.act()

    async def is_done(self) -> None:
        tasks = await self.all_tasks()
        assert [(task.enrichment, task.version) for task in tasks] == [(Enrichment.OK, 2)] * 2
        assert all(job.status.is_final for job in self.database.jobs.values())


CASES = (Creating, Changing, Deleting, LookingLater)


@pytest.mark.parametrize("kind", CASES, ids=lambda kind: kind.__name__)
async def test_whichever_call_fails_every_task_is_consistent_and_the_use_case_can_be_repeated(
    kind: type[TasksCase],
) -> None:
    assert await sweep(kind) >= 2
