"""Throttling: rate limits of clients, and limits of password attempts."""

import math
from datetime import datetime, timedelta

import msgspec

from domain.politeness import Rate

# ---------------------------------------------------------------- requests


class Allowance(msgspec.Struct, frozen=True):
    """Whether a request is allowed, how many are left, and the wait until the next one."""

    allowed: bool
    left: int
    wait_s: float


def spent_until_s(full_at_s: float, rate: Rate, now_s: float) -> float:
    """Return when a client is at its full rate, which is now if no clock has set that time."""
    # Spacings are rounded to microseconds, and add up to a little more than the window.
    return now_s if full_at_s > now_s + rate.window_s + 1.0 else max(full_at_s, now_s)


def spacing_s(rate: Rate) -> float:
    """Return the seconds after which a client regains one request."""
    return rate.window_s / rate.count


def allowance(rate: Rate, full_in_s: float, allowed: bool) -> Allowance:
    """Return the allowance of a client that is at its full rate in so many seconds."""
    spacing = spacing_s(rate)
    left = max(0, math.floor((rate.window_s - full_in_s) / spacing + 1e-9))
    wait_s = 0.0 if left else full_in_s + spacing - rate.window_s
    return Allowance(allowed, left, max(0.0, wait_s))


# ---------------------------------------------------------------- password attempts

#: Wrong passwords without a delay: for one account from one network, and from all unknown ones.
FREE_GUESSES = 5
FREE_GUESSES_OF_STRANGERS = 100
LONGEST_LOCK = timedelta(minutes=15)
#: After this long without an attempt the count starts from zero.
FORGOTTEN = timedelta(hours=24)


class Attempts(msgspec.Struct, frozen=True):
    """The password attempts from one network, or from all unknown ones."""

    failures: int = 0
    blocked_until: datetime | None = None
    known: bool = False
    seen_at: datetime | None = None

    def wait_s(self, now: datetime) -> float:
        """Return the seconds until another attempt is allowed."""
        if self.blocked_until is None:
            return 0.0
        if self.seen_at is not None and self.seen_at > now:
            # The clock was set back, so the time left is unknown; the next attempt resets it.
            return 0.0
        return max(0.0, (self.blocked_until - now).total_seconds())

    def after_attempt(self, free: int, now: datetime) -> "Attempts":
        """Return the attempts with one more, which counts as wrong until it proves correct.

        Each attempt above the free ones doubles the time until the next.
        """
        forgotten = self.seen_at is None or now - self.seen_at > FORGOTTEN
        failures = 1 if forgotten else self.failures + 1
        blocked_until = None
        if failures >= free:
            longest_s = LONGEST_LOCK.total_seconds()
            blocked_until = now + timedelta(seconds=min(longest_s, 2.0 ** min(failures - free, 20)))
        return Attempts(failures, blocked_until, self.known, now)


class Guess(msgspec.Struct, frozen=True):
    """A password attempt: the earlier attempts from its network, and from unknown ones."""

    here: Attempts
    strangers: Attempts

    def wait_s(self, now: datetime) -> float:
        """Return the seconds until the attempt is allowed.

        In a network with an earlier login to the account, attempts from elsewhere do not count.
        """
        if self.here.known:
            return self.here.wait_s(now)
        return max(self.here.wait_s(now), self.strangers.wait_s(now))

    def after_attempt(self, now: datetime) -> "Guess":
        """Return the counts with this attempt, before its result is known."""
        here = self.here.after_attempt(FREE_GUESSES, now)
        if self.here.known:
            return Guess(here, self.strangers)
        return Guess(here, self.strangers.after_attempt(FREE_GUESSES_OF_STRANGERS, now))

    def succeeded(self, now: datetime) -> "Guess":
        """Return the counts after a correct password: this network starts from zero."""
        strangers = self.strangers
        if not self.here.known:
            failures = max(0, strangers.failures - 1)
            strangers = msgspec.structs.replace(strangers, failures=failures, blocked_until=None)
        return Guess(Attempts(known=True, seen_at=now), strangers)
