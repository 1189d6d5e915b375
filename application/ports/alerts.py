"""Where it is kept what the operator has been told, and how it is told."""

from abc import abstractmethod
from datetime import datetime
from typing import Protocol

from domain.alerts import Alarm, Alert


class Alerts(Protocol):
    """Keeps alarms, and lets each alert be taken by one watcher, however many there are."""

    @abstractmethod
    async def standing(self) -> tuple[datetime, list[Alarm]]:
        """The present moment by the store's clock, and every alarm there is."""

    @abstractmethod
    async def move(self, seen: Alarm | None, following: Alarm) -> bool:
        """Change an alarm, or write down a new one where none was seen.

        False when it is no longer as it was seen: somebody else was faster.
        """


class Notifier(Protocol):
    """Tells the operator."""

    @abstractmethod
    async def notify(self, alert: Alert) -> None:
        """Return once the alert has arrived.

        SourceError says why that is not certain: it may be told again, and arrive twice then.
        """
