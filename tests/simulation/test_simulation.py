"""A few hundred simulations keep every promise, and each can be repeated to the last call.

More of them: `python -m tests.simulation --seeds 10000`.
"""

import pytest

from tests.simulation.promises import PROMISES, Findings
from tests.simulation.story import tell

_CHUNK = 10
_SEEDS = {"memory": 160, "sqlite": 20}
_CHUNKS = [(kind, first) for kind, seeds in _SEEDS.items() for first in range(0, seeds, _CHUNK)]


@pytest.mark.parametrize(("kind", "first"), _CHUNKS)
def test_every_promise_is_kept_whatever_happens(kind: str, first: int) -> None:
    findings = Findings()

    for seed in range(first, first + _CHUNK):
        ending = tell(seed, kind)
        findings.add(ending, tell(seed, kind).record)

    assert findings.first == {}


def test_a_simulation_gives_every_promise_occasion_to_be_broken() -> None:
    seen: dict[str, int] = {}

    for seed in range(5):
        seen = {
            name: seen.get(name, 0) + count for name, count in tell(seed, "memory").seen.items()
        }

    assert all(seen.get(occasion) for _, occasion in PROMISES.values())


def test_another_seed_is_another_story() -> None:
    assert tell(1, "memory").record != tell(2, "memory").record
