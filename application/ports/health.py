"""Whether what we depend on is there."""

from abc import abstractmethod
from typing import Protocol


class Probe(Protocol):
    """Looks whether one thing we depend on works."""

    @abstractmethod
    async def check(self) -> None:
        """Return when it works; StoreUnavailable says why it does not."""
