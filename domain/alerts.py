"""Alerts: incidents, reported to the operator once when they begin and once when they end."""

from datetime import datetime, timedelta
from enum import StrEnum

import msgspec

from domain.checkpoints import Freshness
from domain.jobs import JobStatus
from domain.politeness import Breaker, Cadence, Host
from domain.times import shown

#: After this long without a result, another process may send a claimed alert.
CLAIM_TIMEOUT = timedelta(seconds=60)


class Kind(StrEnum):
    """The kinds of incident: a dataset is stale, or the breaker of a source is open."""

    STALE = "stale"
    BREAKER = "breaker"


class AlertEvent(StrEnum):
    """The start or the end of an incident."""

    RAISED = "raised"
    RECOVERED = "recovered"


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """One message to the operator; both messages of an incident have the same `since`.

    `subject` is the dataset, or the host with the open breaker; `at` is the time of sending.
    """

    event: AlertEvent
    kind: Kind
    subject: str
    dataset: str
    source: str | None
    detail: str
    since: datetime
    at: datetime


class Incident(msgspec.Struct, frozen=True):
    """An incident: a description in one sentence, and its start."""

    detail: str
    since: datetime


class AlertState(msgspec.Struct, frozen=True, kw_only=True):
    """The alert state of one subject: what the operator knows, or will know next.

    While a message is not `delivered`, later checks do not change the state, so no
    start and no end is lost. `source` is empty for a whole dataset; `since` is the start of the
    last incident.
    """

    kind: Kind
    dataset: str
    source: str = ""
    subject: str
    detail: str = ""
    raised: bool = False
    delivered: bool = True
    watched_since: datetime
    since: datetime
    claimed_until: datetime | None = None

    @classmethod
    def quiet(
        cls, kind: Kind, dataset: str, subject: str, now: datetime, source: str = ""
    ) -> "AlertState":
        """Return the state of a subject without any incident so far."""
        return cls(
            kind=kind,
            dataset=dataset,
            source=source,
            subject=subject,
            watched_since=now,
            since=now,
        )

    @property
    def key(self) -> tuple[Kind, str, str]:
        """Return the identity of the state."""
        return self.kind, self.dataset, self.source

    def seen(self, incident: Incident | None, well: str) -> "AlertState":
        """Return the state after a check; `well` describes the end of an incident."""
        if not self.delivered or self.raised == (incident is not None):
            return self
        if incident is None:
            return msgspec.structs.replace(self, raised=False, delivered=False, detail=well)
        return msgspec.structs.replace(
            self, raised=True, delivered=False, detail=incident.detail, since=incident.since
        )

    def is_waiting(self, now: datetime) -> bool:
        """Return whether a message waits that no process is sending."""
        if self.delivered:
            return False
        # A claim of a process whose clock is a little ahead holds; one that is too far ahead is of
        # a clock that was set back since.
        latest = now + 2 * CLAIM_TIMEOUT
        return self.claimed_until is None or not now < self.claimed_until <= latest

    def bounded(self, now: datetime) -> "AlertState":
        """Return the state without a time later than now since which the subject is watched."""
        if self.watched_since <= now:
            return self
        return msgspec.structs.replace(self, watched_since=now)

    def claimed(self, now: datetime) -> "AlertState":
        """Return the state claimed by the process that sends the message."""
        return msgspec.structs.replace(self, claimed_until=now + CLAIM_TIMEOUT)

    def released(self, delivered: bool) -> "AlertState":
        """Return the state after an attempt to send the message."""
        return msgspec.structs.replace(self, delivered=delivered, claimed_until=None)

    def alert(self, at: datetime) -> Alert:
        """Return the message to send at this time."""
        return Alert(
            event=AlertEvent.RAISED if self.raised else AlertEvent.RECOVERED,
            kind=self.kind,
            subject=self.subject,
            dataset=self.dataset,
            source=self.source or None,
            detail=self.detail,
            since=self.since,
            at=at,
        )


# ---------------------------------------------------------------- incidents


def staleness(
    cadence: Cadence, freshness: Freshness, watched_since: datetime, now: datetime
) -> Incident | None:
    """Return the incident of a stale dataset.

    For a dataset that was never fetched, the time counts from when it was first watched; without
    a time limit only a failure is an incident.
    """
    if freshness.fetched_at is not None:
        if not cadence.is_stale(freshness, now):
            return None
        detail = f"not fetched since {shown(freshness.fetched_at)}, which is too long ago"
        return Incident(detail, cadence.stale_at(freshness) or now)
    patience = cadence.patience
    if patience is None:
        failed = freshness.last_status is JobStatus.FAILED
        return Incident("never fetched, and the last attempt failed", now) if failed else None
    stale_at = watched_since + patience
    detail = f"never fetched, and watched since {shown(watched_since)}"
    return Incident(detail, stale_at) if now > stale_at else None


def open_breaker(host: Host, now: datetime) -> Incident | None:
    """Return the incident of a host whose breaker is not closed.

    A half-open breaker is still the same incident, until a request succeeds.
    """
    if host.breaker(now.timestamp()) is Breaker.CLOSED:
        return None
    return Incident(
        "the host keeps failing; requests are paused, and one is tried from time to time", now
    )
