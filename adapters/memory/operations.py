"""Operations in memory: events, alerts, retention and probes."""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from typing import TypeVar

from adapters.memory.database import MemoryDatabase
from application.ports.operations import (
    NO_ATTRIBUTES,
    Alerts,
    Attributes,
    Connections,
    Events,
    Notifier,
    PoolUsage,
    Probe,
    Retention,
    Span,
    SpanKind,
    Tracer,
)
from application.ports.system import Clock
from domain.alerts import Alert, AlertState
from domain.errors import CatchmentError, SourceError
from domain.events import Event
from domain.payloads import Payload
from domain.retention import NETWORKS_KEPT, RetainedKind
from domain.sessions import ApiToken
from domain.throttling import Attempts

E = TypeVar("E", bound=Event)

#: A trace that exists: neither of its identifiers is zero.
_TRACEPARENT = re.compile("00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-[0-9a-f]{2}")


class MemoryEvents(Events):
    """All published events, in order."""

    def __init__(self) -> None:
        self.published: list[Event] = []

    def publish(self, event: Event) -> None:
        """Record the event."""
        self.published.append(event)

    def wants(self, kind: type[Event]) -> bool:
        """Return True: events of every kind are recorded."""
        return True

    def of(self, kind: type[E]) -> list[E]:
        """Return the events of one kind so far."""
        return [event for event in self.published if isinstance(event, kind)]


class MemorySpan(Span):
    """A span, with the error that ended it, if one did; identifiers are as in a traceparent."""

    def __init__(
        self, name: str, kind: SpanKind, attributes: Attributes, trace: str, id: str, parent: str
    ) -> None:
        self.name = name
        self.kind = kind
        self.attributes = dict(attributes)
        self.trace = trace
        self.id = id
        self.parent = parent
        self.error: BaseException | None = None

    def rename(self, name: str) -> None:
        """Change the name."""
        self.name = name

    def note(self, attributes: Attributes) -> None:
        """Add attributes."""
        self.attributes.update(attributes)


class MemoryTracer(Tracer):
    """Keeps every span in the order of their beginnings."""

    def __init__(self) -> None:
        self.spans: list[MemorySpan] = []
        self._current: ContextVar[MemorySpan | None] = ContextVar("span", default=None)

    @contextmanager
    def span(
        self,
        name: str,
        kind: SpanKind = SpanKind.INTERNAL,
        attributes: Attributes = NO_ATTRIBUTES,
        parent: str | None = None,
    ) -> Iterator[Span]:
        """Keep the block as a span within the current one, or within a parent."""
        around, number = self._current.get(), len(self.spans) + 1
        trace, of = (around.trace, around.id) if around else (f"{number:032x}", "")
        if parent is not None:
            match = _TRACEPARENT.fullmatch(parent)
            trace, of = (match[1], match[2]) if match else (f"{number:032x}", "")
        span = MemorySpan(name, kind, attributes, trace, f"{number:016x}", of)
        self.spans.append(span)
        token = self._current.set(span)
        try:
            yield span
        except BaseException as error:
            span.error = error
            raise
        finally:
            self._current.reset(token)

    def traceparent(self) -> str | None:
        """Return the current span as W3C Trace Context names it."""
        span = self._current.get()
        return None if span is None else f"00-{span.trace}-{span.id}-01"


class MemoryAlerts(Alerts):
    """Alert states in a memory database."""

    def __init__(self, database: MemoryDatabase, clock: Clock) -> None:
        self._states = database.alarms
        self._clock = clock

    async def current(self) -> tuple[datetime, list[AlertState]]:
        """Return the time, and every alert state."""
        return self._clock.now(), [self._states[key] for key in sorted(self._states)]

    async def move(self, seen: AlertState | None, following: AlertState) -> bool:
        """Replace an alert state if it is still equal to `seen`; return whether it was."""
        if self._states.get(following.key) != seen:
            return False
        self._states[following.key] = following
        return True


class MemoryNotifier(Notifier):
    """A notifier that records alerts, or fails once `failure` is set; an alert takes `takes_s`."""

    def __init__(self, clock: Clock) -> None:
        self.sent: list[Alert] = []
        self.tries = 0
        self.failure: SourceError | None = None
        self.takes_s = 0.0
        self._clock = clock

    async def notify(self, alert: Alert) -> None:
        """Record the alert, or raise the failure that was set."""
        self.tries += 1
        await self._clock.sleep(self.takes_s)
        if self.failure is not None:
            raise self.failure
        self.sent.append(alert)


K = TypeVar("K")
V = TypeVar("V")


