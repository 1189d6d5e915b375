"""Contract of `Tasks`: no change is lost, and reads find what was written."""

import asyncio
from typing import Any

import msgspec
import pytest

from domain.dataset import CHANGED_AT
from domain.errors import TooManyTasks
from domain.filters import Filter
from domain.paging import Counting, PageRequest, Sort
from domain.repositories import Enrichment, Finding, RepoFacts
from domain.tasks import MAX_TASKS, PENDING, TASKS, Task, TaskEdit, TaskStatus, new_task, task_of
from tests.contract.backends import Backend

FACTS = Finding(Enrichment.OK, RepoFacts("a client 😀", 7, None))


class Refused(Exception):
    """What a change raises that does not want to be made."""


def task(backend: Backend, finding: Finding = PENDING, **said: Any) -> Task:
    """Return a task that is not stored yet."""
    edit = TaskEdit(**{"title": "a title", "repository": "a/b", **said})
    return new_task(backend.random.identifier(), edit, finding, backend.clock.now())


def titled(backend: Backend, title: str) -> Any:
    """Return a change of the title."""
    return lambda task: task.edited(TaskEdit(title=title), PENDING, backend.clock.now())


async def stored(backend: Backend, task_id: str) -> Any:
    """Return the row of a task."""
    return await backend.store.get(TASKS, (task_id,), Filter())


async def seq(backend: Backend) -> int:
    """Return the dataset's sequence number."""
    return (await backend.store.freshness(TASKS)).seq


# ---------------------------------------------------------------- adding


@pytest.mark.parametrize("finding", [PENDING, FACTS])
async def test_an_added_task_is_read_as_it_was_returned(backend: Backend, finding: Finding) -> None:
    one = task(backend, finding, description="é\n'\"", status=TaskStatus.IN_PROGRESS)

    row = await backend.tasks.add(one, MAX_TASKS)

    assert task_of(row) == one
    assert getattr(row, CHANGED_AT.name) == backend.clock.now()
    assert await stored(backend, one.id) == row


async def test_of_many_who_add_tasks_at_once_none_takes_a_place_too_many(backend: Backend) -> None:
    await backend.tasks.add(task(backend), most=5)

    tries = await asyncio.gather(
        *(backend.tasks.add(task(backend), most=5) for _ in range(10)), return_exceptions=True
    )

    assert [type(tried) for tried in tries].count(TooManyTasks) == 6
    assert await backend.store.count(TASKS, Filter()) == 5
    assert await seq(backend) == 5


async def test_a_deleted_task_leaves_room_for_another(backend: Backend) -> None:
    one = task(backend)
    await backend.tasks.add(one, most=1)

    await backend.tasks.remove(one.id, lambda _: None)
    await backend.tasks.add(task(backend), most=1)

    assert await backend.store.count(TASKS, Filter()) == 1


async def test_a_write_is_later_than_the_one_before_though_the_clock_was_set_back(
    backend: Backend,
) -> None:
    first = await backend.tasks.add(task(backend), MAX_TASKS)
    backend.clock.advance(-60)

    second = await backend.tasks.add(task(backend), MAX_TASKS)
    changed = await backend.tasks.change(first.id, titled(backend, "another"))

    assert first._changed_at < second._changed_at < changed._changed_at


async def test_tasks_are_found_like_the_records_of_any_dataset(backend: Backend) -> None:
    for title in "cab":
        backend.clock.advance(1)
        await backend.tasks.add(task(backend, title=title), MAX_TASKS)
    wanted = Filter.parse(TASKS.fields, [("title__in", "a,b"), ("enrichment", "pending")])
    request = PageRequest(filter=wanted, sort=Sort.parse(TASKS, TASKS.default_sort), limit=1)

    first = await backend.store.find(
        TASKS, msgspec.structs.replace(request, counting=Counting.EXACT)
    )
    second = await backend.store.find(
        TASKS, msgspec.structs.replace(request, cursor=first.next_cursor)
    )

    assert ([row.title for row in first.rows], first.total) == (["b"], 2)
    assert ([row.title for row in second.rows], second.next_cursor) == (["a"], None)


# ---------------------------------------------------------------- changing


async def test_a_change_applies_to_the_stored_task_alone(backend: Backend) -> None:
    one, other = task(backend, FACTS), task(backend)
    await backend.tasks.add(one, MAX_TASKS)
    await backend.tasks.add(other, MAX_TASKS)
    backend.clock.advance(60)

    row = await backend.tasks.change(one.id, titled(backend, "another"))

    assert (row.title, row.version, row.updated_at) == ("another", 2, backend.clock.now())
    assert getattr(row, CHANGED_AT.name) == backend.clock.now()
    assert await stored(backend, one.id) == row
    assert task_of(await stored(backend, other.id)) == other


