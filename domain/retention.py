"""Retention: what is kept for how long."""

from datetime import datetime, timedelta
from enum import StrEnum

import msgspec

#: So many rows are removed at most in one transaction, so that nobody waits long for it.
BATCH = 500


#: A session that has run out is of no use. Guesses are forgotten after a day, a place from which
#: somebody has logged in only some time after that.
SESSIONS_KEPT = timedelta(days=1)
GUESSES_KEPT = timedelta(days=1)
PLACES_KEPT = timedelta(days=90)
CLIENTS_KEPT = timedelta(hours=1)


class RetainedKind(StrEnum):
    """What grows with time and is removed once it is old, unless it is still needed.

    In this order, because what goes first may have needed what goes later.
    """

    #: Records in quarantine, by when they were rejected last.
    QUARANTINE = "quarantine"
    #: Payloads, by when they arrived. The newest merged fetch of each source stays whole, and so
    #: do those of unfinished jobs and those that a record in quarantine was read from. A body that
    #: arrived several times goes with its last arrival.
    PAYLOADS = "payloads"
    #: Jobs, by when they ended. The last one of each dataset stays, and that of each checkpoint.
    JOBS = "jobs"
    #: Idempotency keys, by when they came.
    KEYS = "keys"
    #: Sessions with their refresh tokens, by when they would have run out.
    SESSIONS = "sessions"
    #: Guesses at passwords, by when the last was made.
    GUESSES = "guesses"
    #: What clients have asked, by when they had everything back.
    CLIENTS = "clients"


class RetentionPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """For how long each kind is kept."""

    ages: dict[RetainedKind, timedelta]

    def ends(self, now: datetime) -> list[tuple[RetainedKind, datetime]]:
        """What is removed now, in order, each with the moment before which it is old."""
        return [(kept, now - self.ages[kept]) for kept in RetainedKind if kept in self.ages]
