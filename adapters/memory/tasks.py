"""Tasks in memory, and the repositories they are about."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from adapters.memory.database import MemoryDatabase, StoredRow
from application.ports.system import Clock
from application.ports.tasks import KnownRepositories, Repositories, Tasks
from domain.errors import SourceError, SourceRefused
from domain.reports import Traffic
from domain.repositories import KnownRepository, LookupResult, RepoFacts
from domain.tasks import TASKS, Task, require_room, task_of


class MemoryTasks(Tasks):
    """Tasks in a memory database."""

    def __init__(self, database: MemoryDatabase, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def add(self, task: Task, most: int) -> Any:
        """Store a new task, unless there are `most` already."""
        require_room(len(self._rows), most)
        return self._put(task)

    async def change(self, task_id: str, change: Callable[[Task], Task]) -> Any | None:
        """Store the changed task; None if there is no such task."""
        known = self._rows.get((task_id,))
        if known is None:
            return None
        before = task_of(known.record)
        after = change(before)
        return known.record if after == before else self._put(after)

    async def remove(self, task_id: str, admit: Callable[[Task], None]) -> bool:
        """Remove a task unless `admit` raises; return whether there was one."""
        known = self._rows.get((task_id,))
        if known is None:
            return False
        admit(task_of(known.record))
        del self._rows[(task_id,)]
        self._moved()
        return True

    @property
    def _rows(self) -> dict[Any, StoredRow]:
        return self._database.tables[TASKS.name].rows

    def _put(self, task: Task) -> Any:
        table = self._database.tables[TASKS.name]
        table.changed_at = table.changes_at(self._clock.now())
        row = TASKS.stored(task, table.changed_at)
        self._rows[TASKS.key_of(task)] = StoredRow(row, 0)
        self._moved()
        return row

    def _moved(self) -> None:
        self._database.tables[TASKS.name].seq += 1
        self._database.writes += 1


class MemoryRepositories(Repositories):
    """A GitHub that knows only the given facts; any other repository does not exist.

    `failure` is raised instead of any response, or `failures` by repository; a response takes
    `takes_s`. `asked` records every lookup, with the known result.
    """

    def __init__(self, clock: Clock) -> None:
        self.facts: dict[str, RepoFacts] = {}
        self.failure: SourceError | None = None
        self.failures: dict[str, SourceError] = {}
        self.takes_s = 0.0
        self.asked: list[tuple[str, LookupResult | None]] = []
        self._clock = clock

    @property
    def host(self) -> str:
        """Return a fixed host name."""
        return "github.memory"

    async def lookup(
        self, name: str, known: LookupResult | None, deadline: datetime, traffic: Traffic
    ) -> LookupResult:
        """Return the facts, or `known` if they have not changed."""
        self.asked.append((name, known))
        await self._clock.sleep(self.takes_s)
        failure = self.failures.get(name, self.failure)
        if failure is not None:
            # With a spent budget no request is sent; a refusal is a response.
            traffic.requests += failure.retry_at is None or isinstance(failure, SourceRefused)
            raise failure
        traffic.requests += 1
        facts = self.facts.get(name)
        if known is not None and known.etag is not None and known.facts == facts:
            traffic.not_modified += 1
            return known
        return LookupResult(facts, f'"{hash(facts):x}"' if facts else None)


class MemoryKnownRepositories(KnownRepositories):
    """Known repositories in a memory database."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._known = database.repositories

    async def get(self, name: str) -> KnownRepository | None:
        """Return the known state of one repository, None if there is none."""
        return self._known.get(name)

    async def keep(self, known: KnownRepository) -> None:
        """Store the state of a repository."""
        self._known[known.name] = known

    async def forget(self, name: str) -> None:
        """Delete the state of a repository."""
        self._known.pop(name, None)

    async def due(self, before: datetime, now: datetime) -> list[str]:
        """Return the repositories not looked up since then, longest ago first."""
        found = [
            known
            for known in self._known.values()
            if known.checked_at <= before or known.checked_at > now
        ]
        return [known.name for known in sorted(found, key=lambda known: known.checked_at)]