async def test_a_change_of_nothing_writes_nothing(backend: Backend) -> None:
    one = task(backend)
    added = await backend.tasks.add(one, MAX_TASKS)
    before = await seq(backend)
    backend.clock.advance(60)

    assert await backend.tasks.change(one.id, lambda task: task) == added
    assert (await stored(backend, one.id), await seq(backend)) == (added, before)


async def test_a_change_that_raises_writes_nothing(backend: Backend) -> None:
    one = task(backend)
    added = await backend.tasks.add(one, MAX_TASKS)
    before = await seq(backend)

    def refuse(task: Task) -> Task:
        raise Refused

    with pytest.raises(Refused):
        await backend.tasks.change(one.id, refuse)

    assert (await stored(backend, one.id), await seq(backend)) == (added, before)
    assert (await backend.tasks.change(one.id, titled(backend, "after"))).title == "after"


async def test_a_missing_task_is_not_changed(backend: Backend) -> None:
    assert await backend.tasks.change("0" * 32, titled(backend, "another")) is None
    assert await seq(backend) == 0


async def test_of_many_changes_at_once_none_is_lost(backend: Backend) -> None:
    one = task(backend, description="")
    await backend.tasks.add(one, MAX_TASKS)

    def appending(number: int) -> Any:
        def append(task: Task) -> Task:
            edit = TaskEdit(description=f"{task.description} {number}")
            return task.edited(edit, PENDING, backend.clock.now())

        return append

    rows = await asyncio.gather(*(backend.tasks.change(one.id, appending(n)) for n in range(100)))

    last = await stored(backend, one.id)
    assert sorted(map(int, last.description.split())) == list(range(100))
    assert sorted(row.version for row in rows) == list(range(2, 102))


# ---------------------------------------------------------------- removing


async def test_a_removed_task_is_gone(backend: Backend) -> None:
    one, other = task(backend), task(backend)
    await backend.tasks.add(one, MAX_TASKS)
    await backend.tasks.add(other, MAX_TASKS)

    assert await backend.tasks.remove(one.id, lambda task: None)
    assert not await backend.tasks.remove(one.id, lambda task: None)
    assert await stored(backend, one.id) is None
    assert task_of(await stored(backend, other.id)) == other


async def test_a_task_that_may_not_be_removed_stays(backend: Backend) -> None:
    one = task(backend)
    added = await backend.tasks.add(one, MAX_TASKS)

    def refuse(task: Task) -> None:
        assert task == one
        raise Refused

    with pytest.raises(Refused):
        await backend.tasks.remove(one.id, refuse)

    assert await stored(backend, one.id) == added


async def test_of_a_change_and_a_removal_at_once_both_or_the_removal_alone_are_done(
    backend: Backend,
) -> None:
    one = task(backend)
    await backend.tasks.add(one, MAX_TASKS)

    changed, removed = await asyncio.gather(
        backend.tasks.change(one.id, titled(backend, "another")),
        backend.tasks.remove(one.id, lambda task: None),
    )

    assert removed
    assert changed is None or changed.version == 2
    assert await stored(backend, one.id) is None


# ---------------------------------------------------------------- freshness


async def test_every_write_moves_the_sequence_number_and_the_version(backend: Backend) -> None:
    one = task(backend)
    seen = [(await seq(backend), backend.changes.version())]

    await backend.tasks.add(one, MAX_TASKS)
    seen.append((await seq(backend), backend.changes.version()))
    await backend.tasks.change(one.id, titled(backend, "another"))
    seen.append((await seq(backend), backend.changes.version()))
    await backend.tasks.remove(one.id, lambda task: None)
    seen.append((await seq(backend), backend.changes.version()))

    assert [number for number, _ in seen] == [0, 1, 2, 3]
    assert len({version for _, version in seen}) == 4


async def test_a_job_of_tasks_leaves_a_checkpoint_without_any_record(backend: Backend) -> None:
    one = task(backend)
    await backend.tasks.add(one, MAX_TASKS)
    job = await backend.claimed(TASKS)

    async with backend.intakes.open(TASKS, "github", job) as intake:
        await intake.commit(backend.checkpoint(job, "github"))

    freshness = await backend.store.freshness(TASKS)
    assert (freshness.seq, freshness.fetched_at) == (1, backend.clock.now())
    assert task_of(await stored(backend, one.id)) == one
