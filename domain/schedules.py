"""Schedules: when a dataset is next fetched; pure functions of time."""

from datetime import datetime, timedelta

import msgspec

from domain.politeness import LONGEST_BLOCK
from domain.times import NEVER_SET

#: A run is delayed by up to this share of the period, so that services do not send at once.
JITTER_SHARE = 0.1
MAX_JITTER = timedelta(seconds=30)
#: Failures move the next run back at most this far, or by a period if that is longer.
LONGEST_BACKOFF = timedelta(hours=1)


class Schedule(msgspec.Struct, frozen=True, kw_only=True):
    """The next scheduled fetch of a dataset.

    Ticks are a period apart on a grid; `tick_at` is the next one, and `next_run_at` is that tick
    with its jitter, or a later time if the source must be left alone. `moved_at` is when it was set
    to that.
    """

    dataset: str
    every: timedelta
    tick_at: datetime
    next_run_at: datetime
    failures: int = 0
    moved_at: datetime = NEVER_SET

    @classmethod
    def starting(cls, dataset: str, every: timedelta, now: datetime) -> "Schedule":
        """Return a new schedule, first due a period from now."""
        at = now + every
        return cls(dataset=dataset, every=every, tick_at=at, next_run_at=at, moved_at=now)

    def is_due(self, now: datetime) -> bool:
        """Return whether the next run is due."""
        return self.next_run_at <= now

    def fired(self, now: datetime, fraction: float) -> "Schedule":
        """Return the schedule after a run now; ticks missed meanwhile are skipped.

        `fraction` in [0, 1) is the share of the longest jitter.
        """
        ticks = max(1, (now - self.tick_at) // self.every + 1)
        tick_at = self.tick_at + ticks * self.every
        jitter = self._longest_jitter * fraction
        return msgspec.structs.replace(
            self, tick_at=tick_at, next_run_at=tick_at + jitter, moved_at=now
        )

    def bounded(self, now: datetime) -> "Schedule":
        """Return the schedule by a clock that may have been set back since it was moved.

        The next run is no further away by that, and the next tick a period at most, on its grid.
        """
        ticks = -((now + self.every + self._longest_jitter - self.tick_at) // self.every)
        back = max(timedelta(0), self.moved_at - now)
        if ticks <= 0 and not back:
            return self
        tick_at = self.tick_at - max(0, ticks) * self.every
        next_run_at = max(tick_at, self.next_run_at - max(back, ticks * self.every))
        return msgspec.structs.replace(
            self, tick_at=tick_at, next_run_at=next_run_at, moved_at=min(self.moved_at, now)
        )

    @property
    def _longest_jitter(self) -> timedelta:
        return min(self.every * JITTER_SHARE, MAX_JITTER)

    def changed(self, every: timedelta, now: datetime) -> "Schedule":
        """Return the schedule with another period: the next run is at most that far away."""
        if every == self.every:
            return self
        tick_at = min(self.tick_at, now + every)
        return msgspec.structs.replace(
            self,
            every=every,
            tick_at=tick_at,
            next_run_at=min(self.next_run_at, now + every),
            moved_at=now,
        )

    def after_run(
        self, ok: bool, not_before: datetime | None, now: datetime, by_hand: bool = False
    ) -> "Schedule":
        """Return the schedule after a fetch: failures and the upstream may move it back.

        Failures of manual fetches are not counted; a success resets the effect of failures.
        """
        failures = 0 if ok else self.failures + (not by_hand)
        next_run_at = self.next_run_at
        if ok and self.failures:
            next_run_at = min(
                next_run_at, max(self.tick_at + self._longest_jitter, now + self.every)
            )
        if failures > 1:
            # The first failure has no effect: the next tick is soon enough for a retry.
            # Only periods up to the longest backoff are doubled.
            doubled = min(self.every, LONGEST_BACKOFF) * 2 ** min(failures - 1, 20)
            backoff = min(doubled, LONGEST_BACKOFF)
            next_run_at = max(next_run_at, now + max(backoff, self.every))
        if not_before is not None:
            next_run_at = max(next_run_at, min(not_before, now + LONGEST_BLOCK))
        if (failures, next_run_at) == (self.failures, self.next_run_at):
            return self
        return msgspec.structs.replace(
            self, failures=failures, next_run_at=next_run_at, moved_at=now
        )
