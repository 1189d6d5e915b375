"""Alert states over SQL: one row each, changed by optimistic locking."""

from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import bindparam, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from adapters.sql.engine.database import Database, Row, named_row
from adapters.sql.engine.dialects import now
from adapters.sql.schema.tables import alarms
from application.ports.operations import Alerts
from application.ports.system import Clock
from domain.alerts import AlertState, Kind
from domain.times import from_micros, to_micros

_KEY = ("kind", "dataset", "source")
_TIMES = ("watched_since", "since", "claimed_until")

_NOW = select(now())
_ALL = select(alarms)
_ADD = upsert(alarms).on_conflict_do_nothing()
_MOVE = (
    update(alarms)
    .where(
        *(
            column.is_not_distinct_from(bindparam(f"seen_{column.key}", type_=column.type))
            for column in alarms.c
        )
    )
    .values({c.key: bindparam(f"new_{c.key}") for c in alarms.c if c.key not in _KEY})
)


class SqlAlerts(Alerts):
    """Alert states in a SQL database."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def current(self) -> tuple[datetime, list[AlertState]]:
        """Return the time by the database's clock, and every alert state."""
        named = {"now": self._database.now(self._clock)}
        [[[now]], rows] = await self._database.snapshot([(_NOW, named), (_ALL, {})])
        # The order of names depends on the database.
        return from_micros(now), sorted(map(_state_of, rows), key=lambda state: state.key)

    async def move(self, seen: AlertState | None, following: AlertState) -> bool:
        """Change an alert state and return True; False if it is no longer as it was seen."""
        async with self._database.write() as session:
            if seen is None:
                return bool(await session.run(_ADD, _row_of(following)))
            named = {
                **{f"seen_{name}": value for name, value in _row_of(seen).items()},
                **{f"new_{name}": value for name, value in _row_of(following).items()},
            }
            return bool(await session.run(_MOVE, named))


def _state_of(row: Row) -> AlertState:
    named = named_row(alarms.c.keys(), row, _TIMES)
    named["kind"] = Kind(named["kind"])
    named["raised"], named["delivered"] = bool(named["raised"]), bool(named["delivered"])
    return AlertState(**named)


def _row_of(state: AlertState) -> dict[str, Any]:
    row = msgspec.structs.asdict(state)
    row.update({n: to_micros(row[n]) for n in _TIMES})
    return {**row, "kind": state.kind.value}
