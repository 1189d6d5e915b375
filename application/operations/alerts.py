"""Alerts: watching what may go wrong, and telling the operator once of each beginning and end."""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import Any

from application.ingest.fetch import Fetch
from application.ports.datasets import Store
from application.ports.operations import Alerts, Notifier
from application.ports.politeness import Budget
from application.ports.system import Clock
from domain.alerts import Alert, AlertState, Incident, Kind, open_breaker, staleness

#: How often is looked; what could not be told is tried again then.
LOOK_S = 10.0

#: Hears of every alert that was told and, with the reason, of every one that could not be; of a
#: look that failed there is no alert.
Told = Callable[[Alert | None, Exception | None], None]

_WELL = {
    Kind.STALE: "it has been fetched again",
    Kind.BREAKER: "it answers again",
}
_UNWATCHED = "it is not watched any more: its source was switched off"


class AlertMonitor:
    """Looks at every dataset and source until cancelled; any number of these may run."""

    def __init__(
        self,
        fetches: Iterable[Fetch[Any]],
        store: Store,
        budget: Budget,
        alerts: Alerts,
        notifier: Notifier,
        clock: Clock,
        told: Told,
    ) -> None:
        self._fetches = {fetch.dataset.name: fetch for fetch in fetches if fetch.sources}
        self._store = store
        self._budget = budget
        self._alerts = alerts
        self._notifier = notifier
        self._clock = clock
        self._told = told
        self._away = False

    async def __call__(self) -> None:
        """Watch until cancelled; what is just being told is told to its end."""
        while True:
            # Before the first look, too: what turned old while nothing ran is fetched at the start.
            await self._clock.sleep(LOOK_S)
            await self._look()

    async def _look(self) -> None:
        try:
            # First, so that whoever looks later than another changes nothing of what that one saw.
            now, standing = await self._alerts.current()
            known = {alarm.key: alarm for alarm in standing}
            for watched in self._watched(now):
                seen = known.pop(watched.key, None)
                alarm = seen or watched
                trouble = await self._trouble(alarm, now)
                await self._pass(seen, alarm.seen(trouble, _WELL[alarm.kind]), now)
            for alarm in known.values():
                await self._pass(alarm, alarm.seen(None, _UNWATCHED), now)
            self._away = False
        except Exception as error:  # whatever it is, the watch outlives it
            if not self._away:
                self._told(None, error)
            self._away = True

    def _watched(self, now: datetime) -> Iterator[AlertState]:
        """All there is to watch, each as it is when nothing was ever seen of it."""
        for name, fetch in self._fetches.items():
            yield AlertState.quiet(Kind.STALE, name, name, now)
            for source, host in fetch.run.hosts.items():
                yield AlertState.quiet(Kind.BREAKER, name, host, now, source)

    async def _trouble(self, alarm: AlertState, now: datetime) -> Incident | None:
        fetch = self._fetches[alarm.dataset]
        if alarm.kind is Kind.BREAKER:
            return open_breaker(await self._budget.state(fetch.run.hosts[alarm.source]), now)
        freshness = await self._store.freshness(fetch.dataset)
        return staleness(fetch.cadence, freshness, alarm.watched_since, now)

    async def _pass(self, seen: AlertState | None, following: AlertState, now: datetime) -> None:
        """Write down what was seen and, if it waits to be told and nobody was faster, tell it."""
        waiting = following.is_waiting(now)
        if waiting:
            following = following.claimed(now)
        if following != seen and await self._alerts.move(seen, following) and waiting:
            await self._to_its_end(following)

    async def _to_its_end(self, taken: AlertState) -> None:
        telling = asyncio.create_task(self._tell(taken))
        try:
            await asyncio.shield(telling)
        except asyncio.CancelledError:
            # Broken off, it might have arrived all the same, and would be told a second time.
            await asyncio.wait([telling])
            telling.exception()  # nobody is left to hear of it
            raise
        finally:
            telling.cancel()

    async def _tell(self, taken: AlertState) -> None:
        alert, failure = taken.alert(self._clock.now()), None
        try:
            await self._notifier.notify(alert)
        except Exception as error:  # the others are told all the same
            failure = error
        self._told(alert, failure)
        await self._alerts.move(taken, taken.released(told=failure is None))
