"""The promises a simulation watches over, and what was found of each."""

from collections import Counter
from collections.abc import Iterable

from tests.simulation.story import Ending

#: What must not happen, and how often there was occasion for it.
PROMISES = {
    "P0": ("bugs and unheard failures", "looks"),
    "P1": ("accepted and never ended, or never current", "accepted"),
    "P2": ("written under a lost fence", "jobs.claim"),
    "P3": ("asked after the last attempt", "intake.keep"),
    "P4": ("lost or mixed generations", "looks"),
    "P5": ("changed without a new sequence number", "looks"),
    "P6": ("checkpoints ahead of their data", "intake.commit"),
    "P7": ("windows with more requests than allowed", "requests"),
    "P8": ("asked though told to wait", "budget.spend"),
    "P10": ("asked through an open breaker, or probed twice", "budget.spend"),
    "P11": ("datasets with two unfinished jobs", "looks"),
    "P12": ("keys with more than one effect", "keys"),
    "P13": ("reports and totals that do not add up", "jobs.release"),
    "P18": ("ticks fired twice", "schedules.fire"),
    "P19": ("statuses that went back", "looks"),
}


class Findings:
    """What was found in many simulations."""

    def __init__(self) -> None:
        self.seeds = 0
        self.broken: Counter[str] = Counter()
        self.first: dict[str, str] = {}
        self._seen: Counter[str] = Counter()

    def add(self, ending: Ending, again: str) -> None:
        """One more simulation, and the record of the same seed when it was run again."""
        self.seeds += 1
        self._seen.update(ending.seen)
        broken = list(ending.broken)
        if ending.record != again:
            broken.append(("T0", "the same seed made another record"))
        for promise, what in broken:
            self.broken[promise] += 1
            self.first.setdefault(promise, f"seed {ending.seed}: {what}")

    def lines(self) -> Iterable[str]:
        """One line a promise."""
        yield self._line("T0", "seeds with two records", self.seeds)
        for promise, (what, occasion) in PROMISES.items():
            yield self._line(promise, what, self._seen[occasion])

    def _line(self, promise: str, what: str, of: int) -> str:
        found = self.broken[promise]
        verdict = "FAIL" if found else "ok"
        line = f"promise={promise} value={found} bar=0 {verdict} of={of} what={what!r}"
        return f"{line} first={self.first[promise]!r}" if found else line
