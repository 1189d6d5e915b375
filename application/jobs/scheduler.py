"""Schedules: fetching by itself, so that what is served stays current."""

from datetime import datetime
from typing import Any

from application.datasets.registry import Generation, Registry
from application.ingest.fetch import Fetch
from application.ingest.job_backend import JobBackend
from application.ports.system import Clock, Random
from domain.dataset import Role
from domain.errors import CatchmentError, StoreError
from domain.events import ScheduleFailed
from domain.jobs import FetchJob, Mode
from domain.schedules import Schedule

#: The schedules are looked at no less often than this: others may change them.
LOOK_S = 1.0
_SHORTEST_S = 0.01


class Scheduler:
    """Fires every schedule when it is due, until cancelled; any number of these may run.

    `on_start` has each dataset fetched at the start, or when it is registered, unless it is fresh.
    """

    def __init__(
        self,
        registry: Registry,
        job_backend: JobBackend,
        clock: Clock,
        random: Random,
        on_start: bool = True,
    ) -> None:
        self._registry = registry
        self._declared: Generation | None = None
        self._job_backend = job_backend
        self._clock = clock
        self._random = random
        self._on_start = on_start
        self._away = False

    async def __call__(self) -> None:
        """Run until cancelled."""
        while True:
            await self._follow_registry()
            await self._clock.sleep(await self._look())

    async def _follow_registry(self) -> None:
        """Declare the schedules of a new generation, and begin what is new in it."""
        while self._declared is not (generation := self._registry.current):
            fetches = [each.fetch for each in generation.values() if each.fetch.sources]
            periods = {fetch.dataset.name: fetch.cadence.every for fetch in fetches}
            try:
                await self._job_backend.schedules.declare(
                    {name: every for name, every in periods.items() if every is not None}
                )
            except StoreError:
                await self._clock.sleep(LOOK_S)
                continue
            before, self._declared = self._declared, generation
            for fetch in fetches if self._on_start else ():
                known = None if before is None else before.get(fetch.dataset.name)
                if known is None or known.fetch is not fetch:
                    await self._begin(fetch)

    async def _begin(self, fetch: Fetch[Any]) -> None:
        try:
            await fetch.start(Role.ADMIN, mode=Mode.SCHEDULE)
        except CatchmentError as error:  # the others are begun all the same
            failed = ScheduleFailed(dataset=fetch.dataset.name, error=error)
            self._job_backend.events.publish(failed)

    async def _look(self) -> float:
        """Fire what is due; how long to wait until the next look (seconds)."""
        try:
            now, standing = await self._job_backend.schedules.current()
            following = [await self._passed(schedule, now) for schedule in standing]
            self._away = False
        except Exception as error:  # whatever it is, the scheduler outlives it
            if not self._away:
                self._job_backend.events.publish(ScheduleFailed(error=error))
            self._away = True
            return LOOK_S
        waits = [(schedule.next_run_at - now).total_seconds() for schedule in following]
        return max(_SHORTEST_S, min([LOOK_S, *waits]))

    async def _passed(self, schedule: Schedule, now: datetime) -> Schedule:
        """Fire a schedule if it is due; what it is afterwards, whoever was faster."""
        if not schedule.is_due(now):
            return schedule
        job = FetchJob(
            id=self._random.identifier(),
            dataset=schedule.dataset,
            mode=Mode.SCHEDULE,
            queued_at=self._clock.now(),
        )
        following = schedule.fired(now, self._random.fraction())
        fired = await self._job_backend.schedules.fire(schedule, following, job)
        if fired is not None and fired.id == job.id:
            await self._job_backend.announce(job.id)
        elif fired is not None and not fired.mode.asks:
            # What is in the way fetches nothing: the tick is kept until it is out of the way.
            await self._job_backend.schedules.move(following, schedule)
        return following
