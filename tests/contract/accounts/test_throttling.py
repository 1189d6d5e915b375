"""Contract of client limits and login attempts."""

import asyncio

import pytest

from domain.errors import TooManyRequests
from domain.politeness import Rate
from domain.throttling import FREE_GUESSES, FREE_GUESSES_OF_STRANGERS
from tests.contract.backends import Backend

RATE = Rate(5, 10.0)


async def spent(backend: Backend, times: int, client: str = "ann") -> list[bool]:
    return [(await backend.client_limits.spend(client, RATE)).allowed for _ in range(times)]


async def test_as_many_as_the_rate_says_may_come_at_once(backend: Backend) -> None:
    assert await spent(backend, 7) == [True] * 5 + [False] * 2


async def test_the_allowance_says_what_is_left(backend: Backend) -> None:
    allowances = [await backend.client_limits.spend("ann", RATE) for _ in range(6)]

    assert [t.left for t in allowances] == [4, 3, 2, 1, 0, 0]
    assert [t.wait_s for t in allowances] == pytest.approx([0, 0, 0, 0, 2, 2], abs=0.001)


async def test_one_comes_back_after_its_share_of_the_window(backend: Backend) -> None:
    await spent(backend, 5)
    backend.clock.advance(1.9)
    early = await spent(backend, 1)
    backend.clock.advance(0.2)

    assert (early, await spent(backend, 2)) == ([False], [True, False])


async def test_after_the_window_everything_is_back(backend: Backend) -> None:
    await spent(backend, 5)
    backend.clock.advance(10)

    assert await spent(backend, 6) == [True] * 5 + [False]


async def test_each_client_has_its_own(backend: Backend) -> None:
    await spent(backend, 5)

    assert await spent(backend, 1, "bob") == [True]


async def test_of_many_at_once_no_more_are_let_through(backend: Backend) -> None:
    allowances = await asyncio.gather(*(spent(backend, 1) for _ in range(40)))

    assert sum(allowed for [allowed] in allowances) == 5


# ---------------------------------------------------------------- guesses


async def guess(backend: Backend, place: str = "here", account: str = "ann") -> float:
    """Try a wrong password; return the seconds to wait if that is not allowed."""
    try:
        await backend.attempts.begin(account, place)
    except TooManyRequests as error:
        return error.wait_s
    return 0.0


async def test_a_few_guesses_are_free(backend: Backend) -> None:
    waits = [await guess(backend) for _ in range(FREE_GUESSES + 1)]

    assert waits == pytest.approx([0.0] * FREE_GUESSES + [1.0])


async def test_an_attempt_says_how_long_the_next_one_has_to_wait_if_it_is_wrong(
    backend: Backend,
) -> None:
    waits = [await backend.attempts.begin("ann", "here") for _ in range(FREE_GUESSES)]
    backend.clock.advance(1)
    waits.append(await backend.attempts.begin("ann", "here"))

    assert waits == pytest.approx([0.0] * (FREE_GUESSES - 1) + [1.0, 2.0])


async def test_of_many_at_once_no_more_are_free(backend: Backend) -> None:
    waits = await asyncio.gather(*(guess(backend) for _ in range(30)))

    assert waits.count(0.0) == FREE_GUESSES


async def test_the_owner_is_let_in_from_elsewhere(backend: Backend) -> None:
    for _ in range(20):
        await guess(backend, "the guesser's")

    await backend.attempts.begin("ann", "home")
    await backend.attempts.succeed("ann", "home")

    assert await guess(backend, "the guesser's") > 0
    assert await guess(backend, "home") == 0


async def test_guesses_from_everywhere_stop_unknown_networks_but_not_known_ones(
    backend: Backend,
) -> None:
    await backend.attempts.begin("ann", "home")
    await backend.attempts.succeed("ann", "home")
    for number in range(FREE_GUESSES_OF_STRANGERS):
        assert await guess(backend, f"place {number}") == 0

    assert await guess(backend, "one more place") > 0
    assert await guess(backend, "home") == 0
    assert await guess(backend, "one more place", account="bob") == 0


async def test_a_correct_password_resets_the_attempts(backend: Backend) -> None:
    for _ in range(FREE_GUESSES - 1):
        await guess(backend)
    await backend.attempts.begin("ann", "here")
    await backend.attempts.succeed("ann", "here")

    assert [await guess(backend) for _ in range(FREE_GUESSES)] == [0.0] * FREE_GUESSES
