"""Tasks in memory."""

from collections.abc import Callable
from typing import Any

from adapters.memory.database import MemoryDatabase, Row
from application.ports.system import Clock
from application.ports.tasks import Tasks
from domain.tasks import TASKS, Task, task_of


class MemoryTasks(Tasks):
    """Writes the tasks of a memory database."""

    def __init__(self, database: MemoryDatabase, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def add(self, task: Task) -> Any:
        """Store a new task."""
        return self._put(task)

    async def change(self, task_id: str, change: Callable[[Task], Task]) -> Any | None:
        """Store what becomes of a task."""
        known = self._rows.get((task_id,))
        if known is None:
            return None
        before = task_of(known.record)
        after = change(before)
        return known.record if after == before else self._put(after)

    async def remove(self, task_id: str, admit: Callable[[Task], None]) -> bool:
        """Remove a task, unless `admit` raises."""
        known = self._rows.get((task_id,))
        if known is None:
            return False
        admit(task_of(known.record))
        del self._rows[(task_id,)]
        self._moved()
        return True

    @property
    def _rows(self) -> dict[Any, Row]:
        return self._database.tables[TASKS.name].rows

    def _put(self, task: Task) -> Any:
        table = self._database.tables[TASKS.name]
        table.changed_at = table.changes_at(self._clock.now())
        row = TASKS.stored(task, table.changed_at)
        self._rows[TASKS.key_of(task)] = Row(row, 0)
        self._moved()
        return row

    def _moved(self) -> None:
        self._database.tables[TASKS.name].seq += 1
        self._database.writes += 1
