"""Quarantine in memory."""

from adapters.memory.database import MemoryDatabase
from application.ports.store import Quarantine, Quarantined


class MemoryQuarantine(Quarantine):
    """Shows the rejected records of a memory database."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database

    async def recent(self, dataset: str, limit: int) -> list[Quarantined]:
        """The records rejected last, newest first."""
        waiting = list(self._database.quarantine[dataset].values())
        return waiting[::-1][:limit]

    async def count(self, dataset: str) -> int:
        """How many records of the dataset are waiting."""
        return len(self._database.quarantine[dataset])
