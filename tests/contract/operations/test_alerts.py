"""Contract of `Alerts`: of concurrent changes one is made, and outdated ones are refused."""

import asyncio
from datetime import timedelta

import msgspec

from domain.alerts import AlertState, Incident, Kind
from tests.contract.backends import Backend

MICROSECOND = timedelta(microseconds=1)


def quiet(backend: Backend, dataset: str = "posts", source: str = "one") -> AlertState:
    """Return a state that is not stored yet."""
    return AlertState.quiet(Kind.BREAKER, dataset, "é.example:80", backend.clock.now(), source)


def raised(backend: Backend, state: AlertState) -> AlertState:
    """Return the state with an incident."""
    return state.seen(Incident("it keeps failing, é", backend.clock.now() + MICROSECOND), "well")


async def current_states(backend: Backend) -> list[AlertState]:
    """Return every state."""
    return (await backend.alerts.current())[1]


async def test_without_states_there_is_only_the_time(backend: Backend) -> None:
    assert await backend.alerts.current() == (backend.clock.now(), [])
    backend.clock.advance(MICROSECOND)
    assert await backend.alerts.current() == (backend.clock.now(), [])


async def test_a_new_state_is_stored_unchanged_and_once(backend: Backend) -> None:
    state = quiet(backend)

    moved = [await backend.alerts.move(None, state) for _ in range(2)]

    assert moved == [True, False]
    assert await current_states(backend) == [state]


async def test_a_state_passes_through_a_whole_incident(backend: Backend) -> None:
    state = quiet(backend)
    await backend.alerts.move(None, state)

    for _ in range(2):
        seen = raised(backend, state)
        taken = seen.claimed(backend.clock.now())
        delivered = taken.released(delivered=True)
        over = delivered.seen(None, "well")
        done = over.claimed(backend.clock.now()).released(delivered=True)
        for following in (seen, taken, delivered, over, done):
            assert await backend.alerts.move(state, following)
            state = following
            assert await current_states(backend) == [state]


async def test_a_state_that_has_changed_is_not_changed_from_its_old_value(backend: Backend) -> None:
    first = quiet(backend)
    await backend.alerts.move(None, first)
    second = raised(backend, first)
    await backend.alerts.move(first, second)

    late = [
        await backend.alerts.move(first, second),
        await backend.alerts.move(None, first),
        await backend.alerts.move(second.claimed(backend.clock.now()), second),
        await backend.alerts.move(msgspec.structs.replace(second, detail="other"), first),
    ]

    assert late == [False] * 4
    assert await current_states(backend) == [second]


async def test_of_many_that_claim_an_alert_one_gets_it(backend: Backend) -> None:
    state = quiet(backend)
    await backend.alerts.move(None, state)
    waiting = raised(backend, state)
    await backend.alerts.move(state, waiting)

    taken = waiting.claimed(backend.clock.now())
    got = await asyncio.gather(*(backend.alerts.move(waiting, taken) for _ in range(8)))

    assert sorted(got) == [False] * 7 + [True]


async def test_states_are_distinguished_by_kind_dataset_and_source(backend: Backend) -> None:
    now = backend.clock.now()
    states = [
        quiet(backend, "posts", "one"),
        quiet(backend, "posts", "two"),
        quiet(backend, "samples", "one"),
        AlertState.quiet(Kind.STALE, "posts", "posts", now),
    ]
    for state in reversed(states):
        assert await backend.alerts.move(None, state)

    moved = raised(backend, states[1])
    await backend.alerts.move(states[1], moved)

    assert await current_states(backend) == [states[0], moved, states[2], states[3]]
