"""Alerts: the loop that sends the operator one alert for each start and end of an incident."""

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

#: The time between two checks, after which failed alerts are sent again.
CHECK_S = 10.0

_RECOVERED = {
    Kind.STALE: "it has been fetched again",
    Kind.BREAKER: "it answers again",
}
_UNWATCHED = "it is not watched any more: its source was switched off"


class AlertMonitor:
    """A loop that checks every dataset and source; several may run at the same time."""

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
        self._is_failing = False

    async def __call__(self) -> None:
        """Run until cancelled; an alert that is being sent is completed."""
        while True:
            # Also before the first check: data that became stale meanwhile is fetched at the start.
            await self._clock.sleep(CHECK_S)
            await self._check()

    async def _check(self) -> None:
        try:
            # Read first: a state that another process changes after this is not overwritten.
            now, states = await self._alerts.current()
            generation = self._registry.current
            known = {state.key: state for state in states}
            for watched in _watched(generation, now):
                seen = known.pop(watched.key, None)
                state = (seen or watched).bounded(now)
                incident = await self._incident(generation, state, now)
                await self._update(seen, state.seen(incident, _RECOVERED[state.kind]), now)
            for state in known.values():
                await self._update(state, state.seen(None, _UNWATCHED), now)
            self._is_failing = False
        except Exception as error:  # no error ends the monitor
            if not self._is_failing:
                self._events.publish(WatchFailed(error=error))
            self._is_failing = True

    async def _incident(
        self, generation: Generation, state: AlertState, now: datetime
    ) -> Incident | None:
        registered = generation.catalogue[state.dataset]
        if state.kind is Kind.BREAKER:
            host = registered.fetch.hosts[state.source]
            return open_breaker(await self._budget.state(host), now)
        freshness = await registered.query.for_role(Role.ADMIN).freshness()
        return staleness(registered.fetch.cadence, freshness, state.watched_since, now)

    async def _update(self, seen: AlertState | None, following: AlertState, now: datetime) -> None:
        """Store the new state and, if it has an alert that no other process claimed, send that."""
        waiting = following.is_waiting(now)
        if waiting:
            following = following.claimed(now)
        if following != seen and await self._alerts.move(seen, following) and waiting:
            await self._send_shielded(following)

    async def _send_shielded(self, claimed: AlertState) -> None:
        sending = asyncio.create_task(self._send(claimed))
        try:
            await asyncio.shield(sending)
        except asyncio.CancelledError:
            # A cancelled request might arrive all the same, and would be sent a second time.
            await asyncio.wait([sending])
            sending.exception()  # retrieved, so that asyncio does not log it as never retrieved
            raise
        finally:
            sending.cancel()

    async def _send(self, claimed: AlertState) -> None:
        alert = claimed.alert(self._clock.now())
        event: AlertSent | AlertFailed = AlertSent(alert=alert)
        try:
            await self._notifier.notify(alert)
        except Exception as error:  # the other alerts are still sent
            event = AlertFailed(alert=alert, error=error)
        self._events.publish(event)
        await self._alerts.move(claimed, claimed.released(delivered=isinstance(event, AlertSent)))


def _watched(generation: Generation, now: datetime) -> Iterator[AlertState]:
    """Yield the initial state of every subject to watch."""
    for name, fetch in generation.fetches.items():
        if fetch.sources:
            yield AlertState.quiet(Kind.STALE, name, name, now)
        for source, host in fetch.hosts.items():
            yield AlertState.quiet(Kind.BREAKER, name, host, now, source)
