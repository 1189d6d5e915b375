"""Alerts: the operator is told once of each beginning and each end, however many watch."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

import pytest

from adapters.memory.operations import MemoryAlerts
from application.ingest.fetch import Fetch
from application.operations.alerts import CHECK_S, AlertMonitor
from domain.alerts import CLAIM_TIMEOUT, AlertEvent, AlertState, Kind
from domain.builtin.posts import Post
from domain.dataset import Dataset
from domain.errors import SourceUnavailable, StoreUnavailable
from domain.events import AlertFailed, AlertSent, WatchFailed
from domain.politeness import BREAKER_MINIMUM, BREAKER_OPEN_S, Cadence
from tests.application.rig import Rig, ended, posts

PERIOD = timedelta(minutes=10)
REGULAR = Cadence(every=PERIOD)
OTHERS = Dataset(name="others", record=Post, key=("id",))
AWAY = SourceUnavailable("the operator cannot be reached")
RAISED, RECOVERED = AlertEvent.RAISED, AlertEvent.RECOVERED


class Breaking(MemoryAlerts):
    """Alarms that cannot be read while they are away, and that others read at the same time."""

    is_away = False

    async def current(self) -> tuple[datetime, list[AlertState]]:
        """Every alarm, unless away."""
        if self.is_away:
            raise StoreUnavailable("the database is gone")
        standing = await super().current()
        await asyncio.sleep(0)
        return standing


class JobPoller:
    """One operator, and watchers over one database that tell them."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.budget = rig.budget
        self.alerts = Breaking(rig.database, rig.clock)
        self.operator = rig.notifier

    @asynccontextmanager
    async def watching(self, *fetches: Fetch[Any], watchers: int = 1) -> AsyncIterator[None]:
        """So many watchers, all at once."""
        tasks = [asyncio.create_task(_watcher(self, fetches)()) for _ in range(watchers)]
        await self.rig.clock.settle()
        try:
            yield
            assert not any(task.done() for task in tasks)
        finally:
            await ended(*tasks)

    async def passes(self, by: float | timedelta = CHECK_S) -> None:
        """Let time pass, so that everybody looks at least once."""
        await self.rig.clock.elapse(by)

    async def fails(self, host: str = "one") -> None:
        """Have a host's breaker open."""
        for _ in range(BREAKER_MINIMUM):
            await self.budget.spend(host)
            await self.budget.record_outcome(host, ok=False)

    async def answers(self, host: str = "one") -> None:
        """Have a host answer its probe."""
        self.rig.clock.advance(BREAKER_OPEN_S)
        await self.budget.spend(host)
        await self.budget.record_outcome(host, ok=True)

    @property
    def told(self) -> list[tuple[AlertEvent, Kind, str]]:
        """What the operator has heard, in order."""
        return [(alert.event, alert.kind, alert.subject) for alert in self.operator.sent]


@pytest.fixture
def watch(rig: Rig) -> JobPoller:
    """An operator nobody has told anything."""
    return JobPoller(rig)


def fetching(rig: Rig, cadence: Cadence = REGULAR) -> Fetch[Any]:
    """Posts that come from one source."""
    return rig.fetch(rig.source("one", posts(1)), cadence=cadence)


# ---------------------------------------------------------------- one watcher


async def test_a_dataset_that_goes_stale_is_told_once_and_its_recovery_once(
    rig: Rig, watch: JobPoller
) -> None:
    fetch = fetching(rig)
    await fetch()
    fetched_at = rig.clock.now()
    async with watch.watching(fetch):
        await watch.passes(PERIOD * 2)
        early = watch.told
        await watch.passes(PERIOD)
        await fetch()
        await watch.passes(PERIOD)

    assert early == []
    assert watch.told == [(RAISED, Kind.STALE, "posts"), (RECOVERED, Kind.STALE, "posts")]
    raised, recovered = watch.operator.sent
    assert (raised.dataset, raised.source, raised.since) == (
        "posts",
        None,
        fetched_at + PERIOD * 2,
    )
    assert raised.at - raised.since <= timedelta(seconds=CHECK_S)
    assert recovered.since == raised.since
    assert [sent.alert for sent in rig.events.of(AlertSent)] == [raised, recovered]


