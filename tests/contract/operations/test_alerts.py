"""Contract of `Alerts`: of concurrent changes one is made, and outdated ones are refused."""

import asyncio
from datetime import timedelta

import msgspec

from domain.alerts import AlertState, Incident, Kind
from tests.contract.backends import Backend

MICROSECOND = timedelta(microseconds=1)


def quiet(backend: Backend, dataset: str = "posts", source: str = "one") -> AlertState:
    """Return an alarm that is not stored yet."""
    return AlertState.quiet(Kind.BREAKER, dataset, "é.example:80", backend.clock.now(), source)


def raised(backend: Backend, alarm: AlertState) -> AlertState:
    """Return the alarm once trouble was seen."""
    return alarm.seen(Incident("it keeps failing, é", backend.clock.now() + MICROSECOND), "well")


async def standing(backend: Backend) -> list[AlertState]:
    """Return every alarm."""
    return (await backend.alerts.current())[1]


async def test_without_alarms_there_is_only_the_time(backend: Backend) -> None:
    assert await backend.alerts.current() == (backend.clock.now(), [])
    backend.clock.advance(MICROSECOND)
    assert await backend.alerts.current() == (backend.clock.now(), [])


async def test_a_new_alarm_is_stored_as_it_is_and_once(backend: Backend) -> None:
    alarm = quiet(backend)

    moved = [await backend.alerts.move(None, alarm) for _ in range(2)]

    assert moved == [True, False]
    assert await standing(backend) == [alarm]


async def test_an_alarm_goes_all_its_way(backend: Backend) -> None:
    alarm = quiet(backend)
    await backend.alerts.move(None, alarm)

    for _ in range(2):
        seen = raised(backend, alarm)
        taken = seen.claimed(backend.clock.now())
        delivered = taken.released(delivered=True)
        over = delivered.seen(None, "well")
        done = over.claimed(backend.clock.now()).released(delivered=True)
        for following in (seen, taken, delivered, over, done):
            assert await backend.alerts.move(alarm, following)
            alarm = following
            assert await standing(backend) == [alarm]


async def test_an_alarm_that_has_moved_is_not_moved_from_where_it_was(backend: Backend) -> None:
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
    assert await standing(backend) == [second]


async def test_of_many_that_claim_an_alert_one_gets_it(backend: Backend) -> None:
    alarm = quiet(backend)
    await backend.alerts.move(None, alarm)
    waiting = raised(backend, alarm)
    await backend.alerts.move(alarm, waiting)

    taken = waiting.claimed(backend.clock.now())
    got = await asyncio.gather(*(backend.alerts.move(waiting, taken) for _ in range(8)))

    assert sorted(got) == [False] * 7 + [True]


async def test_alarms_are_distinguished_by_kind_dataset_and_source(backend: Backend) -> None:
    now = backend.clock.now()
    alarms = [
        quiet(backend, "posts", "one"),
        quiet(backend, "posts", "two"),
        quiet(backend, "samples", "one"),
        AlertState.quiet(Kind.STALE, "posts", "posts", now),
    ]
    for alarm in reversed(alarms):
        assert await backend.alerts.move(None, alarm)

    moved = raised(backend, alarms[1])
    await backend.alerts.move(alarms[1], moved)

    assert await standing(backend) == [alarms[0], moved, alarms[2], alarms[3]]
