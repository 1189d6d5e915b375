"""Contract of `Random`."""

import re
from collections.abc import Callable

import pytest

from adapters.memory.system import SeededRandom
from adapters.system.machine import SystemRandom
from application.ports.system import Random

SOURCES: dict[str, Callable[[], Random]] = {"seeded": SeededRandom, "system": SystemRandom}


@pytest.fixture(params=SOURCES)
def random(request: pytest.FixtureRequest) -> Random:
    """A source of chance of each kind."""
    return SOURCES[request.param]()


def test_an_identifier_is_32_hexadecimal_digits(random: Random) -> None:
    assert re.fullmatch("[0-9a-f]{32}", random.identifier())


def test_identifiers_are_in_order_of_creation(random: Random) -> None:
    identifiers = [random.identifier() for _ in range(2000)]

    assert identifiers == sorted(set(identifiers))


def test_the_digits_that_cannot_be_guessed_differ(random: Random) -> None:
    tails = {random.identifier()[13:] for _ in range(1000)}

    assert len(tails) == 1000


def test_a_fraction_lies_between_0_and_1(random: Random) -> None:
    fractions = [random.fraction() for _ in range(2000)]

    assert all(0.0 <= fraction < 1.0 for fraction in fractions)
    assert 0.4 < sum(fractions) / len(fractions) < 0.6
    assert min(fractions) < 0.05
    assert max(fractions) > 0.95


def test_the_same_seed_repeats_itself_and_another_does_not() -> None:
    first, again, other = SeededRandom(1), SeededRandom(1), SeededRandom(2)

    drawn = [(r.identifier(), r.fraction()) for r in (first, again, other)]

    assert drawn[0] == drawn[1]
    assert drawn[0] != drawn[2]
