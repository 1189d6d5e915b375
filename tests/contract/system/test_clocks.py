"""Contract of `Clock`."""

import asyncio
from collections.abc import Callable
from datetime import UTC, timedelta

import pytest

from adapters.memory.system import SteerableClock
from adapters.system.machine import SystemClock
from application.ports.system import Clock

CLOCKS: dict[str, Callable[[], Clock]] = {"steerable": SteerableClock, "system": SystemClock}


@pytest.fixture(params=CLOCKS)
def clock(request: pytest.FixtureRequest) -> Clock:
    """A clock of each kind."""
    return CLOCKS[request.param]()


async def test_now_is_aware_and_in_utc(clock: Clock) -> None:
    assert clock.now().tzinfo is UTC


async def test_time_does_not_run_backwards(clock: Clock) -> None:
    assert clock.now() <= clock.now()


async def test_waiting_for_no_time_returns_at_once(clock: Clock) -> None:
    before = clock.now()

    await clock.sleep(0.0)

    assert clock.now() - before < timedelta(seconds=1)


async def test_waiting_lasts_as_long_as_it_should() -> None:
    clock = SystemClock()
    before = clock.now()

    await clock.sleep(0.01)

    assert clock.now() - before >= timedelta(seconds=0.009)


# ---------------------------------------------------------------- the steerable clock


async def test_a_steerable_clock_stands_still() -> None:
    clock = SteerableClock()

    assert clock.now() == clock.now()


async def _note(clock: SteerableClock, seconds: float, heard: list[float]) -> None:
    start = clock.now()
    await clock.sleep(seconds)
    heard.append((clock.now() - start).total_seconds())


async def test_sleepers_wake_when_the_clock_is_moved_past_them() -> None:
    clock, heard = SteerableClock(), list[float]()
    tasks = [asyncio.create_task(_note(clock, seconds, heard)) for seconds in (3, 1, 2)]
    await clock.settle()

    clock.advance(2)
    await clock.settle()
    after_two = list(heard)
    clock.advance(timedelta(seconds=1))
    await asyncio.gather(*tasks)

    assert after_two == [2, 2]
    assert heard == [2, 2, 3]


async def test_time_that_elapses_wakes_each_sleeper_at_its_time() -> None:
    clock, heard = SteerableClock(), list[float]()
    tasks = [asyncio.create_task(_note(clock, seconds, heard)) for seconds in (3, 1, 2)]
    start = clock.now()

    await clock.elapse(timedelta(seconds=3.5))
    await asyncio.gather(*tasks)

    assert heard == [1, 2, 3]
    assert clock.now() - start == timedelta(seconds=3.5)


async def test_a_cancelled_sleeper_is_forgotten() -> None:
    clock, heard = SteerableClock(), list[float]()
    cancelled = asyncio.create_task(_note(clock, 1, heard))
    await clock.settle()

    cancelled.cancel()
    await clock.elapse(2)

    assert cancelled.cancelled()
    assert heard == []
