"""The quarantine for admins: access, lists and replays."""

from typing import Any

import pytest

from application.ingest.fetch import Fetch
from application.ingest.quarantine import ListQuarantine, RebuildDataset, ReplayQuarantine
from domain.builtin.posts import Post
from domain.dataset import Dataset, Role
from domain.errors import (
    DatasetBusy,
    Forbidden,
    LoginRequired,
    NoSources,
    SourceBlocked,
    UnknownDataset,
    UnknownRecord,
)
from domain.reports import Counts, Outcome
from tests.application.reprocessing import came, fixed, many
from tests.application.rig import Rig, counts_of

OTHERS = Dataset(name="others", record=Post, key=("id",))


def replay(rig: Rig, *fetches: Fetch[Any]) -> ReplayQuarantine:
    """Return the use case over these fetches, or over one of the posts with a fixed source."""
    known = fetches or (rig.fetch(fixed(rig)),)
    return ReplayQuarantine(rig.quarantine, {fetch.dataset.name: fetch for fetch in known})


def rebuild(rig: Rig) -> RebuildDataset:
    """Return the use case over a fetch of the posts with a fixed source."""
    return RebuildDataset({"posts": rig.fetch(fixed(rig))})


def listing(rig: Rig) -> ListQuarantine:
    """Return the use case that lists."""
    return ListQuarantine(rig.quarantine, ["posts", "others"])


@pytest.mark.parametrize(
    ("viewer", "error"), [(Role.ANYONE, LoginRequired), (Role.USER, Forbidden)]
)
async def test_only_admins_may_list_the_quarantine_or_reprocess(
    rig: Rig, viewer: Role, error: type[Exception]
) -> None:
    await came(rig, many(good=1, bad=1))

    for asking in (
        listing(rig)(viewer, 10),
        replay(rig).one(viewer, 1),
        replay(rig).dataset(viewer, "posts"),
        replay(rig).everything(viewer),
        rebuild(rig)(viewer, "posts"),
        rebuild(rig).dry_run(viewer, "posts"),
        rig.fetch(fixed(rig)).dry_run(viewer),
    ):
        with pytest.raises(error):
            await asking
    assert await rig.quarantine.count("posts") == 1


async def test_the_list_has_all_datasets_or_one_and_continues_at_a_cursor(rig: Rig) -> None:
    await came(rig, many(good=1, bad=2), source="one")
    await came(rig, many(good=1, bad=1), source="two")

    first = await listing(rig)(Role.ADMIN, 2)
    last = first[-1]
    rest = await listing(rig)(Role.ADMIN, 2, before=(last.rejected_at, last.id))

    assert [one.source for one in (*first, *rest)] == ["two", "one", "one"]
    assert await listing(rig)(Role.ADMIN, 9, dataset="posts", source="two") == first[:1]
    assert await listing(rig)(Role.ADMIN, 9, dataset="others") == []
    with pytest.raises(UnknownDataset, match="the datasets are: posts, others"):
        await listing(rig)(Role.ADMIN, 9, dataset="nothing")


async def test_one_rejected_record_has_its_payload(rig: Rig) -> None:
    await came(rig, many(good=1, bad=2), many(good=1, bad=1, first=11))
    [newest, *_] = await rig.quarantine.recent("posts", 10)

    fetched = await replay(rig).one(Role.ADMIN, newest.id)

    assert counts_of(fetched) == Counts(received=2, inserted=1, unchanged=1)
    assert await rig.quarantine.count("posts") == 2
    with pytest.raises(UnknownRecord):
        await replay(rig).one(Role.ADMIN, newest.id)


async def test_a_dataset_is_replayed_whole(rig: Rig) -> None:
    await came(rig, many(good=1, bad=2), many(good=1, bad=1, first=11))

    fetched = await replay(rig).dataset(Role.ADMIN, "posts")

    assert counts_of(fetched).inserted == 3
    assert await rig.quarantine.count("posts") == 0


async def test_all_datasets_with_records_in_quarantine_are_replayed(rig: Rig) -> None:
    await came(rig, many(good=1, bad=1))
    others = rig.fetch(rig.source("one", many(good=1, bad=1)), dataset=OTHERS)
    await others()
    fresh = rig.fetch(fixed(rig), dataset=OTHERS)
    idle = Dataset(name="idle", record=Post, key=("id",))
    everything = replay(
        rig, rig.fetch(fixed(rig)), fresh, rig.fetch(rig.source("one"), dataset=idle)
    )

    done = await everything.everything(Role.ADMIN)

    assert [(one.job.dataset, one.outcome) for one in done] == [
        ("posts", Outcome.CHANGED),
        ("others", Outcome.CHANGED),
    ]
    assert await everything.everything(Role.ADMIN) == []


async def test_a_busy_dataset_does_not_delay_the_others(rig: Rig) -> None:
    await came(rig, many(good=1, bad=1))
    await rig.fetch(rig.source("one", many(good=1, bad=1)), dataset=OTHERS)()
    blocked = rig.source("one")
    blocked.failure = SourceBlocked("later", retry_at=rig.later(3600))
    await rig.fetch(blocked).run((await rig.queued()).id)

    with pytest.raises(DatasetBusy):
        await replay(rig, rig.fetch(blocked), rig.fetch(fixed(rig), dataset=OTHERS)).everything(
            Role.ADMIN
        )

    assert await rig.quarantine.count("posts") == 1
    assert await rig.quarantine.count("others") == 0


async def test_a_removed_dataset_cannot_be_replayed(rig: Rig) -> None:
    await came(rig, many(good=1, bad=1))
    other = rig.fetch(rig.source("another"))

    with pytest.raises(NoSources, match="the source one is switched off"):
        await replay(rig, other).one(Role.ADMIN, 1)
    with pytest.raises(NoSources):
        await replay(rig, rig.fetch()).dataset(Role.ADMIN, "posts")
    with pytest.raises(UnknownDataset):
        await replay(rig, rig.fetch(fixed(rig), dataset=OTHERS)).one(Role.ADMIN, 1)
    assert await replay(rig, rig.fetch()).everything(Role.ADMIN) == []


async def test_a_dataset_is_rebuilt_by_its_name(rig: Rig) -> None:
    await came(rig, many(good=1, bad=1))

    dry_ran = await rebuild(rig).dry_run(Role.ADMIN, "posts")
    rebuilt = await rebuild(rig)(Role.ADMIN, "posts")

    assert dry_ran.counts == counts_of(rebuilt) == Counts(received=2, inserted=1, unchanged=1)
    for asking in (rebuild(rig)(Role.ADMIN, "no"), rebuild(rig).dry_run(Role.ADMIN, "no")):
        with pytest.raises(UnknownDataset):
            await asking
