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
    """Keeps what it knows of hosts in a memory database; `default` is the rate of the unnamed."""

    def __init__(
        self, database: MemoryDatabase, clock: Clock, rates: Mapping[str, Rate], default: Rate
    ) -> None:
        self._hosts = database.hosts
        self._clock = clock
        self._rates = rates
        self._default = default

    async def spend(self, host: str, retry: bool = False) -> tuple[Admission, datetime]:
        """Ask to send one request: GO spends a token; otherwise the time to ask again."""
        rate = self._rates.get(host, self._default)
        known = await self.state(host)
        self._hosts[host], verdict, at_s = known.spend(rate, self._now_s, retry)
        return verdict, _moment(at_s)

    async def record_outcome(self, host: str, ok: bool) -> None:
        """Tell how a request that was let go ended."""
        self._hosts[host] = (await self.state(host)).record_outcome(ok, self._now_s)

    async def block(self, host: str, until: datetime) -> None:
        """Leave the host alone until then, because it said so."""
        self._hosts[host] = (await self.state(host)).block(until.timestamp(), self._now_s)

    async def state(self, host: str) -> Host:
        """What is remembered about the host."""
        return self._hosts.get(host, Host())

    @property
    def _now_s(self) -> float:
        return self._clock.now().timestamp()


def _moment(seconds: float) -> datetime:
    # Rounded up: whoever asks again at this moment must not be a fraction too early.
    return _EPOCH + timedelta(microseconds=math.ceil(seconds * 1e6))
