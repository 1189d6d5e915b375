"""The rig of the tests of tasks: GitHub in memory, the use cases, and a worker."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from application.ingest.fetch import Fetch
from application.ingest.job_backend import JobBackend
from application.tasks.enrich import EnrichTasks
from application.tasks.repository_lookup import RepositoryLookup
from application.tasks.tasks import (
    ChangeTask,
    CreateTask,
    DeleteTask,
    QueryTasks,
    TaskEnricher,
)
from domain.jobs import FetchJob, Mode
from domain.paging import PageRequest, Sort
from domain.reports import Counts, SourceReport
from domain.repositories import RepoFacts
from domain.tasks import TASKS, Task, TaskEdit, task_of
from tests.application.rig import Rig, adds_up

FRESH_FOR = timedelta(minutes=10)
FACTS = RepoFacts("a client", 7, "Python")


class TaskRig(Rig):
    """A rig with GitHub, which knows a/b; `github_is_off` takes it away."""

    def __init__(self, github_is_off: bool = False) -> None:
        super().__init__()
        self.github = self.repositories
        self.github.facts["a/b"] = FACTS
        self.repository_lookup = RepositoryLookup(
            self.github, self.known_repositories, self.clock, FRESH_FOR
        )
        self.enrich = EnrichTasks(
            self.repository_lookup, self.tasks, self.store, self.intakes, self.clock
        )
        lookup = None if github_is_off else self.repository_lookup
        self.fetch_tasks = self.fetch_all([] if github_is_off else [self.enrich])
        enricher = TaskEnricher(lookup, self.fetch_tasks, self.clock)
        self.query_tasks = QueryTasks(self.store)
        self.create_task = self.creating(enricher)
        self.change_task = ChangeTask(self.tasks, self.query_tasks, enricher, self.clock)
        self.delete_task = DeleteTask(self.tasks)

    def fetch_all(
        self, steps: Sequence[EnrichTasks], job_backend: JobBackend | None = None
    ) -> Fetch[Task]:
        """Return the use case that runs the jobs of tasks."""
        job_backend = job_backend or self.job_backend
        return self.fetch(dataset=TASKS, job_backend=job_backend, steps=steps)

    def creating(self, enricher: TaskEnricher) -> CreateTask:
        """Return the use case that creates tasks."""
        return CreateTask(self.tasks, enricher, self.clock, self.random)

    async def create(self, repository: str = "a/b", title: str = "a title") -> Task:
        """Create a task."""
        return task_of(await self.create_task(TaskEdit(title=title, repository=repository)))

    async def task(self, task_id: str) -> Task:
        """Return the current state of a task."""
        return task_of(await self.query_tasks.get((task_id,)))

    async def all_tasks(self) -> list[Any]:
        """Return every task, oldest first."""
        sort = Sort.parse(TASKS, "created_at")
        return [task_of(row) for row in (await self.query_tasks(PageRequest(sort=sort))).rows]

    @property
    def asked(self) -> list[str]:
        """Return the repositories that were looked up, in order."""
        return [name for name, _ in self.github.asked]

    async def work(self) -> FetchJob:
        """Run the job that was requested last, until it ends or is deferred."""
        ran = await self.fetch_tasks.run(self.last.id)
        assert ran is not None
        return ran

    async def tick(self) -> FetchJob:
        """Run a job of the schedule."""
        await self.queued(Mode.SCHEDULE, TASKS)
        return await self.work()


def report_of(job: FetchJob) -> SourceReport:
    """Return GitHub's report of an ended job."""
    assert job.report is not None
    [report] = job.report.sources
    assert adds_up(report.counts)
    return report


def counts(updated: int = 0, unchanged: int = 0) -> Counts:
    """Return the counts of so many enriched tasks."""
    return Counts(received=updated + unchanged, updated=updated, unchanged=unchanged)
