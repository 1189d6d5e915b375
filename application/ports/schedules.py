"""Where schedules are kept: one a dataset, whoever looks after them."""

from abc import abstractmethod
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Protocol

from domain.jobs import FetchJob
from domain.schedules import Schedule


class Schedules(Protocol):
    """Keeps schedules, and lets each tick be fired once, however many schedulers there are."""

    @abstractmethod
    async def declare(self, periods: Mapping[str, timedelta]) -> None:
        """Keep exactly the schedules of these datasets; one that is there already goes on."""

    @abstractmethod
    async def standing(self) -> tuple[datetime, list[Schedule]]:
        """The present moment by the store's clock, and every schedule."""

    @abstractmethod
    async def fire(self, seen: Schedule, following: Schedule, job: FetchJob) -> FetchJob | None:
        """Move a schedule on and write its job down, both or neither.

        The dataset's unfinished job is returned where there is one. None when the schedule is no
        longer as it was seen: somebody else was faster.
        """

    @abstractmethod
    async def move(self, seen: Schedule, following: Schedule) -> bool:
        """Move a schedule without running; False when it is no longer as it was seen."""
