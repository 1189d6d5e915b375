"""Events: what has happened, for logs, metrics and other subscribers.

An event holds values of the domain and no secrets. A failure's event carries the error itself, so
that a log can show its traceback.
"""

from collections.abc import Mapping
from datetime import datetime

import msgspec

from domain.alerts import Alert
from domain.dataset import Role
from domain.jobs import FetchJob
from domain.retention import RetainedKind


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """Something that has happened; the class says what."""


class Measurement(Event, frozen=True, kw_only=True):
    """Something that happens too often to be worth a line of a log, and is counted."""


# ---------------------------------------------------------------- requests


class RequestServed(Event, frozen=True, kw_only=True):
    """A request of a client was answered.

    `route` is the pattern of its path, empty if unknown, and `job` the job it dealt with. `status`
    is 0 when the client left before there was a response; a `ready` response came from the cache.
    """

    request_id: str
    method: str
    route: str
    path: str
    status: int
    duration_ms: float
    ready: bool = False
    job: str | None = None


class ReadServed(RequestServed, frozen=True, kw_only=True):
    """A read-only request was answered."""


class RequestFailed(Event, frozen=True, kw_only=True):
    """A request met an unexpected error, and was answered with 500."""

    path: str
    error: Exception


# ---------------------------------------------------------------- jobs


class JobEnded(Event, frozen=True, kw_only=True):
    """A job has ended; `waited_for` means that a caller waits for its report."""

    job: FetchJob
    waited_for: bool = False


class JobDeferred(Event, frozen=True, kw_only=True):
    """A job was deferred to its `run_at`, until its source may be asked."""

    job: FetchJob
    waited_for: bool = False


class JobInterrupted(Event, frozen=True, kw_only=True):
    """A job could not be run to its end; `dataset` is None if the job could not be read."""

    job: str
    dataset: str | None
    error: Exception


class SweepFailed(Event, frozen=True, kw_only=True):
    """A worker could not look for abandoned jobs; published once until it can again."""

    error: Exception


class ScheduleFailed(Event, frozen=True, kw_only=True):
    """A scheduled fetch could not be requested; without a dataset, no schedule could be read."""

    dataset: str | None = None
    error: Exception


# ---------------------------------------------------------------- fetches


class FetchFresh(Measurement, frozen=True, kw_only=True):
    """A fetch asked no source, because what is stored is fresh."""

    dataset: str


class Merged(Measurement, frozen=True, kw_only=True):
    """What one source brought in was merged into its dataset."""

    dataset: str
    source: str
    duration_ms: float


class UpstreamAsked(Measurement, frozen=True, kw_only=True):
    """A request to an upstream has ended, with this status; with 0 if no whole answer came."""

    host: str
    status: int
    duration_ms: float


class UpstreamWaited(Measurement, frozen=True, kw_only=True):
    """A request to an upstream was held back, so that it would not be one too many."""

    host: str
    duration_ms: float


# ---------------------------------------------------------------- announcements


class AnnouncementFailed(Event, frozen=True, kw_only=True):
    """An announced job could not be handled; it is announced again."""

    job: str
    error: BaseException


class AnnouncementDropped(Event, frozen=True, kw_only=True):
    """An announcement is given up: after so many `tries`, or because it names no job.

    `kept_in` names the broker's queue that stores it.
    """

    job: str | None
    tries: int
    kept_in: str | None = None


class BrokerLost(Event, frozen=True, kw_only=True):
    """The connection to the broker was lost; no announcements arrive until it is back."""

    reason: str


class BrokerFound(Event, frozen=True, kw_only=True):
    """The connection to the broker is back; announcements arrive again."""


# ---------------------------------------------------------------- operations


class AlertSent(Event, frozen=True, kw_only=True):
    """An alert was sent to the operator."""

    alert: Alert


class AlertFailed(Event, frozen=True, kw_only=True):
    """An alert could not be sent; it is tried again."""

    alert: Alert
    error: Exception


class WatchFailed(Event, frozen=True, kw_only=True):
    """The alert monitor could not check; published once until it can again."""

    error: Exception


class Pruned(Event, frozen=True, kw_only=True):
    """Expired rows were removed: how many of each kind."""

    removed: Mapping[RetainedKind, int]


class PruneFailed(Event, frozen=True, kw_only=True):
    """Expired rows could not be removed; it is tried again."""

    error: Exception


# ---------------------------------------------------------------- accounts


class AdminRoleMissing(Event, frozen=True, kw_only=True):
    """The account that the settings name as the first admin exists, and is not an admin."""

    username: str


# ---------------------------------------------------------------- security


class SecurityEvent(Event, frozen=True, kw_only=True):
    """Something for the security log; plain values that are no secrets.

    `account` is a username, empty if no account has the name that was given: people type passwords
    into the wrong field. `network` is where a request came from. `by` is the admin who did it, or
    the account itself, or OPERATOR for a command.
    """


class LoggedIn(SecurityEvent, frozen=True, kw_only=True):
    """A user has logged in."""

    account: str
    network: str


class LoginRefused(SecurityEvent, frozen=True, kw_only=True):
    """A login or the confirmation of a password was refused; `code` is that of the problem."""

    account: str
    network: str
    code: str


class LoginLocked(SecurityEvent, frozen=True, kw_only=True):
    """After too many wrong passwords the next attempts are refused for some seconds."""

    account: str
    network: str
    wait_s: float


class AccessRefused(SecurityEvent, frozen=True, kw_only=True):
    """A request was answered with 403."""

    account: str
    network: str
    method: str
    path: str


class LimitReached(SecurityEvent, frozen=True, kw_only=True):
    """A request was over the client limit for its `purpose`."""

    account: str
    network: str
    purpose: str


class UserAdded(SecurityEvent, frozen=True, kw_only=True):
    """An account was created, an admin's perhaps."""

    account: str
    role: Role
    by: str


class RoleChanged(SecurityEvent, frozen=True, kw_only=True):
    """A user has another role."""

    account: str
    role: Role
    by: str


class UserDisabled(SecurityEvent, frozen=True, kw_only=True):
    """A user was locked out."""

    account: str
    by: str


class UserEnabled(SecurityEvent, frozen=True, kw_only=True):
    """A disabled user may log in again."""

    account: str
    by: str


class PasswordChanged(SecurityEvent, frozen=True, kw_only=True):
    """A user has another password; their API tokens have ended, or were kept."""

    account: str
    by: str
    tokens_kept: bool


class TokenCreated(SecurityEvent, frozen=True, kw_only=True):
    """An API token was created; `token` is its identifier."""

    account: str
    by: str
    token: str
    scope: str
    expires_at: datetime | None


class TokensRevoked(SecurityEvent, frozen=True, kw_only=True):
    """API tokens were revoked: one, or all of a user."""

    account: str
    by: str
    count: int


class SessionsEnded(SecurityEvent, frozen=True, kw_only=True):
    """Sessions were ended before their time; those of all users, if `account` is empty."""

    account: str
    by: str
    count: int
