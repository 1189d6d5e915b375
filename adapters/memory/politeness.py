"""Politeness budgets in memory."""

import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from adapters.memory.database import MemoryDatabase
from application.ports.politeness import Budget
from application.ports.system import Clock
from domain.politeness import Admission, Host, Rate

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class MemoryBudget(Budget):
    """Budgets of hosts in a memory database; `default` is the rate of hosts without their own."""

    def __init__(
        self, database: MemoryDatabase, clock: Clock, rates: Mapping[str, Rate], default: Rate
    ) -> None:
        self._hosts = database.hosts
        self._clock = clock
        self._rates = rates
        self._default = default

    async def spend(self, host: str, retry: bool = False) -> tuple[Admission, datetime]:
        """Spend the permission for one request; return the decision, and when to ask again."""
        known = await self.state(host)
        self._hosts[host], admission, at_s = known.spend(self._rate(host), self._now_s, retry)
        return admission, _time_of(at_s)

    async def record_outcome(self, host: str, ok: bool) -> None:
        """Record the result of an admitted request."""
        self._hosts[host] = (await self.state(host)).record_outcome(ok, self._now_s)

    async def block(self, host: str, until: datetime) -> None:
        """Block requests to the host until then, as it demanded."""
        self._hosts[host] = (await self.state(host)).block(until.timestamp(), self._now_s)

    async def left(self, host: str) -> int:
        """Return how many requests would be admitted now."""
        return (await self.state(host)).left(self._rate(host), self._now_s)

    async def state(self, host: str) -> Host:
        """Return the state of the host."""
        return self._hosts.get(host, Host()).at(self._now_s)

    def _rate(self, host: str) -> Rate:
        return self._rates.get(host, self._default)

    @property
    def _now_s(self) -> float:
        return self._clock.now().timestamp()


def _time_of(seconds: float) -> datetime:
    # Rounded up, so that a request at this time is not a fraction too early.
    return _EPOCH + timedelta(microseconds=math.ceil(seconds * 1e6))
