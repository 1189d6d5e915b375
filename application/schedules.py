"""Schedules: fetching by itself, so that what is served stays current."""

import asyncio
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any

from application.fetch import Fetch, Fetched
from application.ports.clock import Clock
from application.ports.store import Store
from domain.dataset import Role
from domain.errors import StoreError
from domain.reports import Outcome

#: After a failure, or when nothing was due yet, the next try comes no sooner than this, or than
#: the period where that is shorter: trying at once would spin.
_PAUSE = timedelta(seconds=30)


class KeepCurrent:
    """Fetches every dataset that has a period, each when it is next due, until cancelled.

    `on_start` fetches each dataset once at the start; `told` hears of every end.
    """

    def __init__(
        self,
        fetches: Iterable[Fetch[Any]],
        store: Store,
        clock: Clock,
        told: Callable[[str, Fetched | Exception], None],
        on_start: bool = True,
    ) -> None:
        self._fetches = list(fetches)
        self._store = store
        self._clock = clock
        self._told = told
        self._on_start = on_start

    async def __call__(self) -> None:
        """Run until cancelled."""
        async with asyncio.TaskGroup() as group:
            for fetch in self._fetches:
                if fetch.sources:
                    group.create_task(self._keep(fetch))

    async def _keep(self, fetch: Fetch[Any]) -> None:
        last = await self._once(fetch) if self._on_start else None
        while fetch.cadence.every is not None:
            await self._clock.sleep(await self._wait_s(fetch, fetch.cadence.every, last))
            last = await self._once(fetch)

    async def _wait_s(self, fetch: Fetch[Any], every: timedelta, last: Outcome | None) -> float:
        pause_s = min(every, _PAUSE).total_seconds()
        if last is Outcome.FAILED:
            return pause_s
        try:
            freshness = await self._store.freshness(fetch.dataset)
        except StoreError:
            return pause_s  # the fetch meets the same store, and how it ends is told
        now = self._clock.now()
        next_at = fetch.cadence.next_fetch_at(freshness) or now + every
        least_s = pause_s if last is Outcome.FRESH else 0.0
        # Never longer than the period, though the clock may have been set back.
        return max(least_s, min(next_at - now, every).total_seconds())

    async def _once(self, fetch: Fetch[Any]) -> Outcome:
        try:
            fetched = await fetch(Role.ADMIN)
        except Exception as error:  # whatever befalls one dataset, the others are fetched on
            self._told(fetch.dataset.name, error)
            return Outcome.FAILED
        self._told(fetch.dataset.name, fetched)
        return fetched.outcome
