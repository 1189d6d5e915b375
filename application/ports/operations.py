"""What operating the service needs: events, alerts, retention and health probes."""

from abc import abstractmethod
from datetime import datetime
from typing import Protocol

from domain.alerts import Alert, AlertState
from domain.events import Event
from domain.retention import RetainedKind


class Events(Protocol):
    """Hands what has happened to all who subscribe to it: logs, metrics, webhooks."""

    @abstractmethod
    def publish(self, event: Event) -> None:
        """Hand an event to its subscribers before returning.

        It never raises and takes microseconds: a subscriber with more to do does it later.
        """

    @abstractmethod
    def wants(self, kind: type[Event]) -> bool:
        """Whether anything subscribes to such events, which never changes; if not, make none."""


class Alerts(Protocol):
    """Keeps alarms, and lets each alert be taken by one watcher, however many there are."""

    @abstractmethod
    async def current(self) -> tuple[datetime, list[AlertState]]:
        """The present moment by the store's clock, and every alarm there is."""

    @abstractmethod
    async def move(self, seen: AlertState | None, following: AlertState) -> bool:
        """Change an alarm, or write down a new one where none was seen.

        False when it is no longer as it was seen: somebody else was faster.
        """


class Notifier(Protocol):
    """Tells the operator."""

    @abstractmethod
    async def notify(self, alert: Alert) -> None:
        """Return once the alert has arrived.

        SourceError says why that is not certain: it may be sent again, and arrive twice then.
        """


class Retention(Protocol):
    """Removes what is old and needed by nobody any more."""

    @abstractmethod
    async def prune(self, kept: RetainedKind, before: datetime, most: int) -> int:
        """Remove some of what is older than `before`, in one transaction of at most `most` rows.

        Returns how many were removed; 0 only when there is nothing left, or when what is left is
        being removed by somebody else. What is needed stays, as `RetainedKind` says. One thing that
        consists of more rows than `most` is removed alone.
        """


class Probe(Protocol):
    """Looks whether one thing we depend on works."""

    @property
    @abstractmethod
    def works(self) -> str:
        """One word for its working: "connected", or "embedded" for what runs in this process."""

    @abstractmethod
    async def check(self) -> None:
        """Return when it works; StoreUnavailable or QueueUnavailable says why it does not."""
