"""Contract of `Schedules`: each tick is fired once, together with its job."""

import asyncio
from datetime import timedelta

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.builtin.posts import POSTS
from domain.jobs import FetchJob, Mode
from domain.schedules import Schedule
from tests.contract.backends import Backend, Open
from tests.strategies import SAMPLES

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
MICROSECOND = timedelta(microseconds=1)


async def schedules_of(backend: Backend) -> list[Schedule]:
    """Return every schedule, by dataset."""
    _, schedules = await backend.schedules.current()
    return sorted(schedules, key=lambda schedule: schedule.dataset)


async def declared(backend: Backend, every: timedelta = HOUR) -> Schedule:
    """Return the schedule of the samples, with this period."""
    await backend.schedules.declare({SAMPLES.name: every})
    [schedule] = await schedules_of(backend)
    return schedule


def job(backend: Backend) -> FetchJob:
    """Return the job of a tick."""
    return msgspec.structs.replace(backend.queued(), mode=Mode.SCHEDULE)


# ---------------------------------------------------------------- declaring


async def test_without_schedules_there_is_only_the_time(backend: Backend) -> None:
    assert await backend.schedules.current() == (backend.clock.now(), [])
    backend.clock.advance(MICROSECOND)
    assert await backend.schedules.current() == (backend.clock.now(), [])


async def test_a_declared_schedule_is_first_due_a_period_from_now(backend: Backend) -> None:
    now = backend.clock.now()

    assert await declared(backend) == Schedule.starting("samples", HOUR, now)


async def test_an_existing_schedule_continues(backend: Backend) -> None:
    before = await declared(backend)
    backend.clock.advance(1800)

    assert await declared(backend) == before


async def test_a_schedule_with_another_period_continues_with_it(backend: Backend) -> None:
    before = await declared(backend, DAY)
    backend.clock.advance(1800)

    assert await declared(backend, HOUR) == before.changed(HOUR, backend.clock.now())
    assert await declared(backend, DAY) == before.changed(HOUR, backend.clock.now()).changed(
        DAY, backend.clock.now()
    )


async def test_exactly_the_declared_schedules_are_kept(backend: Backend) -> None:
    now = backend.clock.now()
    await backend.schedules.declare({"a": HOUR, "b": DAY})
    backend.clock.advance(60)

    await backend.schedules.declare({"b": DAY, "c": HOUR})
    kept = await schedules_of(backend)
    await backend.schedules.declare({})

    assert kept == [
        Schedule.starting("b", DAY, now),
        Schedule.starting("c", HOUR, backend.clock.now()),
    ]
    assert await schedules_of(backend) == []


async def test_many_who_declare_at_once_declare_the_same(backend: Backend) -> None:
    await asyncio.gather(*(backend.schedules.declare({"a": HOUR, "b": DAY}) for _ in range(6)))

    assert [schedule.dataset for schedule in await schedules_of(backend)] == ["a", "b"]


@settings(max_examples=25)
@given(
    every=st.timedeltas(MICROSECOND, timedelta(days=3650)),
    late=st.timedeltas(timedelta(0), DAY),
    failures=st.integers(0, 1000),
)
async def test_a_schedule_is_kept_to_the_last_microsecond(
    open_backend: Open, every: timedelta, late: timedelta, failures: int
) -> None:
    async with open_backend() as backend:
        seen = await declared(backend, every)
        following = msgspec.structs.replace(
            seen, next_run_at=seen.next_run_at + late + MICROSECOND, failures=failures
        )

        assert await backend.schedules.move(seen, following)
        assert await schedules_of(backend) == [following]


# ---------------------------------------------------------------- firing


async def test_firing_moves_the_schedule_on_and_stores_the_job(backend: Backend) -> None:
    seen = await declared(backend)
    backend.clock.advance(HOUR)
    following, wanted = seen.fired(backend.clock.now(), 0.5), job(backend)

    fired = await backend.schedules.fire(seen, following, wanted)

    assert fired == wanted
    assert await backend.history.get(wanted.id) == wanted
    assert await schedules_of(backend) == [following]


async def test_a_tick_is_not_fired_twice(backend: Backend) -> None:
    seen = await declared(backend)
    backend.clock.advance(HOUR)
    following, second = seen.fired(backend.clock.now(), 0.5), job(backend)
    first = await backend.schedules.fire(seen, following, job(backend))
    assert first is not None
    claimed = await backend.jobs.claim(first.id)
    assert claimed is not None
    await backend.end(claimed)

    again = await backend.schedules.fire(seen, seen.fired(backend.clock.now(), 0.1), second)

    assert again is None
    assert await backend.history.get(second.id) is None
    assert await schedules_of(backend) == [following]


