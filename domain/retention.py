"""Retention: how long each kind of row is kept."""

from datetime import datetime, timedelta
from enum import StrEnum

import msgspec

#: The most rows removed in one transaction, so that other writers do not wait long.
BATCH = 500


#: Expired sessions and API tokens are useless. Password attempts expire after a day, networks of
#: successful logins some time after that.
SESSIONS_KEPT = timedelta(days=1)
TOKENS_KEPT = timedelta(days=1)
GUESSES_KEPT = timedelta(days=1)
NETWORKS_KEPT = timedelta(days=90)
CLIENTS_KEPT = timedelta(hours=1)


class RetainedKind(StrEnum):
    """Kinds of rows that grow with time and are removed when they expire and are not needed.

    In this order, because rows of an earlier kind may refer to rows of a later one.
    """

    #: Records in quarantine, by the time of their last rejection.
    QUARANTINE = "quarantine"
    #: Payloads, by time of arrival. The newest merged fetch of each source is kept complete, and so
    #: are those of unfinished jobs and of records in quarantine. A body that arrived several times
    #: is removed with its last arrival.
    PAYLOADS = "payloads"
    #: Jobs, by time of their end. The last job of each dataset and of each checkpoint is kept.
    JOBS = "jobs"
    #: Idempotency keys, by time of their first use.
    KEYS = "keys"
    #: Sessions with their refresh tokens, by time of expiry.
    SESSIONS = "sessions"
    #: API tokens that have an end, by that time.
    TOKENS = "tokens"
    #: Password attempts, by time of the last one.
    GUESSES = "guesses"
    #: Request counts of clients, by the time at which their allowance is full again.
    CLIENTS = "clients"


class RetentionPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """How long each kind of row is kept."""

    ages: dict[RetainedKind, timedelta]

    def ends(self, now: datetime) -> list[tuple[RetainedKind, datetime]]:
        """Return the kinds to remove now, in order, each with the time before which rows expire."""
        return [(kept, now - self.ages[kept]) for kept in RetainedKind if kept in self.ages]
