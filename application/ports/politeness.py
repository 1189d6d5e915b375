"""What may be asked of a host, shared by everybody who asks."""

from abc import abstractmethod
from datetime import datetime
from typing import Protocol

from domain.politeness import Admission, Host


class Budget(Protocol):
    """One politeness budget per host, whoever spends it and however often we restart."""

    @abstractmethod
    async def spend(self, host: str, retry: bool = False) -> tuple[Admission, datetime]:
        """Ask to send one request: GO spends a token; otherwise the time to ask again."""

    @abstractmethod
    async def record_outcome(self, host: str, ok: bool) -> None:
        """Tell how a request that was let go ended."""

    @abstractmethod
    async def block(self, host: str, until: datetime) -> None:
        """Leave the host alone until then, because it said so."""

    @abstractmethod
    async def state(self, host: str) -> Host:
        """What is remembered about the host."""