class MemoryRetention(Retention):
    """The removal of expired rows from a memory database."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database
        self._prune_kind: Mapping[RetainedKind, Callable[[datetime, int], int]] = {
            RetainedKind.QUARANTINE: self._quarantine,
            RetainedKind.PAYLOADS: self._payloads,
            RetainedKind.JOBS: self._jobs,
            RetainedKind.KEYS: self._keys,
            RetainedKind.SESSIONS: self._sessions,
            RetainedKind.TOKENS: self._tokens,
            RetainedKind.GUESSES: self._guesses,
            RetainedKind.CLIENTS: self._clients,
        }

    async def prune(self, kept: RetainedKind, before: datetime, most: int) -> int:
        """Remove up to `most` expired rows of one kind; return how many."""
        return self._prune_kind[kept](before, most)

    def _quarantine(self, before: datetime, most: int) -> int:
        old = [
            (waiting, key)
            for waiting in self._database.quarantine.values()
            for key, rejected in waiting.items()
            if rejected.rejected_at < before
        ][:most]
        for waiting, key in old:
            del waiting[key]
        return len(old)

    def _payloads(self, before: datetime, most: int) -> int:
        old = [
            (payloads, payload)
            for (dataset, _), payloads in self._database.kept.items()
            for payload in payloads
            if payload.received_at < before and not self._is_needed(dataset, payloads, payload)
        ][:most]
        for payloads, payload in old:
            payloads.remove(payload)
            self._database.merged.discard(payload.receipt)
            del self._database.fetched_by[payload.receipt]
        bodies = {payload.body for payloads in self._database.kept.values() for payload in payloads}
        for body in self._database.bodies.keys() - bodies:
            del self._database.bodies[body]
        return len(old)

    def _is_needed(self, dataset: str, payloads: list[Payload], payload: Payload) -> bool:
        arrivals = self._database.fetched_by
        merged = [p.receipt for p in payloads if p.receipt in self._database.merged]
        job_id = arrivals[payload.receipt]
        job = self._database.jobs.get(job_id)
        return (
            (bool(merged) and arrivals[max(merged)] == job_id)
            or (job is not None and not job.status.is_final)
            or any(
                rejected.receipt == payload.receipt
                for rejected in self._database.quarantine[dataset].values()
            )
        )

    def _jobs(self, before: datetime, most: int) -> int:
        jobs = self._database.jobs.values()
        ends = [(job.dataset, job.finished_at) for job in jobs if job.finished_at is not None]
        last = {dataset: end for dataset, end in sorted(ends)}
        named = {
            checkpoint.job_id
            for table in self._database.tables.values()
            for checkpoint in table.checkpoints.values()
        }
        old = [
            job.id
            for job in jobs
            if job.finished_at is not None
            and job.finished_at < min(before, last[job.dataset])
            and job.id not in named
        ][:most]
        for job_id in old:
            del self._database.jobs[job_id]
        return len(old)

    def _keys(self, before: datetime, most: int) -> int:
        return _drop(self._database.keys, lambda known: known.begun_at < before, most)

    def _sessions(self, before: datetime, most: int) -> int:
        database = self._database
        dropped = _drop(database.sessions, lambda session: session.expires_at < before, most)
        _drop(database.refresh_tokens, lambda token: token.session not in database.sessions)
        return dropped

    def _tokens(self, before: datetime, most: int) -> int:
        def has_ended(token: ApiToken) -> bool:
            return token.expires_at is not None and token.expires_at < before

        return _drop(self._database.api_tokens, has_ended, most)

    def _guesses(self, before: datetime, most: int) -> int:
        def is_old(attempts: Attempts) -> bool:
            end = before - NETWORKS_KEPT if attempts.known else before
            return attempts.seen_at is not None and attempts.seen_at < end

        return _drop(self._database.attempts, is_old, most)

    def _clients(self, before: datetime, most: int) -> int:
        before_s = before.timestamp()
        return _drop(self._database.full_at_s, lambda full_at_s: full_at_s < before_s, most)


def _drop(kept: dict[K, V], is_old: Callable[[V], bool], most: int | None = None) -> int:
    old = [key for key, value in kept.items() if is_old(value)][:most]
    for key in old:
        del kept[key]
    return len(old)


class MemoryConnections(Connections):
    """The pools that a test has given: none at first."""

    def __init__(self) -> None:
        self.given: list[PoolUsage] = []

    def pools(self) -> list[PoolUsage]:
        """Return the given pools."""
        return self.given


class MemoryProbe(Probe):
    """A probe that succeeds, or fails once `failure` is set."""

    def __init__(self, works: str = "connected") -> None:
        self.failure: CatchmentError | None = None
        self._works = works

    @property
    def works(self) -> str:
        """Return the given status word."""
        return self._works

    async def check(self) -> None:
        """Return, or raise the failure that was set."""
        if self.failure is not None:
            raise self.failure
