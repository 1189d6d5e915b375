"""Alerts: the operator gets one message for each start and end, from any number of monitors."""

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
    """Alert states that can be unavailable, and that others read at the same time."""

    is_away = False

    async def current(self) -> tuple[datetime, list[AlertState]]:
        """Return every alert state, unless unavailable."""
        if self.is_away:
            raise StoreUnavailable("the database is gone")
        current = await super().current()
        await asyncio.sleep(0)
        return current


class Monitors:
    """One operator, and monitors over one database."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.budget = rig.budget
        self.alerts = Breaking(rig.database, rig.clock)
        self.operator = rig.notifier

    @asynccontextmanager
    async def watching(self, *fetches: Fetch[Any], monitors: int = 1) -> AsyncIterator[None]:
        """Run so many monitors at once."""
        tasks = [asyncio.create_task(_monitor(self, fetches)()) for _ in range(monitors)]
        await self.rig.clock.settle()
        try:
            yield
            assert not any(task.done() for task in tasks)
        finally:
            await ended(*tasks)

    async def passes(self, by: float | timedelta = CHECK_S) -> None:
        """Advance the time, so that every monitor checks at least once."""
        await self.rig.clock.elapse(by)

    async def fails(self, host: str = "one") -> None:
        """Open the breaker of a host."""
        for _ in range(BREAKER_MINIMUM):
            await self.budget.spend(host)
            await self.budget.record_outcome(host, ok=False)

    async def answers(self, host: str = "one") -> None:
        """Close the breaker of a host by a successful probe."""
        self.rig.clock.advance(BREAKER_OPEN_S)
        await self.budget.spend(host)
        await self.budget.record_outcome(host, ok=True)

    @property
    def sent(self) -> list[tuple[AlertEvent, Kind, str]]:
        """Return the sent alerts, in order."""
        return [(alert.event, alert.kind, alert.subject) for alert in self.operator.sent]


@pytest.fixture
def monitors(rig: Rig) -> Monitors:
    """Return monitors that have sent nothing yet."""
    return Monitors(rig)


def fetching(rig: Rig, cadence: Cadence = REGULAR) -> Fetch[Any]:
    """Return a fetch of posts from one source."""
    return rig.fetch(rig.source("one", posts(1)), cadence=cadence)


# ---------------------------------------------------------------- one monitor


async def test_a_stale_dataset_is_reported_once_and_its_recovery_once(
    rig: Rig, monitors: Monitors
) -> None:
    fetch = fetching(rig)
    await fetch()
    fetched_at = rig.clock.now()
    async with monitors.watching(fetch):
        await monitors.passes(PERIOD * 2)
        early = monitors.sent
        await monitors.passes(PERIOD)
        await fetch()
        await monitors.passes(PERIOD)

    assert early == []
    assert monitors.sent == [(RAISED, Kind.STALE, "posts"), (RECOVERED, Kind.STALE, "posts")]
    raised, recovered = monitors.operator.sent
    assert (raised.dataset, raised.source, raised.since) == (
        "posts",
        None,
        fetched_at + PERIOD * 2,
    )
    assert raised.at - raised.since <= timedelta(seconds=CHECK_S)
    assert recovered.since == raised.since
    assert [sent.alert for sent in rig.events.of(AlertSent)] == [raised, recovered]


async def test_an_open_breaker_is_reported_once_and_its_recovery_once(
    rig: Rig, monitors: Monitors
) -> None:
    fetch = fetching(rig, Cadence())
    await fetch()
    async with monitors.watching(fetch):
        await monitors.fails()
        await monitors.passes(BREAKER_OPEN_S * 4)
        await monitors.answers()
        await monitors.passes(BREAKER_OPEN_S * 4)

    assert monitors.sent == [(RAISED, Kind.BREAKER, "one"), (RECOVERED, Kind.BREAKER, "one")]
    assert {(alert.dataset, alert.source) for alert in monitors.operator.sent} == {("posts", "one")}


async def test_a_failed_probe_is_still_the_same_incident(rig: Rig, monitors: Monitors) -> None:
    fetch = fetching(rig, Cadence())
    await fetch()
    async with monitors.watching(fetch):
        await monitors.fails()
        for _ in range(3):
            await monitors.passes(BREAKER_OPEN_S * 10)
            await monitors.budget.spend("one")
            await monitors.budget.record_outcome("one", ok=False)

    assert monitors.sent == [(RAISED, Kind.BREAKER, "one")]


async def test_two_incidents_at_once_are_two_alerts(rig: Rig, monitors: Monitors) -> None:
    await monitors.fails("one")
    await monitors.fails("two")
    others = rig.fetch(rig.source("two", posts(1)), dataset=OTHERS, cadence=Cadence())

    async with monitors.watching(fetching(rig, Cadence()), others):
        await monitors.passes()

    assert monitors.sent == [(RAISED, Kind.BREAKER, "one"), (RAISED, Kind.BREAKER, "two")]


async def test_a_dataset_never_fetched_is_stale_once_its_time_has_passed(
    rig: Rig, monitors: Monitors
) -> None:
    fetch = fetching(rig)
    async with monitors.watching(fetch):
        await monitors.passes(PERIOD)
    async with monitors.watching(fetch):
        await monitors.passes(PERIOD)
        early = monitors.sent
        await monitors.passes(PERIOD * 3)

    assert (early, monitors.sent) == ([], [(RAISED, Kind.STALE, "posts")])


async def test_data_that_became_stale_meanwhile_can_be_fetched_before_the_first_check(
    rig: Rig, monitors: Monitors
) -> None:
    fetch = fetching(rig)
    await fetch()
    rig.clock.advance(PERIOD * 10)
    async with monitors.watching(fetch):
        await fetch()
        await monitors.passes(PERIOD)

    assert monitors.sent == []


async def test_a_dataset_whose_sources_are_off_is_not_watched(rig: Rig, monitors: Monitors) -> None:
    async with monitors.watching(rig.fetch(cadence=REGULAR)):
        await monitors.passes(PERIOD * 10)

    assert monitors.sent == []


async def test_a_source_that_is_switched_off_has_recovered(rig: Rig, monitors: Monitors) -> None:
    await monitors.fails()
    async with monitors.watching(fetching(rig, Cadence())):
        await monitors.passes()

    async with monitors.watching():
        await monitors.passes(CHECK_S * 5)

    assert monitors.sent == [(RAISED, Kind.BREAKER, "one"), (RECOVERED, Kind.BREAKER, "one")]
    assert "switched off" in monitors.operator.sent[-1].detail


# ---------------------------------------------------------------- many monitors, and restarts


@pytest.mark.parametrize("takes_s", [0.0, 5.0])
async def test_many_monitors_send_one_alert(rig: Rig, monitors: Monitors, takes_s: float) -> None:
    monitors.operator.takes_s = takes_s
    fetch = fetching(rig, Cadence())
    async with monitors.watching(fetch, monitors=5):
        await monitors.fails()
        await monitors.passes(CHECK_S * 5)
        await monitors.answers()
        await monitors.passes(CHECK_S * 5)

    assert monitors.sent == [(RAISED, Kind.BREAKER, "one"), (RECOVERED, Kind.BREAKER, "one")]
    assert monitors.operator.tries == 2


async def test_an_alert_is_not_repeated_after_a_restart(rig: Rig, monitors: Monitors) -> None:
    await monitors.fails()
    fetch = fetching(rig, Cadence())
    for _ in range(3):
        async with monitors.watching(fetch):
            await monitors.passes(CHECK_S * 3)

    assert monitors.sent == [(RAISED, Kind.BREAKER, "one")]


async def test_a_recovery_during_a_restart_is_reported(rig: Rig, monitors: Monitors) -> None:
    await monitors.fails()
    fetch = fetching(rig, Cadence())
    async with monitors.watching(fetch):
        await monitors.passes()
    await monitors.answers()

    async with monitors.watching(fetch):
        await monitors.passes()

    assert monitors.sent == [(RAISED, Kind.BREAKER, "one"), (RECOVERED, Kind.BREAKER, "one")]


async def test_an_alert_claimed_by_a_dead_monitor_is_sent_by_another_later(
    rig: Rig, monitors: Monitors
) -> None:
    await monitors.fails()
    fetch = fetching(rig, Cadence())
    async with monitors.watching(fetch):
        await monitors.passes()
    monitors.operator.sent.clear()
    for key, state in rig.database.alarms.items():
        if state.raised:  # it was killed before it recorded the result
            rig.database.alarms[key] = state.released(delivered=False).claimed(rig.clock.now())

    async with monitors.watching(fetch):
        await monitors.passes(CLAIM_TIMEOUT - timedelta(seconds=1))
        early = monitors.sent
        await monitors.passes(CHECK_S)

    assert (early, monitors.sent) == ([], [(RAISED, Kind.BREAKER, "one")])


async def test_a_stopping_monitor_completes_the_alert_it_is_sending(
    rig: Rig, monitors: Monitors
) -> None:
    monitors.operator.takes_s = 5.0
    await monitors.fails()
    fetch = fetching(rig, Cadence())
    watcher = asyncio.create_task(_monitor(monitors, [fetch])())
    await monitors.passes()

    watcher.cancel()
    await rig.clock.elapse(5)
    await asyncio.wait([watcher])
    async with monitors.watching(fetch):
        await monitors.passes(CLAIM_TIMEOUT * 2)

    assert watcher.cancelled()
    assert monitors.sent == [(RAISED, Kind.BREAKER, "one")]
    assert monitors.operator.tries == 1


async def test_a_monitor_cancelled_twice_stops(rig: Rig, monitors: Monitors) -> None:
    monitors.operator.takes_s = 5.0
    await monitors.fails()
    watcher = asyncio.create_task(_monitor(monitors, [fetching(rig, Cadence())])())
    await monitors.passes()

    for _ in range(2):
        watcher.cancel()
        await rig.clock.settle()

    assert watcher.cancelled()
    assert monitors.sent == []


def _monitor(monitors: Monitors, fetches: Sequence[Fetch[Any]]) -> AlertMonitor:
    return AlertMonitor(
        monitors.rig.registry(*fetches),
        monitors.budget,
        monitors.alerts,
        monitors.operator,
        monitors.rig.clock,
        monitors.rig.events,
    )


# ---------------------------------------------------------------- failures


async def test_a_failed_alert_is_sent_again_at_the_next_check(rig: Rig, monitors: Monitors) -> None:
    monitors.operator.failure = AWAY
    await monitors.fails()
    async with monitors.watching(fetching(rig, Cadence())):
        await monitors.passes(CHECK_S * 3)
        tries = monitors.operator.tries
        monitors.operator.failure = None
        await monitors.passes()

    assert tries == 3
    assert monitors.sent == [(RAISED, Kind.BREAKER, "one")]
    assert [type(event) for event in rig.events.published] == [AlertFailed] * 3 + [AlertSent]
    assert [failed.error for failed in rig.events.of(AlertFailed)] == [AWAY] * 3


async def test_an_incident_that_ended_before_its_alert_is_reported_with_its_end(
    rig: Rig, monitors: Monitors
) -> None:
    monitors.operator.failure = AWAY
    await monitors.fails()
    async with monitors.watching(fetching(rig, Cadence())):
        await monitors.passes()
        await monitors.answers()
        await monitors.passes()
        monitors.operator.failure = None
        await monitors.passes(CHECK_S * 3)

    assert monitors.sent == [(RAISED, Kind.BREAKER, "one"), (RECOVERED, Kind.BREAKER, "one")]


async def test_an_unavailable_store_is_logged_once_and_does_not_end_the_monitor(
    rig: Rig, monitors: Monitors
) -> None:
    fetch = fetching(rig, Cadence())
    async with monitors.watching(fetch):
        monitors.alerts.is_away = True
        await monitors.fails()
        await monitors.passes(CHECK_S * 5)
        early = list(rig.events.published)
        monitors.alerts.is_away = False
        await monitors.passes()

    assert [type(event) for event in early] == [WatchFailed]
    assert isinstance(rig.events.of(WatchFailed)[0].error, StoreUnavailable)
    assert monitors.sent == [(RAISED, Kind.BREAKER, "one")]
