"""Pruning: the removal of expired rows, in batches small enough not to delay other writes."""

from application.ports.operations import Events, Retention
from application.ports.system import Clock, Random
from domain.events import Pruned, PruneFailed
from domain.retention import BATCH, RetainedKind, RetentionPolicy

#: The pause between two batches, in which others can write.
PAUSE_S = 0.05
EVERY_S = 3600.0
#: A run is moved by up to this share of the hour, so that several processes do not meet.
JITTER_SHARE = 0.1


class Prune:
    """The use case that removes all expired rows once."""

    def __init__(self, retention: Retention, clock: Clock, policy: RetentionPolicy) -> None:
        self._retention = retention
        self._clock = clock
        self._policy = policy

    async def __call__(self) -> dict[RetainedKind, int]:
        """Remove expired rows; return how many of each kind. Others may do the same meanwhile."""
        removed: dict[RetainedKind, int] = {}
        for kept, before in self._policy.ends(self._clock.now()):
            removed[kept] = 0
            while count := await self._retention.prune(kept, before, BATCH):
                removed[kept] += count
                await self._clock.sleep(PAUSE_S)
        return removed


class PruneLoop:
    """A loop that prunes once an hour; several may run at the same time."""

    def __init__(self, prune: Prune, clock: Clock, random: Random, events: Events) -> None:
        self._prune = prune
        self._clock = clock
        self._random = random
        self._events = events

    async def __call__(self) -> None:
        """Run until cancelled; the first run is at a random time within an hour."""
        # Random, so that a process that restarts every half hour also prunes sometimes.
        await self._clock.sleep(EVERY_S * self._random.fraction())
        while True:
            try:
                self._events.publish(Pruned(removed=await self._prune()))
            except Exception as error:  # the next run tries again
                self._events.publish(PruneFailed(error=error))
            jitter = JITTER_SHARE * (2 * self._random.fraction() - 1)
            await self._clock.sleep(EVERY_S * (1 + jitter))
