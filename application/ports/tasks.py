"""The ports of tasks: their rows, and the repositories they are about."""

from abc import abstractmethod
from collections.abc import Callable
from datetime import datetime
from typing import Any, Protocol

from domain.reports import Traffic
from domain.repositories import KnownRepository, LookupResult
from domain.tasks import Task


class Tasks(Protocol):
    """The writes of tasks; each change applies to the latest version, so none is lost.

    Methods return the stored row of TASKS. Every write increases the dataset's sequence number.
    Methods raise StoreUnavailable and StoreFull as all writes do.
    """

    @abstractmethod
    async def add(self, task: Task, most: int) -> Any:
        """Store a new task.

        Raise TooManyTasks if there are `most` already, counted in the same transaction.
        """

    @abstractmethod
    async def change(self, task_id: str, change: Callable[[Task], Task]) -> Any | None:
        """Store the changed task; None if there is no such task.

        `change` gets the latest version, locked against other changes. If it raises or returns an
        equal task, nothing is written.
        """

    @abstractmethod
    async def remove(self, task_id: str, admit: Callable[[Task], None]) -> bool:
        """Remove a task unless `admit` raises for it; return whether there was one."""


class Repositories(Protocol):
    """GitHub's API of repositories."""

    @property
    @abstractmethod
    def host(self) -> str:
        """Return the host, as politeness budgets name it."""

    @abstractmethod
    async def lookup(
        self, name: str, known: LookupResult | None, deadline: datetime, traffic: Traffic
    ) -> LookupResult:
        """Return GitHub's current result for a repository; `known` itself if it has not changed.

        A missing repository is a result, too. The traffic is added to `traffic`, also of a lookup
        that raises SourceUnavailable, SourceBlocked, SourceTimedOut, SourceRefused or
        UnexpectedContent. A SourceRefused with a `retry_at` is about the caller, not the
        repository.
        """


class KnownRepositories(Protocol):
    """The store of known repositories, by name as written in tasks."""

    @abstractmethod
    async def get(self, name: str) -> KnownRepository | None:
        """Return the known state of one repository, None if there is none."""

    @abstractmethod
    async def keep(self, known: KnownRepository) -> None:
        """Store the state of a repository."""

    @abstractmethod
    async def forget(self, name: str) -> None:
        """Delete the state of a repository."""

    @abstractmethod
    async def due(self, before: datetime, now: datetime) -> list[str]:
        """Return the repositories not looked up since then, longest ago first.

        Those looked up after `now`, by a clock that was set back since, come last.
        """
