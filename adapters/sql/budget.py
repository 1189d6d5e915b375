"""The budget over SQL: one row a host, moved under the write lock, so it survives restarts."""

import math
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TypeVar

import msgspec
from sqlalchemy import bindparam, select
from sqlalchemy.dialects.postgresql import insert as upsert

from adapters.sql.database import Database, Row
from adapters.sql.tables import hosts
from application.ports.budget import Budget
from application.ports.clock import Clock
from domain.politeness import Host, Rate, Verdict

T = TypeVar("T")

_GET = select(*(hosts.c[name] for name in Host.__struct_fields__)).where(
    hosts.c.host == bindparam("named")
)
_PUT = upsert(hosts).on_conflict_do_update(
    index_elements=["host"],
    set_={name: upsert(hosts).excluded[name] for name in Host.__struct_fields__},
)


class SqlBudget(Budget):
    """Keeps the politeness budget of every host in a SQL database."""

    def __init__(
        self, database: Database, clock: Clock, rates: Mapping[str, Rate], default: Rate
    ) -> None:
        self._database = database
        self._clock = clock
        self._rates = rates
        self._default = default

    async def spend(self, host: str, retry: bool = False) -> tuple[Verdict, datetime]:
        """Ask to send one request."""
        rate = self._rates.get(host, self._default)

        def spent(state: Host) -> tuple[Host, tuple[Verdict, float]]:
            moved, verdict, ask_again_s = state.spend(rate, self._now_s(), retry)
            return moved, (verdict, ask_again_s)

        verdict, ask_again_s = await self._move(host, spent)
        return verdict, _moment(ask_again_s)

    async def settle(self, host: str, ok: bool) -> None:
        """Tell how a request ended."""
        await self._move(host, lambda state: (state.settle(ok, self._now_s()), None))

    async def block(self, host: str, until: datetime) -> None:
        """Leave the host alone until then."""
        until_s = until.timestamp()
        await self._move(host, lambda state: (state.block(until_s, self._now_s()), None))

    async def state(self, host: str) -> Host:
        """What is remembered about the host."""
        [rows] = await self._database.snapshot([(_GET, {"named": host})])
        return _host_of(rows)

    def _now_s(self) -> float:
        return self._clock.now().timestamp()

    async def _move(self, host: str, move: Callable[[Host], tuple[Host, T]]) -> T:
        # A power failure may forget the last few requests, which is not worth a wait for the disk.
        async with self._database.write(durable=False) as session:
            state = _host_of(await session.rows(_GET, {"named": host}))
            moved, result = move(state)
            if moved != state:
                await session.run(_PUT, {"host": host, **msgspec.structs.asdict(moved)})
            return result


def _moment(seconds: float) -> datetime:
    # Rounded up to what a clock can show: asking at that very moment must not be too early.
    return datetime.fromtimestamp(math.ceil(seconds * 1_000_000) / 1_000_000, UTC)


def _host_of(rows: list[Row]) -> Host:
    return Host(**dict(zip(Host.__struct_fields__, rows[0], strict=True))) if rows else Host()