async def test_of_many_who_fire_a_tick_at_once_one_does(backend: Backend) -> None:
    seen = await declared(backend)
    backend.clock.advance(HOUR)
    now, wanted = backend.clock.now(), [job(backend) for _ in range(8)]

    fired = await asyncio.gather(
        *(
            backend.schedules.fire(seen, seen.fired(now, number / 8), one)
            for number, one in enumerate(wanted)
        )
    )

    written = [one for one in wanted if await backend.history.get(one.id) is not None]
    assert [one for one in fired if one is not None] == written
    [winner] = written
    assert await schedules_of(backend) == [seen.fired(now, wanted.index(winner) / 8)]


async def test_a_dataset_that_is_being_fetched_gets_no_second_job_and_the_tick_is_over(
    backend: Backend,
) -> None:
    seen = await declared(backend)
    running = await backend.claimed()
    wanted, following = job(backend), seen.fired(backend.clock.now() + HOUR, 0.5)

    fired = await backend.schedules.fire(seen, following, wanted)

    assert fired == running
    assert await backend.history.get(wanted.id) is None
    assert await schedules_of(backend) == [following]


async def test_other_schedules_are_not_changed(backend: Backend) -> None:
    await backend.schedules.declare({POSTS.name: HOUR, SAMPLES.name: HOUR})
    posts, samples = await schedules_of(backend)

    await backend.schedules.fire(samples, samples.fired(backend.clock.now(), 0.0), job(backend))

    assert (await schedules_of(backend))[0] == posts


# ---------------------------------------------------------------- moving


async def test_a_schedule_is_moved_without_a_job(backend: Backend) -> None:
    seen = await declared(backend)
    following = seen.after_run(False, backend.clock.now() + DAY, backend.clock.now())

    assert await backend.schedules.move(seen, following)
    assert await schedules_of(backend) == [following]
    assert await backend.jobs.request(one := backend.queued()) == one, "there was no job"


async def test_a_schedule_changed_meanwhile_is_neither_moved_nor_fired(backend: Backend) -> None:
    seen = await declared(backend)
    now, wanted = backend.clock.now(), job(backend)
    moved = seen.after_run(False, None, now)
    assert await backend.schedules.move(seen, moved)

    assert not await backend.schedules.move(seen, seen.after_run(True, now + DAY, now))
    assert await backend.schedules.fire(seen, seen.fired(now, 0.0), wanted) is None
    assert await schedules_of(backend) == [moved]
    assert await backend.history.get(wanted.id) is None


@pytest.mark.parametrize("periods", [{}, {"samples": DAY}], ids=["removed", "with another period"])
async def test_a_schedule_declared_again_is_neither_moved_nor_fired_in_its_old_state(
    backend: Backend, periods: dict[str, timedelta]
) -> None:
    seen = await declared(backend)
    await backend.schedules.declare(periods)
    now, wanted, kept = backend.clock.now(), job(backend), await schedules_of(backend)

    assert not await backend.schedules.move(seen, seen.after_run(False, None, now))
    assert await backend.schedules.fire(seen, seen.fired(now, 0.0), wanted) is None
    assert await schedules_of(backend) == kept
    assert await backend.history.get(wanted.id) is None


# ---------------------------------------------------------------- freshness


async def test_readers_see_when_a_dataset_is_fetched_next(backend: Backend) -> None:
    before = await backend.store.freshness(SAMPLES)
    seen = await declared(backend)
    at_first = await backend.store.freshness(SAMPLES)
    following = seen.fired(backend.clock.now() + HOUR, 0.5)
    await backend.schedules.fire(seen, following, job(backend))

    after = await backend.store.freshness(SAMPLES)

    assert (before.next_fetch_at, at_first.next_fetch_at, after.next_fetch_at) == (
        None,
        seen.next_run_at,
        following.next_run_at,
    )
    assert (await backend.store.freshness(POSTS)).next_fetch_at is None


async def test_whatever_moves_a_schedule_moves_the_version(backend: Backend) -> None:
    versions = [backend.changes.version()]
    seen = await declared(backend)
    versions.append(backend.changes.version())
    moved = seen.after_run(False, None, backend.clock.now())
    await backend.schedules.move(seen, moved)
    versions.append(backend.changes.version())
    await backend.schedules.fire(moved, moved.fired(backend.clock.now(), 0.0), job(backend))
    versions.append(backend.changes.version())

    assert len(set(versions)) == len(versions)
