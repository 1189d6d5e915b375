"""Schedules in memory."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from adapters.memory.database import MemoryDatabase
from application.ports.schedules import Schedules
from application.ports.system import Clock
from domain.jobs import FetchJob
from domain.schedules import Schedule


class MemorySchedules(Schedules):
    """Keeps schedules in a memory database."""

    def __init__(self, database: MemoryDatabase, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def declare(self, periods: Mapping[str, timedelta]) -> None:
        """Keep exactly the schedules of these datasets."""
        now, known = self._clock.now(), self._database.schedules
        self._database.writes += 1
        self._database.schedules = {
            dataset: known[dataset].changed(every, now)
            if dataset in known
            else Schedule.starting(dataset, every, now)
            for dataset, every in periods.items()
        }

    async def standing(self) -> tuple[datetime, list[Schedule]]:
        """The present moment, and every schedule."""
        known = self._database.schedules
        return self._clock.now(), [known[dataset] for dataset in sorted(known)]

    async def fire(self, seen: Schedule, following: Schedule, job: FetchJob) -> FetchJob | None:
        """Move a schedule on and write its job down, both or neither."""
        return self._database.requested(job) if await self.move(seen, following) else None

    async def move(self, seen: Schedule, following: Schedule) -> bool:
        """Move a schedule without running."""
        if self._database.schedules.get(seen.dataset) != seen:
            return False
        self._database.writes += 1
        self._database.schedules[seen.dataset] = following
        return True
