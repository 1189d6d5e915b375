"""Pruning: removing what has been kept for long enough, in batches that nobody notices."""

from application.ports.operations import Events, Retention
from application.ports.system import Clock, Random
from domain.events import Pruned, PruneFailed
from domain.retention import BATCH, RetainedKind, RetentionPolicy

#: Others who write have their turn between two batches.
PAUSE_S = 0.05
EVERY_S = 3600.0
#: A run comes up to this share of the hour earlier or later, so that several do not meet.
JITTER_SHARE = 0.1


class Prune:
    """Removes all that is old, once."""

    def __init__(self, retention: Retention, clock: Clock, keeping: RetentionPolicy) -> None:
        self._retention = retention
        self._clock = clock
        self._retention_policy = keeping

    async def __call__(self) -> dict[RetainedKind, int]:
        """Remove it and say how much of each kind; harmless while others do the same."""
        removed: dict[RetainedKind, int] = {}
        for kept, before in self._retention_policy.ends(self._clock.now()):
            removed[kept] = 0
            while count := await self._retention.prune(kept, before, BATCH):
                removed[kept] += count
                await self._clock.sleep(PAUSE_S)
        return removed


class PruneLoop:
    """Prunes once an hour until cancelled; any number of these may run."""

    def __init__(self, prune: Prune, clock: Clock, random: Random, events: Events) -> None:
        self._prune = prune
        self._clock = clock
        self._random = random
        self._events = events

    async def __call__(self) -> None:
        """Run until cancelled; the first time some moment within an hour."""
        # By chance, so that also what is restarted each half hour gets to it at times.
        await self._clock.sleep(EVERY_S * self._random.fraction())
        while True:
            try:
                self._events.publish(Pruned(removed=await self._prune()))
            except Exception as error:  # what cannot be removed now can be an hour later
                self._events.publish(PruneFailed(error=error))
            jitter = JITTER_SHARE * (2 * self._random.fraction() - 1)
            await self._clock.sleep(EVERY_S * (1 + jitter))
