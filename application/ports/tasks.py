"""Where tasks are written; they are read through the Store, as the records of any dataset are."""

from abc import abstractmethod
from collections.abc import Callable
from typing import Any, Protocol

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
