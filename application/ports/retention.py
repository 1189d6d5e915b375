"""How what is old is removed."""

from abc import abstractmethod
from datetime import datetime
from typing import Protocol

from domain.retention import Kept


class Retention(Protocol):
    """Removes what is old and needed by nobody any more."""

    @abstractmethod
    async def prune(self, kept: Kept, before: datetime, most: int) -> int:
        """Remove some of what is older than `before`, in one transaction of at most `most` rows.

        Returns how many were removed; 0 only when there is nothing left, or when what is left is
        being removed by somebody else. What is needed stays, as `Kept` says. One thing that
        consists of more rows than `most` is removed alone.
        """
