"""A health probe that answers what it is told to."""

from application.ports.health import Probe
from domain.errors import CatchmentError


class MemoryProbe(Probe):
    """Finds all well, until `failure` is set."""

    def __init__(self, works: str = "connected") -> None:
        self.failure: CatchmentError | None = None
        self._works = works

    @property
    def works(self) -> str:
        """The word it was given."""
        return self._works

    async def check(self) -> None:
        """Return when all is well; raise the failure that was set."""
        if self.failure is not None:
            raise self.failure
