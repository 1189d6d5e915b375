"""Alerts: what an operator is told of once when it begins, and once when it is over."""

from datetime import datetime, timedelta
from enum import StrEnum

import msgspec

from domain.checkpoints import Freshness
from domain.jobs import JobStatus
from domain.politeness import Breaker, Cadence, Host

#: Whoever has taken an alert to tell it, and is not heard of for so long, is thought dead.
TAKEN = timedelta(seconds=60)


class Kind(StrEnum):
    """What may be wrong: a dataset is older than it should be, or a source's breaker is open."""

    STALE = "stale"
    BREAKER = "breaker"


class AlertEvent(StrEnum):
    """Whether trouble has begun, or is over."""

    RAISED = "raised"
    RECOVERED = "recovered"


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """One message to the operator; both messages of one trouble have the same `since`.

    `subject` is the dataset, or the host whose breaker it is; `at` is when it is told.
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
    """Something that is wrong now, in a sentence, and since when."""

    detail: str
    since: datetime


class AlertState(msgspec.Struct, frozen=True, kw_only=True):
    """What the operator knows of one thing that is watched, or is about to be told.

    Until it is `told`, what was seen first stays, whatever is seen meanwhile: so no beginning and
    no end is lost. `source` is empty where it is about the whole dataset; `since` is when the
    last trouble began.
    """

    kind: Kind
    dataset: str
    source: str = ""
    subject: str
    detail: str = ""
    raised: bool = False
    told: bool = True
    watched_since: datetime
    since: datetime
    taken_until: datetime | None = None

    @classmethod
    def quiet(
        cls, kind: Kind, dataset: str, subject: str, now: datetime, source: str = ""
    ) -> "AlertState":
        """The alarm of something of which nothing was ever seen."""
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
        """What tells it from all others."""
        return self.kind, self.dataset, self.source

    def seen(self, trouble: Incident | None, well: str) -> "AlertState":
        """The alarm after a look: there is this trouble, or none, and `well` says so."""
        if not self.told or self.raised == (trouble is not None):
            return self
        if trouble is None:
            return msgspec.structs.replace(self, raised=False, told=False, detail=well)
        return msgspec.structs.replace(
            self, raised=True, told=False, detail=trouble.detail, since=trouble.since
        )

    def is_waiting(self, now: datetime) -> bool:
        """Whether it is to be told, and nobody is about to."""
        return not self.told and (self.taken_until is None or self.taken_until <= now)

    def claimed(self, now: datetime) -> "AlertState":
        """The alarm in the hands of whoever tells it now."""
        return msgspec.structs.replace(self, taken_until=now + TAKEN)

    def released(self, told: bool) -> "AlertState":
        """The alarm once whoever took it has told it, or could not."""
        return msgspec.structs.replace(self, told=told, taken_until=None)

    def alert(self, at: datetime) -> Alert:
        """What is told of it at this moment."""
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


# ---------------------------------------------------------------- what is trouble


def staleness(
    cadence: Cadence, freshness: Freshness, watched_since: datetime, now: datetime
) -> Incident | None:
    """The trouble of a dataset that is stale.

    One that was never fetched has the time it would have had after a fetch at the moment when it
    was first seen; where no time is set, only a failure counts.
    """
    if freshness.fetched_at is not None:
        if not cadence.is_stale(freshness, now):
            return None
        detail = f"not fetched since {_shown(freshness.fetched_at)}, which is too long ago"
        return Incident(detail, cadence.stale_at(freshness) or now)
    patience = cadence.patience
    if patience is None:
        failed = freshness.last_status is JobStatus.FAILED
        return Incident("never fetched, and the last attempt failed", now) if failed else None
    stale_at = watched_since + patience
    detail = f"never fetched, though it is known since {_shown(watched_since)}"
    return Incident(detail, stale_at) if now > stale_at else None


def open_breaker(host: Host, now: datetime) -> Incident | None:
    """The trouble of a source whose host keeps failing, until a request has shown that it does not.

    A breaker that lets one request try again is still the same trouble.
    """
    if host.breaker(now.timestamp()) is Breaker.CLOSED:
        return None
    return Incident("it kept failing, so it is left alone for a while and then tried again", now)


def _shown(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"
