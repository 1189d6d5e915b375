"""Stats: the numbers of received, stored and quarantined records, and the totals by source."""

import pytest

from application.datasets.catalogue import Catalogue
from application.operations.stats import ShowStats
from domain.dataset import Dataset, Role
from domain.errors import SourceUnavailable
from domain.reports import Counts, Failure, SourceStatus
from tests.application.rig import Rig, posts
from tests.sharing import SharedPost

SECRET = Dataset(name="secret", record=SharedPost, key=("source", "id"), read_by=Role.ADMIN)


@pytest.fixture
def show_stats(rig: Rig) -> ShowStats:
    """Return the use case over two datasets, one secret with the sources `two` and `three`."""
    registry = rig.registry(
        rig.fetch(rig.source("one", posts(2), b'[{"id": "bad"}]')),
        rig.fetch(rig.shared("two", 3), rig.shared("three"), dataset=SECRET),
    )
    catalogue = Catalogue(registry, rig.quarantine, rig.clock)
    return ShowStats(catalogue, rig.source_history)


async def test_before_the_first_run_every_source_has_zero_totals(
    show_stats: ShowStats,
) -> None:
    stats = await show_stats(Role.ADMIN)

    assert [(total.dataset, total.source, total.runs) for total in stats.sources] == [
        ("posts", "one", 0),
        ("secret", "three", 0),
        ("secret", "two", 0),
    ]
    assert (stats.received, stats.stored, stats.quarantined) == (0, 0, 0)


async def test_a_viewer_sees_the_stats_of_the_datasets_they_may_read(
    rig: Rig, show_stats: ShowStats
) -> None:
    await rig.fetch(rig.source("one", posts(2), b'[{"id": "bad"}]'))()
    await rig.fetch(rig.shared("two", 3), dataset=SECRET)(Role.ADMIN)

    shown = {viewer: await show_stats(viewer) for viewer in Role}

    assert {
        viewer: (stats.received, stats.stored, stats.quarantined) for viewer, stats in shown.items()
    } == {Role.ANYONE: (3, 2, 1), Role.USER: (3, 2, 1), Role.ADMIN: (6, 5, 1)}
    assert {total.dataset for total in shown[Role.ANYONE].sources} == {"posts"}


async def test_a_source_that_was_switched_off_stays_counted(
    rig: Rig, show_stats: ShowStats
) -> None:
    await rig.fetch(rig.source("older", posts(4)))()

    stats = await show_stats()

    assert [total.source for total in stats.sources] == ["older", "one"]
    assert stats.received == 4


async def test_the_totals_outlive_the_jobs(rig: Rig, show_stats: ShowStats) -> None:
    source = rig.source("one", posts(2))
    fetch = rig.fetch(source)
    await fetch()
    rig.clock.advance(61)
    source.failure = SourceUnavailable("no answer")
    await fetch()

    rig.database.jobs.clear()
    [total] = (await show_stats()).sources

    assert (total.runs, total.last_status) == (2, SourceStatus.FAILED)
    assert total.counts == Counts(received=2, inserted=2)
    assert total.last_error == Failure("source_unavailable", "no answer")
    assert total.last_run_at == rig.clock.now()
