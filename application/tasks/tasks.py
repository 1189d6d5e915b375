"""Tasks: made, changed and deleted by users, whatever state GitHub is in."""

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
from domain.tasks import PENDING, TASKS, WRITE_BY, Task, TaskEdit, new_task, task_of

#: So long does somebody who writes a task wait for GitHub, and no longer.
PATIENCE_S = 3.0

_UNAVAILABLE = Finding(Enrichment.UNAVAILABLE)


class QueryTasks(Query[Task]):
    """Reads the tasks."""

    def __init__(self, store: Store) -> None:
        super().__init__(TASKS, store)


class TaskEnricher:
    """Finds out about a task's repository: within seconds if it can be done, or else by a job.

    Without `repository_lookup` GitHub is not asked, now or later.
    """

    def __init__(
        self, repository_lookup: RepositoryLookup | None, fetch: Fetch[Task], clock: Clock
    ) -> None:
        self._look_at = repository_lookup
        self._fetch = fetch
        self._clock = clock

    async def look(self, repository: str) -> Finding:
        """What can be found out while somebody waits; it does not fail when GitHub does."""
        if self._look_at is None:
            return _UNAVAILABLE
        deadline = self._clock.now() + self._fetch.deadline
        looking = asyncio.ensure_future(self._look_at(repository, deadline, Traffic()))
        patience = asyncio.ensure_future(self._clock.sleep(PATIENCE_S))
        try:
            await asyncio.wait([looking, patience], return_when=asyncio.FIRST_COMPLETED)
            return looking.result().finding if looking.done() else PENDING
        except (SourceBlocked, SourceTimedOut):
            return PENDING
        except SourceError:
            return _UNAVAILABLE
        finally:
            # The look itself goes on: what it finds is known to the job that comes after it.
            looking.cancel()
            patience.cancel()

    async def follow(self, row: Any) -> Any:
        """The same task; whoever still has to look at its repository is asked for at once."""
        if self._fetch.sources and not Enrichment(row.enrichment).is_settled:
            with contextlib.suppress(StoreError):  # the task is stored; the schedule finds it
                await self._fetch.start(Role.ADMIN, force=True)
        return row


class CreateTask:
    """Makes a task."""

    def __init__(self, tasks: Tasks, enriching: TaskEnricher, clock: Clock, random: Random) -> None:
        self._tasks = tasks
        self._enriching = enriching
        self._clock = clock
        self._random = random

    async def __call__(self, edit: TaskEdit, viewer: Role = Role.ANYONE) -> Any:
        """The task as stored, which has at least a title and a repository.

        InvalidInput points to the field that no task may have; LoginRequired or Forbidden.
        """
        viewer.require(WRITE_BY)
        edit.check()
        finding = await self._enriching.look(edit.given["repository"])
        task = new_task(self._random.identifier(), edit, finding, self._clock.now())
        return await self._enriching.follow(await self._tasks.add(task))


class ChangeTask:
    """Changes a task, or all of it."""

    def __init__(
        self, tasks: Tasks, query: QueryTasks, enriching: TaskEnricher, clock: Clock
    ) -> None:
        self._tasks = tasks
        self._query = query
        self._enriching = enriching
        self._clock = clock

    async def __call__(
        self,
        task_id: str,
        edit: TaskEdit,
        viewer: Role = Role.ANYONE,
        seen: Set[int] | None = None,
    ) -> Any:
        """The task as it has become; `seen` are the versions it may be made from, None for any.

        InvalidInput, UnknownRecord, StaleVersion; LoginRequired or Forbidden.
        """
        viewer.require(WRITE_BY)
        edit.check()
        before = task_of(await self._query.get((task_id,), viewer))
        before.require(seen)
        repository = edit.given.get("repository", before.repository)
        moves = repository != before.repository
        finding = await self._enriching.look(repository) if moves else PENDING

        def change(task: Task) -> Task:
            task.require(seen)
            return task.edited(edit, finding, self._clock.now())

        row = await self._tasks.change(task_id, change)
        if row is None:
            raise no_record(TASKS)
        return await self._enriching.follow(row)


class DeleteTask:
    """Deletes a task."""

    def __init__(self, tasks: Tasks) -> None:
        self._tasks = tasks

    async def __call__(
        self, task_id: str, viewer: Role = Role.ANYONE, seen: Set[int] | None = None
    ) -> None:
        """Delete it; errors as for a change."""
        viewer.require(WRITE_BY)
        if not await self._tasks.remove(task_id, lambda task: task.require(seen)):
            raise no_record(TASKS)


@dataclass(frozen=True)
class TaskUseCases:
    """All that can be done with tasks."""

    query: QueryTasks
    create: CreateTask
    change: ChangeTask
    delete: DeleteTask
