"""What tasks need: their rows, and the repositories they are about."""

from abc import abstractmethod
from collections.abc import Callable
from datetime import datetime
from typing import Any, Protocol

from domain.reports import Traffic
from domain.repositories import KnownRepository, LookupResult
from domain.tasks import Task


class Tasks(Protocol):
    """Writes tasks, each change to what the one before it has left: none is ever lost.

    What is returned is the row of TASKS as it is stored. Every write moves the dataset's sequence
    number. StoreUnavailable and StoreFull as for any write.
    """

    @abstractmethod
    async def add(self, task: Task) -> Any:
        """Store a new task."""

    @abstractmethod
    async def change(self, task_id: str, change: Callable[[Task], Task]) -> Any | None:
        """Store what becomes of a task; None when there is none of that identifier.

        `change` is given the task as it is when nobody else can change it any more. When it raises,
        or gives the same task back, nothing is written.
        """

    @abstractmethod
    async def remove(self, task_id: str, admit: Callable[[Task], None]) -> bool:
        """Remove a task, unless `admit` raises when it sees it; False when there is none."""


class Repositories(Protocol):
    """GitHub, or whatever answers like it."""

    @property
    @abstractmethod
    def host(self) -> str:
        """Whom it asks: the host, as politeness budgets name it."""

    @abstractmethod
    async def look(
        self, name: str, known: LookupResult | None, deadline: datetime, traffic: Traffic
    ) -> LookupResult:
        """What GitHub says of a repository now; `known` itself when that has not changed.

        That there is no such repository is an answer. Adds to `traffic` what it costs, also when
        it fails with SourceUnavailable, SourceBlocked, SourceTimedOut, SourceRefused or
        UnexpectedContent. A refusal with a time to come back is of whoever asks, not of what.
        """


class KnownRepositories(Protocol):
    """What is known of repositories, each by its name as tasks spell it."""

    @abstractmethod
    async def get(self, name: str) -> KnownRepository | None:
        """What is known of one repository, if anything is."""

    @abstractmethod
    async def keep(self, known: KnownRepository) -> None:
        """Remember this of a repository, in place of what was known."""

    @abstractmethod
    async def forget(self, name: str) -> None:
        """Know nothing more of a repository."""

    @abstractmethod
    async def due(self, before: datetime) -> list[str]:
        """The repositories nobody has looked at since before then, longest ago first."""
