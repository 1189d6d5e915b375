"""Politeness: when to ask a source, and when to leave it alone; pure functions of time."""

import math
from datetime import datetime, timedelta
from enum import StrEnum

import msgspec

from domain.checkpoints import Checkpoint, Freshness
from domain.jobs import JobStatus

# ---------------------------------------------------------------- freshness


class Cadence(msgspec.Struct, frozen=True, kw_only=True):
    """How often a dataset may be fetched, is fetched by itself, and after how long it is stale."""

    interval: timedelta = timedelta(seconds=60)
    every: timedelta | None = None
    stale_after: timedelta | None = None

    def is_due(self, checkpoint: Checkpoint | None, now: datetime, scheduled: bool = False) -> bool:
        """Whether a source may be asked again: it never answered, or not within the interval.

        A tick comes a period after the last one, not after its answer: half a period will do.
        """
        interval = self.interval
        if scheduled and self.every is not None:
            interval = min(interval, self.every / 2)
        # A clock that was set back must not keep us from asking until it has caught up.
        return checkpoint is None or abs(now - checkpoint.fetched_at) >= interval

    @property
    def fresh_for(self) -> timedelta:
        """For how long what was asked by itself need not be asked again: half a period."""
        return self.interval if self.every is None else self.every / 2

    def next_allowed_at(self, freshness: Freshness) -> datetime | None:
        """When the next fetch may ask a source again; None when it may at once."""
        return min((c.fetched_at + self.interval for c in freshness.checkpoints), default=None)

    @property
    def patience(self) -> timedelta | None:
        """How old data may be before it is stale; None if time does not decide."""
        if self.stale_after is not None or self.every is None:
            return self.stale_after
        return self.every * 2

    def stale_at(self, freshness: Freshness) -> datetime | None:
        """When the data turns stale if nothing is fetched before; None if time does not decide.

        By default two periods are too long, or one after the next run where an upstream that
        answered has put that off.
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

    def is_stale(self, freshness: Freshness, now: datetime) -> bool:
        """Whether the last success is too long ago, or never was.

        When nothing is fetched by itself and no time is set, a failure makes data stale.
        """
        stale_at = self.stale_at(freshness)
        if stale_at is not None:
            return now > stale_at
        return freshness.fetched_at is None or freshness.last_status is JobStatus.FAILED


# ---------------------------------------------------------------- rate

#: Arrivals bunch up on the way to the upstream; this much slower keeps its window honest.
HEADROOM = 1.05


class Rate(msgspec.Struct, frozen=True):
    """At most `count` requests in any window of `window_s` seconds."""

    count: int
    window_s: float

    @property
    def burst(self) -> int:
        """How many requests may leave back to back."""
        return max(1, self.count // 10)

    @property
    def spacing_s(self) -> float:
        """Seconds between requests once the burst is spent.

        A burst of b and then one request every T make at most b - 1 + ceil(W / T) in a window W.
        """
        return HEADROOM * self.window_s / (self.count - self.burst + 1)


# ---------------------------------------------------------------- one host

BREAKER_WINDOW = 20
BREAKER_MINIMUM = 5
BREAKER_SHARE = 0.5
BREAKER_OPEN_S = 30.0
BREAKER_LONGEST_S = 900.0
#: A probe that never reports back frees its place after this long.
PROBE_S = 60.0
_PROBING = "?"

RETRIES_FLOOR = 3.0
RETRIES_SHARE = 0.2

#: The longest an upstream may send us away for.
LONGEST_BLOCK = timedelta(hours=24)


class Breaker(StrEnum):
    """Closed lets everything pass, open nothing, half-open one probe."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Admission(StrEnum):
    """Why a request may or may not leave now."""

    GO = "go"
    BUDGET = "budget"
    BLOCKED = "blocked"
    BREAKER = "breaker"
    RETRIES = "retries"


class Host(msgspec.Struct, frozen=True, kw_only=True):
    """Everything politeness remembers about one host; times are seconds since the epoch.

    `arrival_s` is the theoretical arrival time of the cell rate algorithm, `outcomes` the last
    calls as "1" and "0" or, while a probe is out, "?", `credit` how many retries may be spent.
    """

    arrival_s: float = 0.0
    blocked_until_s: float = 0.0
    outcomes: str = ""
    open_until_s: float = 0.0
    open_for_s: float = 0.0
    credit: float = RETRIES_FLOOR

    def breaker(self, now_s: float) -> Breaker:
        """The breaker's state at this moment."""
        if self.open_for_s == 0.0:
            return Breaker.CLOSED
        return Breaker.OPEN if now_s < self.open_until_s else Breaker.HALF_OPEN

    def spend(
        self, rate: Rate, now_s: float, retry: bool = False
    ) -> "tuple[Host, Admission, float]":
        """Ask to send one request: the new state, the verdict, and when to ask again (seconds)."""
        return self._seen_at(now_s, rate)._spend(rate, now_s, retry)

    def _seen_at(self, now_s: float, rate: Rate) -> "Host":
        """The state without times no clock that only goes forward could have set."""
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
        )
        if state is Breaker.HALF_OPEN:
            # Whoever asks next waits for the outcome of this probe.
            host = msgspec.structs.replace(host, outcomes=_PROBING, open_until_s=now_s + PROBE_S)
        return host, Admission.GO, now_s

    def record_outcome(self, ok: bool, now_s: float) -> "Host":
        """Learn how a request that was let go ended."""
        if self.open_for_s:
            if self.outcomes != _PROBING:
                return self  # it left before the breaker opened; only the probe decides
            if ok:
                return msgspec.structs.replace(self, outcomes="", open_until_s=0.0, open_for_s=0.0)
            return self._opened(min(self.open_for_s * 2, BREAKER_LONGEST_S), now_s)
        outcomes = (self.outcomes + "01"[ok])[-BREAKER_WINDOW:]
        host = msgspec.structs.replace(self, outcomes=outcomes)
        failures = outcomes.count("0")
        if ok or len(outcomes) < BREAKER_MINIMUM or failures < BREAKER_SHARE * len(outcomes):
            return host
        return host._opened(BREAKER_OPEN_S, now_s)

    def block(self, until_s: float, now_s: float) -> "Host":
        """Leave the host alone until then: at most a day, and never less than already agreed."""
        until_s = min(until_s, now_s + LONGEST_BLOCK.total_seconds())
        return msgspec.structs.replace(self, blocked_until_s=max(self.blocked_until_s, until_s))

    def _opened(self, for_s: float, now_s: float) -> "Host":
        return msgspec.structs.replace(
            self, outcomes="", open_for_s=for_s, open_until_s=now_s + for_s
        )


# ---------------------------------------------------------------- retries

MAX_TRIES = 4
RETRY_BASE_S = 0.5
RETRY_CAP_S = 20.0


def retry_delay_s(failures: int, fraction: float) -> float:
    """Seconds to wait after so many failures; `fraction` in [0, 1) is the (full) jitter."""
    ceiling: float = min(RETRY_CAP_S, RETRY_BASE_S * 2.0 ** (failures - 1))
    return ceiling * fraction


def clamp_block_s(seconds: float) -> float:
    """A waiting time an upstream asked for, within reason; nonsense becomes zero."""
    if not math.isfinite(seconds) or seconds < 0:
        return 0.0
    return min(seconds, LONGEST_BLOCK.total_seconds())
