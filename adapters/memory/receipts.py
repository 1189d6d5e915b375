"""Receipts in memory."""

from adapters.memory.database import MemoryDatabase
from application.ports.receipts import Receipts, Received


class MemoryReceipts(Receipts):
    """Finds what jobs have received in a memory database."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database

    async def last(self, job_id: str) -> Received | None:
        """The last payload that a job has received."""
        found = [
            Received(source, payload)
            for (_, source), payloads in self._database.kept.items()
            for payload in payloads
            if self._database.fetched_by[payload.receipt] == job_id
        ]
        return max(found, key=lambda received: received.payload.receipt, default=None)
