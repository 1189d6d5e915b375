"""The budget over SQL: one row a host, so that it is shared by all replicas and outlives them.

A state is read with the database's own time, moved by the domain, and written back by one
statement that fails when anybody else has moved it meanwhile. No lock is held between the two: a
process stopped there keeps nobody waiting.
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

#: Each try that fails means that somebody else's succeeded.
_TRIES = 100

_FIELDS = (*Host.__struct_fields__, "version")
_ALWAYS = select(now().label("now")).subquery()
#: One row in any case: the time, and beside it what is remembered, if anything is.
_GET = select(_ALWAYS.c.now, *(hosts.c[name] for name in _FIELDS)).select_from(
    _ALWAYS.outerjoin(hosts, hosts.c.host == bindparam("named"))
)
_PUT = replacing(hosts, where=hosts.c.version == bindparam("seen"))


class SqlBudget(Budget):
    """Keeps the politeness budget of every host in a SQL database."""

    def __init__(
        self, database: Database, clock: Clock, rates: Mapping[str, Rate], default: Rate
    ) -> None:
        self._database = database
        self._clock = clock
        self._rates = rates
        self._default = default

    async def spend(self, host: str, retry: bool = False) -> tuple[Admission, datetime]:
        """Ask to send one request."""
        rate = self._rates.get(host, self._default)

        def spent(state: Host, now_s: float) -> tuple[Host, tuple[Admission, float]]:
            moved, verdict, ask_again_s = state.spend(rate, now_s, retry)
            return moved, (verdict, ask_again_s - now_s)

        verdict, wait_s = await self._move(host, spent)
        return verdict, self._in(wait_s)

    async def record_outcome(self, host: str, ok: bool) -> None:
        """Tell how a request ended."""
        await self._move(host, lambda state, now_s: (state.record_outcome(ok, now_s), None))

    async def block(self, host: str, until: datetime) -> None:
        """Leave the host alone until then."""
        wait_s = (until - self._clock.now()).total_seconds()
        await self._move(host, lambda state, now_s: (state.block(now_s + wait_s, now_s), None))

    async def state(self, host: str) -> Host:
        """What is remembered about the host."""
        return (await self._look(host))[0]

    def _in(self, wait_s: float) -> datetime:
        # The database's clock and ours may differ, but they run equally fast. Rounded up to what
        # a clock can show: asking at that very moment must not be too early.
        return self._clock.now() + timedelta(microseconds=math.ceil(wait_s * 1_000_000))

    async def _look(self, host: str) -> tuple[Host, int, float]:
        named = {"named": host, "now": self._database.now(self._clock)}
        [[[now, *state, version]]] = await self._database.snapshot([(_GET, named)])
        if version is None:
            return Host(), 0, now / 1_000_000
        stored = dict(zip(Host.__struct_fields__, state, strict=True))
        known = Host(**{**stored, "outcomes": Outcomes(stored["outcomes"])})
        return known, version, now / 1_000_000

    async def _move(self, host: str, move: Callable[[Host, float], tuple[Host, T]]) -> T:
        for _ in range(_TRIES):
            state, version, now_s = await self._look(host)
            moved, result = move(state, now_s)
            if moved == state or await self._put(host, moved, version, _matters(state, moved)):
                return result
        raise StoreUnavailable(f"too many processes ask {host} at once; try again")

    async def _put(self, host: str, moved: Host, seen: int, durable: bool) -> bool:
        named = {**msgspec.structs.asdict(moved), "host": host, "version": seen + 1, "seen": seen}
        async with self._database.write(durable) as session:
            return bool(await session.run(_PUT, named))


def _matters(state: Host, moved: Host) -> bool:
    """Whether a change must outlive a crash of the database: a promise to leave a host alone.

    The last few requests may be forgotten then, which is not worth a wait for the disk each.
    """
    return (state.blocked_until_s, state.open_for_s) != (moved.blocked_until_s, moved.open_for_s)
