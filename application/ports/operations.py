"""The ports of operations: events, alerts, retention and health probes."""

from abc import abstractmethod
from collections.abc import Mapping
from contextlib import AbstractContextManager
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Protocol

import msgspec

from domain.alerts import Alert, AlertState
from domain.events import Event
from domain.retention import RetainedKind

#: Attributes of a span.
Attributes = Mapping[str, str | int]
NO_ATTRIBUTES: Attributes = MappingProxyType({})


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


class SpanKind(StrEnum):
    """Where the work of a span comes from: a client's request, a queue, or this process.

    A `client` span is a request to another service.
    """

    INTERNAL = "internal"
    SERVER = "server"
    CLIENT = "client"
    CONSUMER = "consumer"


class Span(Protocol):
    """One piece of work in a trace, as long as it lasts."""

    @abstractmethod
    def rename(self, name: str) -> None:
        """Change the name to one that was unknown at the start."""

    @abstractmethod
    def note(self, attributes: Attributes) -> None:
        """Add attributes."""


class Tracer(Protocol):
    """The recorder of traces: pieces of work, in any number of processes, that belong together."""

    @abstractmethod
    def span(
        self,
        name: str,
        kind: SpanKind = SpanKind.INTERNAL,
        attributes: Attributes = NO_ATTRIBUTES,
        parent: str | None = None,
    ) -> AbstractContextManager[Span]:
        """Record the block as a span within the current one.

        With a `parent`, as `traceparent` has returned it, perhaps in another process, it is within
        that; one that is not valid begins a new trace. An error that leaves the block marks it.
        """

    @abstractmethod
    def traceparent(self) -> str | None:
        """Return the current span as W3C Trace Context names it; None if nothing is recorded."""


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


class Renewed(msgspec.Struct, frozen=True, kw_only=True):
    """What a restored database has lost: open sessions, and API tokens unless they were kept."""

    sessions: int
    tokens: int


class Restoration(Protocol):
    """The step after a restore that makes a database another one than the one it is a copy of."""

    @abstractmethod
    async def renew(self, database_id: str, keep_tokens: bool) -> Renewed:
        """Give the database another identifier, at once with the end of all that lets clients in.

        Every session ends, and every API token is revoked, or else is kept as it is in the backup.
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
