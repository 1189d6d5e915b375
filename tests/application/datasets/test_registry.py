"""The registry: generations, and running jobs during a replacement."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from adapters.memory.ingest import MemorySource
from application.datasets.registry import Generation, RegisteredDataset, Registry
from application.jobs.worker import RunJob
from application.ports.datasets import Tables
from domain.builtin.posts import POSTS, Post
from domain.dataset import Dataset, Role
from domain.errors import InvalidDataset, StoreUnavailable, UnknownDataset
from domain.fields import Int64
from domain.jobs import JobStatus, Mode
from domain.politeness import Cadence, Rate
from tests.application.rig import Rig, posts
from tests.application.schedulers import HOUR, scheduling


class Note(msgspec.Struct, frozen=True):
    """A post of fewer fields."""

    id: Int64
    title: str = "title"


NOTES = Dataset(name="posts", record=Note, key=("id",))
OTHERS = Dataset(name="others", record=Post, key=("id",))


class AwayTables(Tables):
    """Tables that cannot be prepared."""

    async def prepare(self, datasets: Sequence[Dataset[Any]]) -> None:
        """Fail."""
        raise StoreUnavailable("the database is busy")


def registered(
    rig: Rig, *sources: MemorySource[Any], dataset: Dataset[Any] = POSTS, **more: Any
) -> RegisteredDataset[Any]:
    """Return a dataset over the rig."""
    fetch = rig.fetch(*sources, dataset=dataset, cadence=more.pop("cadence", Cadence()))
    return RegisteredDataset(fetch, rig.query(dataset), **more)


def registry_of(
    rig: Rig, *datasets: RegisteredDataset[Any], tables: Tables | None = None
) -> Registry:
    """Return a registry with these datasets."""
    return Registry(tables or rig.tables, lambda: Generation(datasets))


def slow(rig: Rig, title: str = "title", record: type[Any] = Post) -> MemorySource[Any]:
    """Return a source that takes three seconds."""
    records = posts(1, title) if record is Post else [Note(1, title)]
    source = rig.source("one", records, record=record)
    source.takes_s = 3
    return source


# ---------------------------------------------------------------- a generation


def test_a_generation_has_every_dataset_and_lists_the_visible_ones(rig: Rig) -> None:
    seen, unseen = registered(rig), registered(rig, dataset=OTHERS, listed=False)
    generation = Generation([seen, unseen])

    assert dict(generation) == {"posts": seen, "others": unseen}
    assert len(generation) == 2
    assert generation.datasets == (POSTS, OTHERS)
    assert generation.catalogue == {"posts": seen}
    assert generation.fetches == {"posts": seen.fetch}


def test_two_datasets_of_one_name_are_refused(rig: Rig) -> None:
    with pytest.raises(InvalidDataset, match="two datasets are named posts"):
        Generation([registered(rig), registered(rig)])


def test_of_two_rates_for_a_host_the_lower_applies_unless_the_operator_sets_one(rig: Rig) -> None:
    low, high, own = Rate(1, 60.0), Rate(100, 1.0), Rate(5, 1.0)
    first = registered(rig, rates={"both": low, "named": low, "one": high})
    second = registered(rig, dataset=OTHERS, rates={"both": high, "named": low})

    for order in ([first, second], [second, first]):
        assert Generation(order, {"named": own}).rates == {"both": low, "named": own, "one": high}


def test_a_dataset_or_the_operator_may_name_private_hosts(rig: Rig) -> None:
    own = registered(rig, private_hosts=frozenset({"10.0.0.1:80"}))

    assert Generation([own], None, ["10.0.0.2:80"]).private_hosts == {"10.0.0.1:80", "10.0.0.2:80"}


# ---------------------------------------------------------------- the registry


async def test_views_follow_the_registry(rig: Rig) -> None:
    registry = registry_of(rig, registered(rig))
    fetches, rates, hosts = registry.fetches, registry.rates, registry.private_hosts
    before = list(fetches), dict(rates), "h:1" in hosts

    await registry.replace(
        Generation([registered(rig, dataset=OTHERS)], {"h": Rate(1, 1.0)}, ["h:1"])
    )

    assert before == (["posts"], {}, False)
    assert (list(fetches), len(fetches)) == (["others"], 1)
    assert rates.get("h") == Rate(1, 1.0)
    assert "h:1" in hosts


async def test_closing_an_unused_registry_builds_no_generation(rig: Rig) -> None:
    made: list[Generation] = []

    def first() -> Generation:
        made.append(Generation([]))
        return made[-1]

    registry = Registry(rig.tables, first)
    await registry.drain()
    await registry.close()

    assert made == []
    assert registry.current is registry.current is made[0]


async def test_when_tables_cannot_be_prepared_the_old_generation_stays(rig: Rig) -> None:
    old = registered(rig, rig.source("one", posts(2)))
    registry = registry_of(rig, old, tables=AwayTables())

    with pytest.raises(StoreUnavailable):
        await registry.replace(Generation([registered(rig, dataset=NOTES)]))

    assert registry.current["posts"] is old
    assert not await registry.is_replaced(old.query.for_role(Role.ANYONE))
    await old.fetch()
    assert await rig.titles() == ["title"] * 2


# ---------------------------------------------------------------- running jobs


async def test_a_running_job_ends_though_its_dataset_is_removed(rig: Rig) -> None:
    registry = registry_of(rig, old := registered(rig, slow(rig)))
    running = asyncio.create_task(old.fetch())
    await rig.clock.settle()

    await registry.replace(Generation([]))
    draining = asyncio.create_task(registry.drain())
    await rig.clock.settle()
    waited = not draining.done()
    await rig.clock.elapse(4)
    await draining

    assert waited
    assert (await running).job.status is JobStatus.SUCCEEDED


async def test_a_dataset_whose_table_is_rebuilt_is_replaced_once_its_running_job_has_ended(
    rig: Rig,
) -> None:
    registry = registry_of(rig, old := registered(rig, slow(rig, "old")))
    running = asyncio.create_task(old.fetch())
    await rig.clock.settle()

    new = registered(rig, slow(rig, "new", Note), dataset=NOTES)
    replacing = asyncio.create_task(registry.replace(Generation([new])))
    await rig.clock.elapse(1)
    assert registry.current["posts"] is old
    await rig.clock.elapse(3)
    await replacing

    assert (await running).job.status is JobStatus.SUCCEEDED
    assert registry.current["posts"] is new
    [row] = await rig.stored(NOTES)
    assert (row.id, row.title) == (1, "old")


async def test_a_job_that_a_replaced_use_case_still_runs_ends_before_the_table_is_rebuilt(
    rig: Rig,
) -> None:
    registry = registry_of(rig, old := registered(rig, slow(rig, "old")))
    running = asyncio.create_task(old.fetch())
    await rig.clock.settle()
    await registry.replace(Generation([registered(rig, slow(rig, "alike"))]))

    new = registered(rig, slow(rig, "new", Note), dataset=NOTES)
    replacing = asyncio.create_task(registry.replace(Generation([new])))
    await rig.clock.elapse(4)
    await replacing

    assert (await running).job.status is JobStatus.SUCCEEDED
    [row] = await rig.stored(NOTES)
    assert (row.id, row.title) == (1, "old")


async def test_a_fetch_of_a_dataset_that_is_being_replaced_waits(rig: Rig) -> None:
    fetch = rig.fetch(rig.source("one", posts(1)))
    with fetch.held():
        asking = asyncio.create_task(fetch())
        await rig.clock.elapse(5)
        early = asking.done()
    await rig.clock.elapse(1)

    assert not early
    assert (await asking).job.status is JobStatus.SUCCEEDED


async def test_a_waiting_job_of_a_removed_dataset_fails_with_the_reason(rig: Rig) -> None:
    registry = registry_of(rig, registered(rig, rig.source("one", posts(1))))
    job = await rig.queued()
    held = await rig.queued(dataset=OTHERS)

    await registry.replace(Generation([]))
    run_job = RunJob(registry, rig.job_backend)
    for job_id in (job.id, held.id):
        await run_job(job_id)

    ended = await rig.known(job.id)
    assert ended.report is not None
    assert (ended.status, [f.code for f in ended.report.failures]) == (
        JobStatus.FAILED,
        ["dataset_removed"],
    )
    # A newer worker may know a dataset that is unknown here.
    assert (await rig.known(held.id)).status is JobStatus.QUEUED


async def test_a_job_of_a_removed_dataset_that_another_process_runs_is_left_to_it(rig: Rig) -> None:
    registry = registry_of(rig, registered(rig, rig.source("one", posts(1))))
    job = await rig.queued()
    await rig.jobs.claim(job.id)

    await registry.replace(Generation([]))
    await RunJob(registry, rig.job_backend)(job.id)

    assert (await rig.known(job.id)).status is JobStatus.RUNNING


async def test_a_removed_dataset_is_unknown_to_its_old_use_case(rig: Rig) -> None:
    registry = registry_of(rig, old := registered(rig, rig.source("one", posts(1))))
    await registry.replace(Generation([]))

    for ask in (old.fetch, old.fetch.start):
        with pytest.raises(UnknownDataset, match="posts was removed"):
            await ask(Role.ADMIN)
    assert await registry.is_replaced(old.query.for_role(Role.ANYONE))


async def test_a_dataset_that_is_registered_again_runs_its_earlier_jobs(rig: Rig) -> None:
    first = registered(rig, rig.source("one", posts(1, "first")))
    second = registered(rig, rig.source("one", posts(1, "second")))
    registry = registry_of(rig, first)

    await registry.replace(Generation([]))
    await registry.replace(Generation([second]))
    await first.fetch()
    titles = await rig.titles()
    rig.clock.advance(HOUR)
    await registry.replace(Generation([first]))
    await second.fetch()

    assert (titles, await rig.titles()) == (["second"], ["first"])
    assert not first.query.for_role(Role.ANYONE).is_retired
    assert second.query.for_role(Role.ANYONE).is_retired


async def test_a_dataset_with_other_limits_and_the_same_use_cases_continues(
    rig: Rig,
) -> None:
    registry = registry_of(rig, old := registered(rig, rig.source("one", posts(1))))

    await registry.replace(Generation([replace(old, rates={"h": Rate(1, 1.0)})]))
    await old.fetch()

    assert await rig.titles() == ["title"]
    assert not old.query.for_role(Role.ANYONE).is_retired
    assert dict(registry.rates) == {"h": Rate(1, 1.0)}


async def test_an_unchanged_dataset_is_not_replaced(rig: Rig) -> None:
    registry = registry_of(rig, kept := registered(rig, slow(rig)))
    running = asyncio.create_task(kept.fetch())
    await rig.clock.settle()

    await registry.replace(Generation([kept, registered(rig, dataset=OTHERS)]))
    joined = asyncio.create_task(registry.current["posts"].fetch())
    await rig.clock.elapse(4)

    assert (await running).job == (await joined).job
    assert not kept.query.for_role(Role.ANYONE).is_retired


# ---------------------------------------------------------------- schedules


async def test_a_scheduler_declares_and_fetches_new_datasets(rig: Rig) -> None:
    every = Cadence(every=HOUR)
    kept = registered(rig, rig.source("one", posts(1)), cadence=every)
    added = registered(rig, rig.source("two", posts(1)), dataset=OTHERS, cadence=every)
    registry = registry_of(rig, kept)
    async with scheduling(rig, registry=registry, on_start=True):
        await rig.clock.elapse(1)
        before = list(rig.database.schedules), [job.dataset for job in rig.database.jobs.values()]
        await registry.replace(Generation([kept, added]))
        await rig.clock.elapse(2)
        with_both = set(rig.database.schedules)
        await registry.replace(Generation([added]))
        await rig.clock.elapse(2)

    assert before == (["posts"], ["posts"])
    assert with_both == {"posts", "others"}
    assert list(rig.database.schedules) == ["others"]
    assert [(job.dataset, job.mode) for job in rig.database.jobs.values()] == [
        ("posts", Mode.SCHEDULE),
        ("others", Mode.SCHEDULE),
    ]
