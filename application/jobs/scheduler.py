"""The scheduler: starts the scheduled fetches of all datasets."""

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

#: The longest time between two checks: other processes may change the schedules.
CHECK_S = 1.0
_SHORTEST_S = 0.01


class Scheduler:
    """A loop that fires every schedule when it is due; several may run at the same time.

    With `on_start`, each dataset that is not fresh is also fetched at the start, or when it is
    registered.
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
        self._is_failing = False

    async def __call__(self) -> None:
        """Run until cancelled."""
        while True:
            await self._follow_registry()
            await self._clock.sleep(await self._check())

    async def _follow_registry(self) -> None:
        """Declare the schedules of a new generation, and fetch its new datasets."""
        while self._declared is not (generation := self._registry.current):
            fetches = [each.fetch for each in generation.values() if each.fetch.sources]
            periods = {fetch.dataset.name: fetch.cadence.every for fetch in fetches}
            try:
                await self._job_backend.schedules.declare(
                    {name: every for name, every in periods.items() if every is not None}
                )
            except StoreError:
                await self._clock.sleep(CHECK_S)
                continue
            before, self._declared = self._declared, generation
            for fetch in fetches if self._on_start else ():
                known = None if before is None else before.get(fetch.dataset.name)
                if known is None or known.fetch is not fetch:
                    await self._fetch_now(fetch)

    async def _fetch_now(self, fetch: Fetch[Any]) -> None:
        try:
            await fetch.start(Role.ADMIN, mode=Mode.SCHEDULE)
        except CatchmentError as error:  # the other datasets are still fetched
            failed = ScheduleFailed(dataset=fetch.dataset.name, error=error)
            self._job_backend.events.publish(failed)

    async def _check(self) -> float:
        """Fire the due schedules; return the seconds to wait until the next check."""
        try:
            now, schedules = await self._job_backend.schedules.current()
            following = [await self._fire_if_due(schedule, now) for schedule in schedules]
            self._is_failing = False
        except Exception as error:  # no error ends the scheduler
            if not self._is_failing:
                self._job_backend.events.publish(ScheduleFailed(error=error))
            self._is_failing = True
            return CHECK_S
        waits = [(schedule.next_run_at - now).total_seconds() for schedule in following]
        return max(_SHORTEST_S, min([CHECK_S, *waits]))

    async def _fire_if_due(self, stored: Schedule, now: datetime) -> Schedule:
        """Fire a schedule if it is due; return the following schedule, even if another fired it."""
        schedule = stored.bounded(now)
        if schedule != stored and not await self._job_backend.schedules.move(stored, schedule):
            return schedule
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
            # The dataset's unfinished job is no fetch: the tick is repeated once it has ended.
            await self._job_backend.schedules.move(following, schedule)
        return following
