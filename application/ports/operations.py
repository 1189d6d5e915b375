"""The ports of operations: events, alerts, retention and health probes."""

from abc import abstractmethod
from datetime import datetime
from typing import Protocol

import msgspec

from domain.alerts import Alert, AlertState
from domain.events import Event
from domain.retention import RetainedKind


class Events(Protocol):
    """The publisher of events to their subscribers: logs, metrics, webhooks."""

    @abstractmethod
    def publish(self, event: Event) -> None:
        """Pass an event to its subscribers before returning.

        It never raises, and takes microseconds: a subscriber does longer work later.
        """

    @abstractmethod
    def wants(self, kind: type[Event]) -> bool:
        """Return whether such events have a subscriber, which never changes; if not, make none."""


class Alerts(Protocol):
    """The store of alert states; each alert is claimed once, by any number of monitors."""

    @abstractmethod
    async def current(self) -> tuple[datetime, list[AlertState]]:
        """Return the time of the store's clock, and every alert state."""

    @abstractmethod
    async def move(self, seen: AlertState | None, following: AlertState) -> bool:
        """Replace a state, or store a new one if `seen` is None; return whether it was done.

        False means that the state is no longer equal to `seen`: another monitor was faster.
        """


class Notifier(Protocol):
    """The channel that sends alerts to the operator."""

    @abstractmethod
    async def notify(self, alert: Alert) -> None:
        """Send an alert, and return once it has arrived.

        Raise SourceError, with the reason, if that is uncertain; a retry may make it arrive twice.
        """


class Retention(Protocol):
    """The removal of rows that have expired and are not needed."""

    @abstractmethod
    async def prune(self, kept: RetainedKind, before: datetime, most: int) -> int:
        """Remove rows older than `before`, at most `most` in one transaction; return how many.

        The result is 0 only if nothing is left, or others are removing the rest. Needed rows stay,
        as `RetainedKind` says. An entity of more than `most` rows is removed alone.
        """


class PoolUsage(msgspec.Struct, frozen=True, kw_only=True):
    """The use of one pool of connections, and how many tasks wait for one."""

    name: str
    most: int
    open: int
    busy: int
    waiting: int


class Connections(Protocol):
    """The connections of this process to its database."""

    @abstractmethod
    def pools(self) -> list[PoolUsage]:
        """Return the present use of every pool; the names never change."""


class Probe(Protocol):
    """A health check of one dependency."""

    @property
    @abstractmethod
    def works(self) -> str:
        """Return the status of a working one: "connected", or "embedded" in this process."""

    @abstractmethod
    async def check(self) -> None:
        """Raise StoreUnavailable or QueueUnavailable, with the reason, unless it works."""
