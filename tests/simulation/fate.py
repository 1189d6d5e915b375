"""What chance decides in a simulation, and the record of all that happened."""

import asyncio
import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import TypeVar

from adapters.memory.system import SteerableClock
from application.ports.system import Random

T = TypeVar("T")

#: So many calls in a thousand fail in bad times, half of them after they were done.
_FAILING = 25
_LONGEST_MOMENT_S = 0.03
#: Before these a process is stopped now and then, for longer than its lease.
_CRITICAL = frozenset({"keep", "commit", "release", "renew", "record_outcome", "fire"})
_STOPPED_SHARE = 0.02


class Fate:
    """Decides by a seed, and writes down what happens: the same seed, the same record."""

    def __init__(self, clock: SteerableClock, random: Random, keep: bool = False) -> None:
        self.clock = clock
        self.random = random
        self.storming = True
        #: Until then the store cannot be reached.
        self.store_away_until = clock.steady
        #: Set when something begins that must not be seen half done.
        self.critical = asyncio.Event()
        self.lines: list[str] = []
        self._keep = keep
        self._record = hashlib.blake2b(digest_size=16)
        self._began = clock.steady

    def note(self, *what: object) -> None:
        """Write down that something happened."""
        at = (self.clock.steady - self._began).total_seconds()
        line = f"{at:.6f} {' '.join(map(str, what))}\n"
        self._record.update(line.encode())
        if self._keep:
            self.lines.append(line)

    @property
    def record(self) -> str:
        """The digest of all that happened."""
        return self._record.hexdigest()

    def toss(self, share: float = 0.5) -> bool:
        """Whether something happens that does so this often."""
        return self.random.fraction() < share

    def pick(self, some: Sequence[T]) -> T:
        """One of these."""
        return some[int(self.random.fraction() * len(some))]

    def between(self, least: float, most: float) -> float:
        """A number between these."""
        return least + (most - least) * self.random.fraction()

    def fault(self) -> str | None:
        """Whether a call fails, "before" or "after" it is done."""
        if not self.storming:
            return None
        if self.clock.steady < self.store_away_until:
            return "before"
        drawn = self.random.fraction() * 1000
        if drawn >= _FAILING:
            return None
        return "before" if drawn * 2 < _FAILING else "after"

    def stops(self, verb: str) -> bool:
        """Whether a process is stopped just before it does something."""
        return self.storming and verb in _CRITICAL and self.toss(_STOPPED_SHARE)

    def moment_s(self) -> float:
        """How long something short takes."""
        return _LONGEST_MOMENT_S * self.random.fraction()

    def since(self, moment: datetime) -> float:
        """Seconds since then."""
        return (self.clock.steady - moment).total_seconds()
