"""Politeness: when a host may get a request; pure functions of time."""

import math
from datetime import datetime, timedelta
from enum import StrEnum

import msgspec

from domain.checkpoints import Checkpoint, Freshness
from domain.jobs import JobStatus

# ---------------------------------------------------------------- freshness


class Cadence(msgspec.Struct, frozen=True, kw_only=True):
    """The minimum interval, the period and the staleness limit of a dataset."""

    interval: timedelta = timedelta(seconds=60)
    every: timedelta | None = None
    stale_after: timedelta | None = None

    def is_due(self, checkpoint: Checkpoint | None, now: datetime, scheduled: bool = False) -> bool:
        """Return whether a source is due: it has never answered, or not within the interval.

        Ticks are a period apart, their results may not be: for a tick half a period is enough.
        """
        interval = self.interval
        if scheduled and self.every is not None:
            interval = min(interval, self.every / 2)
        # A clock that was set back must not prevent fetches until it has caught up.
        return checkpoint is None or abs(now - checkpoint.fetched_at) >= interval

    @property
    def fresh_for(self) -> timedelta:
        """Return how long a scheduled result is fresh: half a period, or the interval."""
        return self.interval if self.every is None else self.every / 2

    def next_allowed_at(self, freshness: Freshness, now: datetime) -> datetime | None:
        """Return when the next fetch may send requests; None if at once."""
        allowed = min((c.fetched_at + self.interval for c in freshness.checkpoints), default=None)
        # A checkpoint of a clock that was set back since says nothing of when this one allows it.
        return allowed if allowed is None else min(allowed, now + self.interval)

    @property
    def patience(self) -> timedelta | None:
        """Return the age at which data becomes stale; None without a limit."""
        if self.stale_after is not None or self.every is None:
            return self.stale_after
        return self.every * 2

    def stale_at(self, freshness: Freshness) -> datetime | None:
        """Return when the data becomes stale without another fetch; None without a limit.

        The default is two periods, or one period after the next run if the upstream has postponed
        that.
        """
        patience = self.patience
        if freshness.fetched_at is None or patience is None:
            return None
        stale_at = freshness.fetched_at + patience
        if self.stale_after is not None or self.every is None:
            return stale_at
        if freshness.next_fetch_at is None or freshness.last_status is JobStatus.FAILED:
            return stale_at
        return max(stale_at, freshness.next_fetch_at + self.every)

    def fresh_from(self, freshness: Freshness) -> datetime | None:
        """Return when the data became fresh, at the earliest; None without a limit.

        If the last success lies further ahead than data stays fresh, the clock was set back since,
        and the age of the data is unknown.
        """
        stale_at, fetched_at = self.stale_at(freshness), freshness.fetched_at
        if stale_at is None or fetched_at is None:
            return None
        return fetched_at - (stale_at - fetched_at)

    def is_stale(self, freshness: Freshness, now: datetime) -> bool:
        """Return whether the last success is too long ago, or there was none.

        Without a schedule and a limit, a failure makes data stale.
        """
        fresh_from, stale_at = self.fresh_from(freshness), self.stale_at(freshness)
        if fresh_from is not None and stale_at is not None:
            return not fresh_from <= now <= stale_at
        return freshness.fetched_at is None or freshness.last_status is JobStatus.FAILED


# ---------------------------------------------------------------- rate

#: Requests bunch up on the way to the upstream; this factor keeps its window within the limit.
HEADROOM = 1.05


