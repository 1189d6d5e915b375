"""Alerts: watch what may go wrong, and send the operator one alert for each beginning and end."""

import asyncio
from collections.abc import Iterator
from datetime import datetime

from application.datasets.registry import Generation, Registry
from application.ports.operations import Alerts, Events, Notifier
from application.ports.politeness import Budget
from application.ports.system import Clock
from domain.alerts import AlertState, Incident, Kind, open_breaker, staleness
from domain.dataset import Role
from domain.events import AlertFailed, AlertSent, WatchFailed

#: How often is looked; what could not be sent is tried again then.
LOOK_S = 10.0

_WELL = {
    Kind.STALE: "it has been fetched again",
    Kind.BREAKER: "it answers again",
}
_UNWATCHED = "it is not watched any more: its source was switched off"


class AlertMonitor:
    """Looks at every dataset and source until cancelled; any number of these may run."""

    def __init__(
        self,
        registry: Registry,
        budget: Budget,
        alerts: Alerts,
        notifier: Notifier,
        clock: Clock,
        events: Events,
    ) -> None:
        self._registry = registry
        self._budget = budget
        self._alerts = alerts
        self._notifier = notifier
        self._clock = clock
        self._events = events
        self._away = False

    async def __call__(self) -> None:
        """Watch until cancelled; an alert that is being sent is sent to its end."""
        while True:
            # Before the first look, too: what turned old while nothing ran is fetched at the start.
            await self._clock.sleep(LOOK_S)
            await self._look()

    async def _look(self) -> None:
        try:
            # First, so that whoever looks later than another changes nothing of what that one saw.
            now, standing = await self._alerts.current()
            generation = self._registry.current
            known = {alarm.key: alarm for alarm in standing}
            for watched in _watched(generation, now):
                seen = known.pop(watched.key, None)
                alarm = seen or watched
                trouble = await self._trouble(generation, alarm, now)
                await self._pass(seen, alarm.seen(trouble, _WELL[alarm.kind]), now)
            for alarm in known.values():
                await self._pass(alarm, alarm.seen(None, _UNWATCHED), now)
            self._away = False
        except Exception as error:  # whatever it is, the watch outlives it
            if not self._away:
                self._events.publish(WatchFailed(error=error))
            self._away = True

    async def _trouble(
        self, generation: Generation, alarm: AlertState, now: datetime
    ) -> Incident | None:
        registered = generation.catalogue[alarm.dataset]
        if alarm.kind is Kind.BREAKER:
            host = registered.fetch.hosts[alarm.source]
            return open_breaker(await self._budget.state(host), now)
        freshness = await registered.query.for_role(Role.ADMIN).freshness()
        return staleness(registered.fetch.cadence, freshness, alarm.watched_since, now)

    async def _pass(self, seen: AlertState | None, following: AlertState, now: datetime) -> None:
        """Save what was seen and, if an alert waits and no other process was faster, send it."""
        waiting = following.is_waiting(now)
        if waiting:
            following = following.claimed(now)
        if following != seen and await self._alerts.move(seen, following) and waiting:
            await self._to_its_end(following)

    async def _to_its_end(self, taken: AlertState) -> None:
        sending = asyncio.create_task(self._send(taken))
        try:
            await asyncio.shield(sending)
        except asyncio.CancelledError:
            # Broken off, it might have arrived all the same, and would be sent a second time.
            await asyncio.wait([sending])
            sending.exception()  # retrieved, so that asyncio does not log it as never retrieved
            raise
        finally:
            sending.cancel()

    async def _send(self, taken: AlertState) -> None:
        alert = taken.alert(self._clock.now())
        event: AlertSent | AlertFailed = AlertSent(alert=alert)
        try:
            await self._notifier.notify(alert)
        except Exception as error:  # the others are sent all the same
            event = AlertFailed(alert=alert, error=error)
        self._events.publish(event)
        await self._alerts.move(taken, taken.released(delivered=isinstance(event, AlertSent)))


def _watched(generation: Generation, now: datetime) -> Iterator[AlertState]:
    """Yield all there is to watch, each as it is when nothing was ever seen of it."""
    for name, fetch in generation.fetches.items():
        if fetch.sources:
            yield AlertState.quiet(Kind.STALE, name, name, now)
        for source, host in fetch.hosts.items():
            yield AlertState.quiet(Kind.BREAKER, name, host, now, source)
