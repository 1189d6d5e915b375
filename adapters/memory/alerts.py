"""Alarms in memory, and an operator who remembers what they were told."""

from datetime import datetime

from adapters.memory.database import MemoryDatabase
from application.ports.alerts import Alerts, Notifier
from application.ports.system import Clock
from domain.alerts import Alarm, Alert
from domain.errors import SourceError


class MemoryAlerts(Alerts):
    """Keeps alarms in a memory database."""

    def __init__(self, database: MemoryDatabase, clock: Clock) -> None:
        self._alarms = database.alarms
        self._clock = clock

    async def standing(self) -> tuple[datetime, list[Alarm]]:
        """The present moment, and every alarm."""
        return self._clock.now(), [self._alarms[key] for key in sorted(self._alarms)]

    async def move(self, seen: Alarm | None, following: Alarm) -> bool:
        """Change an alarm, unless it is no longer as it was seen."""
        if self._alarms.get(following.key) != seen:
            return False
        self._alarms[following.key] = following
        return True


class MemoryNotifier(Notifier):
    """Remembers every alert, until `failure` is set; `takes_s` is how long an alert takes."""

    def __init__(self, clock: Clock) -> None:
        self.heard: list[Alert] = []
        self.tries = 0
        self.failure: SourceError | None = None
        self.takes_s = 0.0
        self._clock = clock

    async def notify(self, alert: Alert) -> None:
        """Remember the alert, or raise the failure that was set."""
        self.tries += 1
        await self._clock.sleep(self.takes_s)
        if self.failure is not None:
            raise self.failure
        self.heard.append(alert)
