"""Events: what has happened, for logs, metrics and whatever else subscribes.

An event holds values of the domain and nothing secret. That of a failure has the error itself,
whose traceback a log may show.
"""

from collections.abc import Mapping

import msgspec

from domain.alerts import Alert
from domain.jobs import FetchJob
from domain.retention import RetainedKind


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """Something that has happened, as the name of its class says."""


# ---------------------------------------------------------------- requests


class RequestServed(Event, frozen=True, kw_only=True):
    """A request of a client was answered.

    `route` is the pattern of its path, empty where none is known, and `job` the job it dealt with.
    `status` is 0 when the client left before there was an answer; for a `ready` answer no record
    was read.
    """

    method: str
    route: str
    path: str
    status: int
    duration_ms: float
    ready: bool = False
    job: str | None = None


class ReadServed(RequestServed, frozen=True, kw_only=True):
    """A request that changes nothing was answered."""


class RequestFailed(Event, frozen=True, kw_only=True):
    """A request met an error nobody has foreseen, and was answered with 500."""

    path: str
    error: Exception


# ---------------------------------------------------------------- jobs


class JobEnded(Event, frozen=True, kw_only=True):
    """A job has come to its end; `waited_for` by a caller, who has its report."""

    job: FetchJob
    waited_for: bool = False


class JobDeferred(Event, frozen=True, kw_only=True):
    """A job waits for its source until its `run_at`."""

    job: FetchJob
    waited_for: bool = False


class JobInterrupted(Event, frozen=True, kw_only=True):
    """A job could not be run to its end; `dataset` is unknown where the job could not be read."""

    job: str
    dataset: str | None
    error: Exception


class SweepFailed(Event, frozen=True, kw_only=True):
    """A worker could not look for jobs nobody runs; said once until it can again."""

    error: Exception


class ScheduleFailed(Event, frozen=True, kw_only=True):
    """A fetch could not be asked for; without a dataset, no schedule could be looked at."""

    dataset: str | None = None
    error: Exception


# ---------------------------------------------------------------- announcements


class AnnouncementFailed(Event, frozen=True, kw_only=True):
    """An announced job could not be handled; it is announced again."""

    job: str
    error: BaseException


class AnnouncementDropped(Event, frozen=True, kw_only=True):
    """An announcement will not be tried again: after so many `tries`, or as it names no job.

    `kept_in` names the broker's queue that keeps it.
    """

    job: str | None
    tries: int
    kept_in: str | None = None


class BrokerLost(Event, frozen=True, kw_only=True):
    """Announcements cannot arrive until the broker is back."""

    reason: str


class BrokerFound(Event, frozen=True, kw_only=True):
    """Announcements arrive again."""


# ---------------------------------------------------------------- operations


class AlertSent(Event, frozen=True, kw_only=True):
    """The operator has been sent an alert."""

    alert: Alert


class AlertFailed(Event, frozen=True, kw_only=True):
    """An alert could not be sent, and is tried again."""

    alert: Alert
    error: Exception


class WatchFailed(Event, frozen=True, kw_only=True):
    """Nothing could be watched; said once until it can be again."""

    error: Exception


class Pruned(Event, frozen=True, kw_only=True):
    """What was old was removed: how much of each kind."""

    removed: Mapping[RetainedKind, int]


class PruneFailed(Event, frozen=True, kw_only=True):
    """What is old could not be removed, and is tried again."""

    error: Exception


# ---------------------------------------------------------------- accounts


class LoginRefused(Event, frozen=True, kw_only=True):
    """A login was refused; `code` is that of the problem its client got.

    `account` is empty unless there is one of that name: people type passwords in its place.
    """

    account: str
    network: str
    code: str


class AdminRoleMissing(Event, frozen=True, kw_only=True):
    """The account that the settings name as the first admin is there, and is no admin."""

    username: str
