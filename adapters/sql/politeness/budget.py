"""The budget over SQL: one row a host, shared by all processes.

A host's state is read with the database's time, changed by the domain, and written back by one
statement that fails if another process has changed it meanwhile (optimistic locking). No lock is
held in between, so that a process stopped there blocks none.
"""

import math
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import TypeVar

import msgspec
from sqlalchemy import bindparam, select

from adapters.sql.engine.database import Database
from adapters.sql.engine.dialects import now, replacing
from adapters.sql.schema.tables import hosts
from application.ports.politeness import Budget
from application.ports.system import Clock
from domain.errors import StoreUnavailable
from domain.politeness import Admission, Host, Outcomes, Rate

T = TypeVar("T")

#: Each failed try means that another process succeeded.
_TRIES = 100

_FIELDS = (*Host.__struct_fields__, "version")
_NOW = select(now().label("now")).subquery()
#: Always one row: the time, and the state of the host if there is one.
_GET = select(_NOW.c.now, *(hosts.c[name] for name in _FIELDS)).select_from(
    _NOW.outerjoin(hosts, hosts.c.host == bindparam("named"))
)
_PUT = replacing(hosts, where=hosts.c.version == bindparam("seen"))


class SqlBudget(Budget):
    """The politeness budget of every host in a SQL database."""

    def __init__(
        self, database: Database, clock: Clock, rates: Mapping[str, Rate], default: Rate
    ) -> None:
        self._database = database
        self._clock = clock
        self._rates = rates
        self._default = default

    async def spend(self, host: str, retry: bool = False) -> tuple[Admission, datetime]:
        """Request permission for one request, and return the verdict and when to ask again."""
        rate = self._rate(host)

        def spent(state: Host, now_s: float) -> tuple[Host, tuple[Admission, float]]:
            changed, verdict, ask_again_s = state.spend(rate, now_s, retry)
            return changed, (verdict, ask_again_s - now_s)

        verdict, wait_s = await self._change(host, spent)
        return verdict, self._in(wait_s)

    async def record_outcome(self, host: str, ok: bool) -> None:
        """Record whether a request succeeded."""
        await self._change(host, lambda state, now_s: (state.record_outcome(ok, now_s), None))

    async def block(self, host: str, until: datetime) -> None:
        """Send the host no request until then."""
        wait_s = (until - self._clock.now()).total_seconds()
        await self._change(host, lambda state, now_s: (state.block(now_s + wait_s, now_s), None))

    async def left(self, host: str) -> int:
        """Return how many requests would be admitted now."""
        state, _, now_s = await self._read(host)
        return state.left(self._rate(host), now_s)

    async def state(self, host: str) -> Host:
        """Return the state of the host."""
        known, _, now_s = await self._read(host)
        return known.at(now_s)

    def _rate(self, host: str) -> Rate:
        return self._rates.get(host, self._default)

    def _in(self, wait_s: float) -> datetime:
        # The database's clock and ours may differ, but run equally fast. Rounded up to a whole
        # microsecond, because asking at exactly that time must not be too early.
        return self._clock.now() + timedelta(microseconds=math.ceil(wait_s * 1_000_000))

    async def _read(self, host: str) -> tuple[Host, int, float]:
        named = {"named": host, "now": self._database.now(self._clock)}
        [[[now, *state, version]]] = await self._database.snapshot([(_GET, named)])
        if version is None:
            return Host(), 0, now / 1_000_000
        stored = dict(zip(Host.__struct_fields__, state, strict=True))
        known = Host(**{**stored, "outcomes": Outcomes(stored["outcomes"])})
        return known, version, now / 1_000_000

    async def _change(self, host: str, change: Callable[[Host, float], tuple[Host, T]]) -> T:
        for _ in range(_TRIES):
            state, version, now_s = await self._read(host)
            changed, result = change(state, now_s)
            durable = _is_durable(state, changed)
            if changed == state or await self._put(host, changed, version, durable):
                return result
        raise StoreUnavailable(f"too many processes use the budget of {host} at once; try again")

    async def _put(self, host: str, changed: Host, seen: int, durable: bool) -> bool:
        named = {**msgspec.structs.asdict(changed), "host": host, "version": seen + 1, "seen": seen}
        async with self._database.write(durable) as session:
            return bool(await session.run(_PUT, named))


def _is_durable(state: Host, changed: Host) -> bool:
    """Return whether a change must survive a crash of the database: the pause of a host.

    The count of the last few requests need not, which saves a wait for the disk each.
    """
    before, after = state, changed
    return (before.blocked_until_s, before.open_for_s) != (after.blocked_until_s, after.open_for_s)
