"""Quarantine in memory."""

from datetime import datetime

from adapters.memory.database import MemoryDatabase
from application.ports.datasets import Quarantine, Quarantined


class MemoryQuarantine(Quarantine):
    """Shows the rejected records of a memory database."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database

    async def recent(
        self,
        dataset: str | None,
        limit: int,
        source: str | None = None,
        before: tuple[datetime, int] | None = None,
    ) -> list[Quarantined]:
        """The records rejected last, newest first."""
        found = [
            rejected
            for rejected in self._all()
            if dataset in (None, rejected.dataset)
            and source in (None, rejected.source)
            and (before is None or _place(rejected) < before)
        ]
        return sorted(found, key=_place, reverse=True)[:limit]

    async def get(self, rejection_id: int) -> Quarantined | None:
        """One rejected record, as long as it waits."""
        return next((found for found in self._all() if found.id == rejection_id), None)

    async def count(self, dataset: str) -> int:
        """How many records of the dataset are waiting."""
        return len(self._database.quarantine[dataset])

    def _all(self) -> list[Quarantined]:
        return [one for each in self._database.quarantine.values() for one in each.values()]


def _place(rejected: Quarantined) -> tuple[datetime, int]:
    return rejected.rejected_at, rejected.id
