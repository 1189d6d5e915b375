"""Schedules: fetching by itself, so that what is served stays current."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

from application.fetch import Fetch, Fetched
from application.ports.clock import Clock
from application.ports.store import Store
from domain.dataset import Role
from domain.errors import CatchmentError, StoreError
from domain.reports import Outcome

#: After a failure, or when nothing was due yet, the next try comes no sooner than this, and no
#: later than the period.
_AFTER_FAILURE = timedelta(seconds=30)


class KeepCurrent:
    """Fetches every dataset that has a period, each when it is next due, until cancelled.

    `on_start` fetches each dataset once at the start; `told` hears of every end.
    """

    def __init__(
        self,
        fetches: Sequence[Fetch[Any]],
        store: Store,
        clock: Clock,
        told: Callable[[str, Fetched | CatchmentError], None],
        on_start: bool = True,
    ) -> None:
        self._fetches = fetches
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
        every = fetch.cadence.every
        if self._on_start:
            await self._once(fetch)
        while every is not None:
            await self._until_due(fetch)
            if not await self._once(fetch):
                await self._clock.sleep(min(every, _AFTER_FAILURE).total_seconds())

    async def _until_due(self, fetch: Fetch[Any]) -> None:
        try:
            freshness = await self._store.freshness(fetch.dataset)
        except StoreError:
            return  # the fetch meets the same store, and how it ends is told
        next_at = fetch.cadence.next_fetch_at(freshness) or self._clock.now()
        await self._clock.sleep(max(0.0, (next_at - self._clock.now()).total_seconds()))

    async def _once(self, fetch: Fetch[Any]) -> bool:
        try:
            fetched = await fetch(Role.ADMIN)
        except CatchmentError as error:
            self._told(fetch.dataset.name, error)
            return False
        self._told(fetch.dataset.name, fetched)
        # Nothing was due yet when all is fresh, as after a failure: trying at once would spin.
        return fetched.outcome not in (Outcome.FAILED, Outcome.FRESH)