async def test_a_breaker_that_opens_is_told_once_and_its_recovery_once(
    rig: Rig, watch: JobPoller
) -> None:
    fetch = fetching(rig, Cadence())
    await fetch()
    async with watch.watching(fetch):
        await watch.fails()
        await watch.passes(BREAKER_OPEN_S * 4)
        await watch.answers()
        await watch.passes(BREAKER_OPEN_S * 4)

    assert watch.told == [(RAISED, Kind.BREAKER, "one"), (RECOVERED, Kind.BREAKER, "one")]
    assert {(alert.dataset, alert.source) for alert in watch.operator.sent} == {("posts", "one")}


async def test_a_probe_that_fails_is_still_the_same_trouble(rig: Rig, watch: JobPoller) -> None:
    fetch = fetching(rig, Cadence())
    await fetch()
    async with watch.watching(fetch):
        await watch.fails()
        for _ in range(3):
            await watch.passes(BREAKER_OPEN_S * 10)
            await watch.budget.spend("one")
            await watch.budget.record_outcome("one", ok=False)

    assert watch.told == [(RAISED, Kind.BREAKER, "one")]


async def test_two_troubles_at_once_are_two_alerts(rig: Rig, watch: JobPoller) -> None:
    await watch.fails("one")
    await watch.fails("two")
    others = rig.fetch(rig.source("two", posts(1)), dataset=OTHERS, cadence=Cadence())

    async with watch.watching(fetching(rig, Cadence()), others):
        await watch.passes()

    assert watch.told == [(RAISED, Kind.BREAKER, "one"), (RAISED, Kind.BREAKER, "two")]


async def test_a_dataset_never_fetched_is_stale_once_its_time_has_passed(
    rig: Rig, watch: JobPoller
) -> None:
    fetch = fetching(rig)
    async with watch.watching(fetch):
        await watch.passes(PERIOD)
    async with watch.watching(fetch):
        await watch.passes(PERIOD)
        early = watch.told
        await watch.passes(PERIOD * 3)

    assert (early, watch.told) == ([], [(RAISED, Kind.STALE, "posts")])


async def test_what_turned_old_while_nothing_ran_may_be_fetched_at_the_start_before_anybody_looks(
    rig: Rig, watch: JobPoller
) -> None:
    fetch = fetching(rig)
    await fetch()
    rig.clock.advance(PERIOD * 10)
    async with watch.watching(fetch):
        await fetch()
        await watch.passes(PERIOD)

    assert watch.told == []


async def test_a_dataset_whose_sources_are_off_is_not_watched(rig: Rig, watch: JobPoller) -> None:
    async with watch.watching(rig.fetch(cadence=REGULAR)):
        await watch.passes(PERIOD * 10)

    assert watch.told == []


async def test_a_source_that_is_switched_off_has_recovered(rig: Rig, watch: JobPoller) -> None:
    await watch.fails()
    async with watch.watching(fetching(rig, Cadence())):
        await watch.passes()

    async with watch.watching():
        await watch.passes(CHECK_S * 5)

    assert watch.told == [(RAISED, Kind.BREAKER, "one"), (RECOVERED, Kind.BREAKER, "one")]
    assert "switched off" in watch.operator.sent[-1].detail


# ---------------------------------------------------------------- many watchers, and restarts


@pytest.mark.parametrize("takes_s", [0.0, 5.0])
async def test_many_watchers_tell_once(rig: Rig, watch: JobPoller, takes_s: float) -> None:
    watch.operator.takes_s = takes_s
    fetch = fetching(rig, Cadence())
    async with watch.watching(fetch, watchers=5):
        await watch.fails()
        await watch.passes(CHECK_S * 5)
        await watch.answers()
        await watch.passes(CHECK_S * 5)

    assert watch.told == [(RAISED, Kind.BREAKER, "one"), (RECOVERED, Kind.BREAKER, "one")]
    assert watch.operator.tries == 2


async def test_what_was_told_is_not_told_again_after_a_restart(rig: Rig, watch: JobPoller) -> None:
    await watch.fails()
    fetch = fetching(rig, Cadence())
    for _ in range(3):
        async with watch.watching(fetch):
            await watch.passes(CHECK_S * 3)

    assert watch.told == [(RAISED, Kind.BREAKER, "one")]


async def test_a_recovery_during_a_restart_is_told(rig: Rig, watch: JobPoller) -> None:
    await watch.fails()
    fetch = fetching(rig, Cadence())
    async with watch.watching(fetch):
        await watch.passes()
    await watch.answers()

    async with watch.watching(fetch):
        await watch.passes()

    assert watch.told == [(RAISED, Kind.BREAKER, "one"), (RECOVERED, Kind.BREAKER, "one")]


