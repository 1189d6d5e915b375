"""Schedules: when a dataset is fetched by itself; pure functions of time."""

from datetime import datetime, timedelta

import msgspec

from domain.politeness import LONGEST_BLOCK

#: A run comes up to this share of the period late, so that many services do not ask at once.
JITTER_SHARE = 0.1
MAX_JITTER = timedelta(seconds=30)
#: Failures push the next run back at most this far, or a period where that is longer.
LONGEST_BACKOFF = timedelta(hours=1)


class Schedule(msgspec.Struct, frozen=True, kw_only=True):
    """When a dataset is next fetched by itself.

    Ticks lie a period apart on a grid; `tick_at` is the next one, and `next_run_at` is that tick
    with its jitter, or a later time when the source is to be left alone.
    """

    dataset: str
    every: timedelta
    tick_at: datetime
    next_run_at: datetime
    failures: int = 0

    @classmethod
    def starting(cls, dataset: str, every: timedelta, now: datetime) -> "Schedule":
        """A new schedule: it is first due a period from now."""
        return cls(dataset=dataset, every=every, tick_at=now + every, next_run_at=now + every)

    def is_due(self, now: datetime) -> bool:
        """Whether it is time to run."""
        return self.next_run_at <= now

    def fired(self, now: datetime, fraction: float) -> "Schedule":
        """The schedule after a run at this moment; ticks missed meanwhile are left out.

        `fraction` in [0, 1) decides how late the next run comes.
        """
        ticks = max(1, (now - self.tick_at) // self.every + 1)
        tick_at = self.tick_at + ticks * self.every
        jitter = self._longest_jitter * fraction
        return msgspec.structs.replace(self, tick_at=tick_at, next_run_at=tick_at + jitter)

    @property
    def _longest_jitter(self) -> timedelta:
        return min(self.every * JITTER_SHARE, MAX_JITTER)

    def changed(self, every: timedelta, now: datetime) -> "Schedule":
        """The schedule with another period: the next run comes no later than that from now."""
        if every == self.every:
            return self
        tick_at = min(self.tick_at, now + every)
        return msgspec.structs.replace(
            self, every=every, tick_at=tick_at, next_run_at=min(self.next_run_at, now + every)
        )

    def after_run(
        self, ok: bool, not_before: datetime | None, now: datetime, by_hand: bool = False
    ) -> "Schedule":
        """The schedule after a fetch has ended: failures and the upstream may push it back.

        A failure somebody asked for by hand is not counted; a success ends what failures did.
        """
        failures = 0 if ok else self.failures + (not by_hand)
        next_run_at = self.next_run_at
        if ok and self.failures:
            next_run_at = min(
                next_run_at, max(self.tick_at + self._longest_jitter, now + self.every)
            )
        if failures > 1:
            # The first failure costs nothing: the next tick is as good a time to try as any.
            # Doubled from no more than the longest: a long period has no double.
            doubled = min(self.every, LONGEST_BACKOFF) * 2 ** min(failures - 1, 20)
            backoff = min(doubled, LONGEST_BACKOFF)
            next_run_at = max(next_run_at, now + max(backoff, self.every))
        if not_before is not None:
            next_run_at = max(next_run_at, min(not_before, now + LONGEST_BLOCK))
        return msgspec.structs.replace(self, failures=failures, next_run_at=next_run_at)
