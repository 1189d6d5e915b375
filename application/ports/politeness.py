"""The port of politeness: budgets of requests to hosts, shared by all processes."""

from abc import abstractmethod
from datetime import datetime
from typing import Protocol

from domain.politeness import Admission, Host


class Budget(Protocol):
    """The politeness budgets, one per host, shared by all processes and kept across restarts."""

    @abstractmethod
    async def spend(self, host: str, retry: bool = False) -> tuple[Admission, datetime]:
        """Spend the permission for one request; return the decision, and when to ask again."""

    @abstractmethod
    async def record_outcome(self, host: str, ok: bool) -> None:
        """Record the result of an admitted request."""

    @abstractmethod
    async def block(self, host: str, until: datetime) -> None:
        """Block requests to the host until then, as it demanded."""

    @abstractmethod
    async def left(self, host: str) -> int:
        """Return how many requests would be admitted now; nothing is spent."""

    @abstractmethod
    async def state(self, host: str) -> Host:
        """Return the state of the host."""
