"""The catalogue: the datasets, and the freshness of each."""

from datetime import UTC, datetime, timedelta

import pytest

from application.datasets.catalogue import Catalogue, FreshnessStatus
from domain.builtin.posts import POSTS
from domain.dataset import Dataset, Role
from domain.errors import UnknownDataset
from domain.politeness import Cadence
from tests.application.rig import Rig, posts
from tests.sharing import SharedPost

HOUR = timedelta(hours=1)
NOW = datetime(2026, 1, 1, tzinfo=UTC)
SECRET = Dataset(name="secret", record=SharedPost, key=("source", "id"), read_by=Role.ADMIN)


@pytest.fixture
def catalogue(rig: Rig) -> Catalogue:
    """Return a catalogue of two datasets, one of them secret."""
    registry = rig.registry(
        rig.fetch(rig.source("one", posts(2), b'[{"id": "bad"}]'), cadence=Cadence(every=HOUR)),
        rig.fetch(rig.shared("two"), rig.shared("three"), dataset=SECRET),
    )
    return Catalogue(registry, rig.quarantine, rig.clock)


def test_datasets_are_listed_as_declared(catalogue: Catalogue) -> None:
    assert list(catalogue.datasets) == [POSTS, SECRET]


def test_the_use_cases_of_a_dataset_are_found_by_name(catalogue: Catalogue) -> None:
    assert catalogue.query("secret").dataset is SECRET
    assert catalogue.fetch("posts").sources == ("one",)


def test_an_unknown_name_is_answered_with_the_known_ones(catalogue: Catalogue) -> None:
    for find in (catalogue.query, catalogue.fetch):
        with pytest.raises(UnknownDataset, match="posts, secret"):
            find("post")


async def test_a_viewer_sees_the_datasets_they_may_read(catalogue: Catalogue) -> None:
    names = {
        viewer: [entry.dataset.name for entry in await catalogue.entries(viewer)] for viewer in Role
    }

    assert names == {
        Role.ANYONE: ["posts"],
        Role.USER: ["posts"],
        Role.ADMIN: ["posts", "secret"],
    }


async def test_an_entry_has_the_freshness_of_its_dataset(rig: Rig, catalogue: Catalogue) -> None:
    await rig.scheduled(HOUR)
    await catalogue.fetch("posts")()
    fetched_at = rig.clock.now()
    rig.clock.advance(HOUR * 3)

    posts_entry, secret_entry = await catalogue.entries(Role.ADMIN)

    assert (posts_entry.records, posts_entry.quarantined) == (2, 1)
    assert posts_entry.freshness.seq == 1
    assert posts_entry.status.fetched_at == fetched_at
    assert posts_entry.status.next_fetch_at == fetched_at + HOUR
    assert posts_entry.status.stale
    assert secret_entry.sources == ("two", "three")
    assert (secret_entry.records, secret_entry.status.next_fetch_at) == (0, None)
    assert secret_entry.status.stale


@pytest.mark.parametrize(
    ("status", "holds_for_ever", "holds_now"),
    [
        (FreshnessStatus(None, None, stale=True), True, True),
        (FreshnessStatus(NOW, None, stale=False), True, True),
        (FreshnessStatus(NOW, None, stale=False, stale_at=NOW), False, True),
        (FreshnessStatus(NOW, None, stale=True, stale_at=NOW), True, False),
    ],
)
def test_a_status_holds_until_time_makes_it_stale(
    status: FreshnessStatus, holds_for_ever: bool, holds_now: bool
) -> None:
    assert status.holds(NOW) is holds_now
    assert status.holds(NOW + timedelta(microseconds=1)) is holds_for_ever


async def test_a_status_that_holds_is_not_computed_again(catalogue: Catalogue) -> None:
    await catalogue.fetch("posts")()
    freshness = await catalogue.query("posts").for_role(Role.ANYONE).freshness()
    status = catalogue.freshness_status("posts", freshness)

    assert catalogue.freshness_status("posts", freshness) is status


async def test_a_status_becomes_stale_at_its_time(rig: Rig, catalogue: Catalogue) -> None:
    await catalogue.fetch("posts")()
    freshness = await catalogue.query("posts").for_role(Role.ANYONE).freshness()
    fresh = catalogue.freshness_status("posts", freshness)

    rig.clock.advance(3 * HOUR.total_seconds())

    assert (fresh.stale, catalogue.freshness_status("posts", freshness).stale) == (False, True)
