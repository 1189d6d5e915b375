"""Changes to a memory database."""

from adapters.memory.database import MemoryDatabase
from application.ports.datasets import Changes


class MemoryChanges(Changes):
    """Counts the writes to a memory database."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database

    def version(self) -> int:
        """How often anything was committed."""
        return self._database.writes
