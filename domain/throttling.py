"""Throttling: how much one client may ask of us, and how often a password may be guessed."""

import math
from datetime import datetime, timedelta

import msgspec

from domain.politeness import Rate

# ---------------------------------------------------------------- requests


class Allowance(msgspec.Struct, frozen=True):
    """Whether one more request is let through, how many are left, and when there is one again."""

    allowed: bool
    left: int
    wait_s: float


def spacing_s(rate: Rate) -> float:
    """Seconds after which one of the requests a client has spent comes back."""
    return rate.window_s / rate.count


def allowance(rate: Rate, full_in_s: float, allowed: bool) -> Allowance:
    """What is left to a client who has everything back in so many seconds."""
    spacing = spacing_s(rate)
    left = max(0, math.floor((rate.window_s - full_in_s) / spacing + 1e-9))
    wait_s = 0.0 if left else full_in_s + spacing - rate.window_s
    return Allowance(allowed, left, max(0.0, wait_s))


# ---------------------------------------------------------------- guesses

#: So many wrong passwords cost nothing: for one account from one place, and from all others.
FREE_GUESSES = 5
FREE_GUESSES_OF_STRANGERS = 100
LONGEST_LOCK = timedelta(minutes=15)
#: After so long without a guess all is forgotten.
FORGOTTEN = timedelta(hours=24)


class Attempts(msgspec.Struct, frozen=True):
    """The guesses at one thing: `known` once one was right; they count from `failures` on."""

    failures: int = 0
    blocked_until: datetime | None = None
    known: bool = False
    seen_at: datetime | None = None

    def wait_s(self, now: datetime) -> float:
        """Seconds until another guess may be made; zero when it may now."""
        if self.blocked_until is None:
            return 0.0
        return max(0.0, (self.blocked_until - now).total_seconds())

    def after_attempt(self, free: int, now: datetime) -> "Attempts":
        """After one more guess, which counts as wrong until it turns out right.

        Each one above those that are free doubles the time until the next.
        """
        forgotten = self.seen_at is None or now - self.seen_at > FORGOTTEN
        failures = 1 if forgotten else self.failures + 1
        blocked_until = None
        if failures >= free:
            longest_s = LONGEST_LOCK.total_seconds()
            blocked_until = now + timedelta(seconds=min(longest_s, 2.0 ** min(failures - free, 20)))
        return Attempts(failures, blocked_until, self.known, now)


class Guess(msgspec.Struct, frozen=True):
    """A guess at a password: the guesses made before from here, and from all unknown places."""

    here: Attempts
    strangers: Attempts

    def wait_s(self, now: datetime) -> float:
        """Seconds until it may be made; zero when it may now.

        From where the account was logged in to before, guesses from elsewhere do not count.
        """
        if self.here.known:
            return self.here.wait_s(now)
        return max(self.here.wait_s(now), self.strangers.wait_s(now))

    def after_attempt(self, now: datetime) -> "Guess":
        """Counted, before it is known whether it is right."""
        here = self.here.after_attempt(FREE_GUESSES, now)
        if self.here.known:
            return Guess(here, self.strangers)
        return Guess(here, self.strangers.after_attempt(FREE_GUESSES_OF_STRANGERS, now))

    def succeeded(self, now: datetime) -> "Guess":
        """It was right: nothing counts against this place any more."""
        strangers = self.strangers
        if not self.here.known:
            failures = max(0, strangers.failures - 1)
            strangers = msgspec.structs.replace(strangers, failures=failures, blocked_until=None)
        return Guess(Attempts(known=True, seen_at=now), strangers)