async def test_what_a_dead_watcher_had_taken_is_told_by_another_a_while_later(
    rig: Rig, watch: JobPoller
) -> None:
    await watch.fails()
    fetch = fetching(rig, Cadence())
    async with watch.watching(fetch):
        await watch.passes()
    watch.operator.sent.clear()
    for key, alarm in rig.database.alarms.items():
        if alarm.raised:  # it was killed before it could say so
            rig.database.alarms[key] = alarm.released(delivered=False).claimed(rig.clock.now())

    async with watch.watching(fetch):
        await watch.passes(CLAIM_TIMEOUT - timedelta(seconds=1))
        early = watch.told
        await watch.passes(CHECK_S)

    assert (early, watch.told) == ([], [(RAISED, Kind.BREAKER, "one")])


async def test_what_is_being_told_is_told_to_its_end_before_a_watcher_stops(
    rig: Rig, watch: JobPoller
) -> None:
    watch.operator.takes_s = 5.0
    await watch.fails()
    fetch = fetching(rig, Cadence())
    watcher = asyncio.create_task(_watcher(watch, [fetch])())
    await watch.passes()

    watcher.cancel()
    await rig.clock.elapse(5)
    await asyncio.wait([watcher])
    async with watch.watching(fetch):
        await watch.passes(CLAIM_TIMEOUT * 2)

    assert watcher.cancelled()
    assert watch.told == [(RAISED, Kind.BREAKER, "one")]
    assert watch.operator.tries == 1


async def test_a_watcher_that_is_told_twice_to_stop_stops(rig: Rig, watch: JobPoller) -> None:
    watch.operator.takes_s = 5.0
    await watch.fails()
    watcher = asyncio.create_task(_watcher(watch, [fetching(rig, Cadence())])())
    await watch.passes()

    for _ in range(2):
        watcher.cancel()
        await rig.clock.settle()

    assert watcher.cancelled()
    assert watch.told == []


def _watcher(watch: JobPoller, fetches: Sequence[Fetch[Any]]) -> AlertMonitor:
    return AlertMonitor(
        watch.rig.registry(*fetches),
        watch.budget,
        watch.alerts,
        watch.operator,
        watch.rig.clock,
        watch.rig.events,
    )


# ---------------------------------------------------------------- bad times


async def test_what_could_not_be_told_is_tried_again_at_the_next_look(
    rig: Rig, watch: JobPoller
) -> None:
    watch.operator.failure = AWAY
    await watch.fails()
    async with watch.watching(fetching(rig, Cadence())):
        await watch.passes(CHECK_S * 3)
        tries = watch.operator.tries
        watch.operator.failure = None
        await watch.passes()

    assert tries == 3
    assert watch.told == [(RAISED, Kind.BREAKER, "one")]
    assert [type(event) for event in rig.events.published] == [AlertFailed] * 3 + [AlertSent]
    assert [failed.error for failed in rig.events.of(AlertFailed)] == [AWAY] * 3


async def test_trouble_that_was_over_before_it_could_be_told_is_told_with_its_end(
    rig: Rig, watch: JobPoller
) -> None:
    watch.operator.failure = AWAY
    await watch.fails()
    async with watch.watching(fetching(rig, Cadence())):
        await watch.passes()
        await watch.answers()
        await watch.passes()
        watch.operator.failure = None
        await watch.passes(CHECK_S * 3)

    assert watch.told == [(RAISED, Kind.BREAKER, "one"), (RECOVERED, Kind.BREAKER, "one")]


async def test_a_store_that_goes_away_is_logged_once_and_does_not_end_the_watch(
    rig: Rig, watch: JobPoller
) -> None:
    fetch = fetching(rig, Cadence())
    async with watch.watching(fetch):
        watch.alerts.is_away = True
        await watch.fails()
        await watch.passes(CHECK_S * 5)
        early = list(rig.events.published)
        watch.alerts.is_away = False
        await watch.passes()

    assert [type(event) for event in early] == [WatchFailed]
    assert isinstance(rig.events.of(WatchFailed)[0].error, StoreUnavailable)
    assert watch.told == [(RAISED, Kind.BREAKER, "one")]
