"""Whether what we depend on is there."""

from abc import abstractmethod
from typing import Protocol


class Probe(Protocol):
    """Looks whether one thing we depend on works."""

    @property
    @abstractmethod
    def works(self) -> str:
        """One word for its working: "connected", or "embedded" for what runs in this process."""

    @abstractmethod
    async def check(self) -> None:
        """Return when it works; StoreUnavailable or QueueUnavailable says why it does not."""
