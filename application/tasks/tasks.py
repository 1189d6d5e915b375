"""Tasks: the use cases of reading, creating, changing and deleting them, also without GitHub."""

import asyncio
import contextlib
from collections.abc import Set
from dataclasses import dataclass
from typing import Any

from application.datasets.query import Query, no_record
from application.ingest.fetch import Fetch
from application.ports.datasets import Store
from application.ports.system import Clock, Random
from application.ports.tasks import Tasks
from application.tasks.repository_lookup import RepositoryLookup
from domain.dataset import Role
from domain.errors import (
    SourceBlocked,
    SourceError,
    SourceTimedOut,
    StoreError,
)
from domain.reports import Traffic
from domain.repositories import Enrichment, Finding
from domain.tasks import MAX_TASKS, PENDING, TASKS, WRITE_BY, Task, TaskEdit, new_task, task_of

#: The longest time for which a request that writes a task waits for GitHub.
PATIENCE_S = 3.0

_UNAVAILABLE = Finding(Enrichment.UNAVAILABLE)


class QueryTasks(Query[Task]):
    """The use case that reads the tasks."""

    def __init__(self, store: Store) -> None:
        super().__init__(TASKS, store)


class TaskEnricher:
    """The enrichment of a written task: within PATIENCE_S if possible, otherwise by a job.

    Without `repository_lookup` no requests are sent to GitHub.
    """

    def __init__(
        self, repository_lookup: RepositoryLookup | None, fetch: Fetch[Task], clock: Clock
    ) -> None:
        self._repository_lookup = repository_lookup
        self._fetch = fetch
        self._clock = clock

    async def lookup(self, repository: str) -> Finding:
        """Return the finding for a repository, pending or unavailable if GitHub fails."""
        if self._repository_lookup is None:
            return _UNAVAILABLE
        deadline = self._clock.now() + self._fetch.deadline
        looking = asyncio.ensure_future(self._repository_lookup(repository, deadline, Traffic()))
        patience = asyncio.ensure_future(self._clock.sleep(PATIENCE_S))
        try:
            await asyncio.wait([looking, patience], return_when=asyncio.FIRST_COMPLETED)
            return looking.result().finding if looking.done() else PENDING
        except (SourceBlocked, SourceTimedOut):
            return PENDING
        except SourceError:
            return _UNAVAILABLE
        finally:
            # The shared lookup continues: the job that follows finds its result.
            looking.cancel()
            patience.cancel()

    async def enrich_later(self, row: Any) -> Any:
        """Return the task; start a job if its repository has not been looked up yet."""
        if self._fetch.sources and not Enrichment(row.enrichment).is_settled:
            with contextlib.suppress(StoreError):  # the task is stored; the schedule finds it
                await self._fetch.start(Role.ADMIN, force=True)
        return row


class CreateTask:
    """The use case that creates a task, unless there are `most` already."""

    def __init__(
        self,
        tasks: Tasks,
        enricher: TaskEnricher,
        clock: Clock,
        random: Random,
        most: int = MAX_TASKS,
    ) -> None:
        self._tasks = tasks
        self._enricher = enricher
        self._clock = clock
        self._random = random
        self._most = most

    async def __call__(self, edit: TaskEdit, viewer: Role = Role.ANYONE) -> Any:
        """Create a task and return it as stored; the edit has at least a title and a repository.

        Raise InvalidInput with a pointer to an invalid field, TooManyTasks, LoginRequired or
        Forbidden.
        """
        viewer.require(WRITE_BY)
        edit.check()
        finding = await self._enricher.lookup(edit.given["repository"])
        task = new_task(self._random.identifier(), edit, finding, self._clock.now())
        return await self._enricher.enrich_later(await self._tasks.add(task, self._most))


class ChangeTask:
    """The use case that changes some or all fields of a task."""

    def __init__(
        self, tasks: Tasks, query: QueryTasks, enricher: TaskEnricher, clock: Clock
    ) -> None:
        self._tasks = tasks
        self._query = query
        self._enricher = enricher
        self._clock = clock

    async def __call__(
        self,
        task_id: str,
        edit: TaskEdit,
        viewer: Role = Role.ANYONE,
        seen: Set[int] | None = None,
    ) -> Any:
        """Change a task and return it as stored; `seen` are the accepted versions, None for any.

        Raise InvalidInput, UnknownRecord, StaleVersion, LoginRequired or Forbidden.
        """
        viewer.require(WRITE_BY)
        edit.check()
        before = task_of(await self._query.get((task_id,), viewer))
        before.require(seen)
        repository = edit.given.get("repository", before.repository)
        moves = repository != before.repository
        finding = await self._enricher.lookup(repository) if moves else PENDING

        def change(task: Task) -> Task:
            task.require(seen)
            return task.edited(edit, finding, self._clock.now())

        row = await self._tasks.change(task_id, change)
        if row is None:
            raise no_record(TASKS)
        return await self._enricher.enrich_later(row)


class DeleteTask:
    """The use case that deletes a task."""

    def __init__(self, tasks: Tasks) -> None:
        self._tasks = tasks

    async def __call__(
        self, task_id: str, viewer: Role = Role.ANYONE, seen: Set[int] | None = None
    ) -> None:
        """Delete a task; raises as ChangeTask does."""
        viewer.require(WRITE_BY)
        if not await self._tasks.remove(task_id, lambda task: task.require(seen)):
            raise no_record(TASKS)


@dataclass(frozen=True)
class TaskUseCases:
    """The use cases of tasks."""

    query: QueryTasks
    create: CreateTask
    change: ChangeTask
    delete: DeleteTask
