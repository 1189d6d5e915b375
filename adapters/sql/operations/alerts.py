"""Alarms over SQL: one row each, changed by a statement that fails when somebody was faster."""

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
_TIMES = ("watched_since", "since", "taken_until")
#: The columns that are named differently from the fields of an AlertState.
_RENAMED = {"told": "delivered", "taken_until": "claimed_until"}

_NOW = select(now())
_ALL = select(alarms)
_ADD = upsert(alarms).on_conflict_do_nothing()
_MOVE = (
    update(alarms)
    .where(
        *(
            column.is_not_distinct_from(bindparam(f"seen_{column.name}", type_=column.type))
            for column in alarms.c
        )
    )
    .values({c.name: bindparam(f"new_{c.name}") for c in alarms.c if c.name not in _KEY})
)


class SqlAlerts(Alerts):
    """Keeps alarms in a SQL database."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def current(self) -> tuple[datetime, list[AlertState]]:
        """The present moment by the database's clock, and every alarm."""
        named = {"now": self._database.now(self._clock)}
        [[[now]], rows] = await self._database.snapshot([(_NOW, named), (_ALL, {})])
        # A database may have an order of its own for names.
        return from_micros(now), sorted(map(_alarm_of, rows), key=lambda alarm: alarm.key)

    async def move(self, seen: AlertState | None, following: AlertState) -> bool:
        """Change an alarm, unless it is no longer as it was seen."""
        async with self._database.write() as session:
            if seen is None:
                return bool(await session.run(_ADD, _row_of(following)))
            moving = {
                **{f"seen_{name}": value for name, value in _row_of(seen).items()},
                **{f"new_{name}": value for name, value in _row_of(following).items()},
            }
            return bool(await session.run(_MOVE, moving))


def _alarm_of(row: Row) -> AlertState:
    named = named_row(alarms.c.keys(), row, _TIMES)
    named["kind"] = Kind(named["kind"])
    named["raised"], named["told"] = bool(named["raised"]), bool(named["told"])
    return AlertState(**{_RENAMED.get(name, name): value for name, value in named.items()})


def _row_of(alarm: AlertState) -> dict[str, Any]:
    row = msgspec.structs.asdict(alarm)
    row.update({column: row.pop(field) for column, field in _RENAMED.items()})
    row.update({n: to_micros(row[n]) for n in _TIMES})
    return {**row, "kind": alarm.kind.value}