class Rate(msgspec.Struct, frozen=True):
    """At most `count` requests in any window of `window_s` seconds."""

    count: int
    window_s: float

    @property
    def burst(self) -> int:
        """Return how many requests may be sent back to back."""
        return max(1, self.count // 10)

    @property
    def spacing_s(self) -> float:
        """Return the seconds between requests once the burst is spent.

        A burst of b and then one request every T are at most b - 1 + ceil(W / T) in a window W.
        """
        return HEADROOM * self.window_s / (self.count - self.burst + 1)


# ---------------------------------------------------------------- one host

BREAKER_WINDOW = 20
BREAKER_MINIMUM = 5
BREAKER_SHARE = 0.5
BREAKER_OPEN_S = 30.0
BREAKER_LONGEST_S = 900.0
#: After this long without a result, another probe may be sent.
PROBE_S = 60.0

RETRIES_FLOOR = 3.0
RETRIES_SHARE = 0.2

#: The longest block an upstream may demand.
LONGEST_BLOCK = timedelta(hours=24)


class Breaker(StrEnum):
    """The state of a breaker: closed allows all requests, open none, half-open one probe."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Admission(StrEnum):
    """The decision about a request: it may be sent now, or why not."""

    GO = "go"
    BUDGET = "budget"
    BLOCKED = "blocked"
    BREAKER = "breaker"
    RETRIES = "retries"


class Outcomes(str):
    """The results of the latest requests to a host, oldest first: `1` is a success, `0` a failure.

    A text, because stores keep it as a text. `?` alone means that the probe of a half-open breaker
    has no result yet.
    """

    __slots__ = ()

    def after(self, ok: bool) -> "Outcomes":
        """Return the outcomes with one more result, without those beyond the window."""
        return Outcomes((self + ("1" if ok else "0"))[-BREAKER_WINDOW:])

    @property
    def opens_breaker(self) -> bool:
        """Return whether the latest request failed, and half of a sufficient number did."""
        enough = len(self) >= BREAKER_MINIMUM
        return self.endswith("0") and enough and self.count("0") >= BREAKER_SHARE * len(self)


_PROBING = Outcomes("?")


class Host(msgspec.Struct, frozen=True, kw_only=True):
    """The politeness state of one host; times are Unix seconds.

    `arrival_s` is the theoretical arrival time of the generic cell rate algorithm, `credit` the
    number of retries that may be spent, `seen_at_s` the time of the last change.
    """

    arrival_s: float = 0.0
    blocked_until_s: float = 0.0
    outcomes: Outcomes = Outcomes()
    open_until_s: float = 0.0
    open_for_s: float = 0.0
    credit: float = RETRIES_FLOOR
    seen_at_s: float = 0.0

    def at(self, now_s: float) -> "Host":
        """Return the state by a clock that may have been set back since the last change.

        All its times move back as far as the clock was: no wait becomes longer by that.
        """
        ahead_s = self.seen_at_s - now_s
        if ahead_s <= 0.0:
            return self
        return msgspec.structs.replace(
            self,
            arrival_s=self.arrival_s - ahead_s,
            blocked_until_s=self.blocked_until_s - ahead_s,
            open_until_s=self.open_until_s - ahead_s,
            seen_at_s=now_s,
        )

    def breaker(self, now_s: float) -> Breaker:
        """Return the state of the breaker."""
        if self.open_for_s == 0.0:
            return Breaker.CLOSED
        return Breaker.OPEN if now_s < self.open_until_s else Breaker.HALF_OPEN

    def spend(
        self, rate: Rate, now_s: float, retry: bool = False
    ) -> "tuple[Host, Admission, float]":
        """Return the state after a request for permission, the decision, and when to ask again."""
        return self.at(now_s)._bounded(now_s, rate)._spend(rate, now_s, retry)

    def left(self, rate: Rate, now_s: float) -> int:
        """Return how many requests would be admitted now, one after the other."""
        host = self.at(now_s)._bounded(now_s, rate)
        _, admission, _ = host._spend(rate, now_s, retry=False)
        if admission is not Admission.GO:
            return 0
        if host.breaker(now_s) is Breaker.HALF_OPEN:
            return 1
        ahead = max(0.0, host.arrival_s - now_s) / rate.spacing_s
        # Times have a resolution: what is within it of the next whole number is that number.
        return math.floor(rate.burst - ahead + 0.001)

    def _bounded(self, now_s: float, rate: Rate) -> "Host":
        """Return the state without times that a monotonic clock could not have set."""
        return msgspec.structs.replace(
            self,
            arrival_s=min(self.arrival_s, now_s + rate.spacing_s * rate.burst),
            blocked_until_s=min(self.blocked_until_s, now_s + LONGEST_BLOCK.total_seconds()),
            open_until_s=min(self.open_until_s, now_s + max(self.open_for_s, PROBE_S)),
        )

    def _spend(self, rate: Rate, now_s: float, retry: bool) -> "tuple[Host, Admission, float]":
        if retry and self.credit < 1.0:
            return self, Admission.RETRIES, now_s
        if now_s < self.blocked_until_s:
            return self, Admission.BLOCKED, self.blocked_until_s
        state = self.breaker(now_s)
        if state is Breaker.OPEN:
            return self, Admission.BREAKER, self.open_until_s
        earliest_s = self.arrival_s - rate.spacing_s * (rate.burst - 1)
        if now_s < earliest_s:
            return self, Admission.BUDGET, earliest_s
        host = msgspec.structs.replace(
            self,
            arrival_s=max(self.arrival_s, now_s) + rate.spacing_s,
            credit=self.credit - 1.0 if retry else min(self.credit + RETRIES_SHARE, 10.0),
            seen_at_s=now_s,
        )
        if state is Breaker.HALF_OPEN:
            # Until this probe has a result, no other request is sent.
            host = msgspec.structs.replace(host, outcomes=_PROBING, open_until_s=now_s + PROBE_S)
        return host, Admission.GO, now_s

    def record_outcome(self, ok: bool, now_s: float) -> "Host":
        """Return the state after the result of a request that was sent."""
        host = self.at(now_s)
        if host.open_for_s:
            if host.outcomes != _PROBING:
                return host  # it was sent before the breaker opened; only the probe decides
            if ok:
                return msgspec.structs.replace(
                    host, outcomes=Outcomes(), open_until_s=0.0, open_for_s=0.0, seen_at_s=now_s
                )
            return host._opened(min(host.open_for_s * 2, BREAKER_LONGEST_S), now_s)
        host = msgspec.structs.replace(host, outcomes=host.outcomes.after(ok), seen_at_s=now_s)
        return host._opened(BREAKER_OPEN_S, now_s) if host.outcomes.opens_breaker else host

    def block(self, until_s: float, now_s: float) -> "Host":
        """Return the state blocked until then: at most a day, and never shorter than before."""
        host, until_s = self.at(now_s), min(until_s, now_s + LONGEST_BLOCK.total_seconds())
        if until_s <= host.blocked_until_s:
            return host
        return msgspec.structs.replace(host, blocked_until_s=until_s, seen_at_s=now_s)

    def _opened(self, for_s: float, now_s: float) -> "Host":
        return msgspec.structs.replace(
            self,
            outcomes=Outcomes(),
            open_for_s=for_s,
            open_until_s=now_s + for_s,
            seen_at_s=now_s,
        )


# ---------------------------------------------------------------- retries

MAX_TRIES = 4
RETRY_BASE_S = 0.5
RETRY_CAP_S = 20.0


def retry_delay_s(failures: int, fraction: float) -> float:
    """Return the seconds to wait after so many failures; `fraction` in [0, 1) is the jitter."""
    ceiling: float = min(RETRY_CAP_S, RETRY_BASE_S * 2.0 ** (failures - 1))
    return ceiling * fraction


def clamp_block_s(seconds: float) -> float:
    """Return an upstream's waiting time within bounds; an invalid one becomes zero."""
    if not math.isfinite(seconds) or seconds < 0:
        return 0.0
    return min(seconds, LONGEST_BLOCK.total_seconds())
