"""A health probe that answers what it is told to."""

from application.ports.health import Probe
from domain.errors import StoreError


class MemoryProbe(Probe):
    """Finds all well, until `failure` is set."""

    def __init__(self) -> None:
        self.failure: StoreError | None = None

    async def check(self) -> None:
        """Return when all is well; raise the failure that was set."""
        if self.failure is not None:
            raise self.failure
