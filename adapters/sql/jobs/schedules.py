"""Schedules over SQL: a tick is claimed by a conditional update, in its job's transaction."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import bindparam, delete, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from adapters.sql.engine.database import Database, Row, SqlSession, Values, named_row
from adapters.sql.engine.dialects import now
from adapters.sql.jobs.jobs import requested
from adapters.sql.schema.tables import schedules
from application.ports.jobs import Schedules
from application.ports.system import Clock
from domain.jobs import FetchJob
from domain.schedules import Schedule
from domain.times import MICROSECOND, from_micros, to_micros

_FIELDS = Schedule.__struct_fields__

_NOW = select(now())
_ALL = select(*(schedules.c[name] for name in _FIELDS)).order_by(schedules.c.dataset)
#: No schedule changes while they are declared.
_ALL_LOCKED = _ALL.with_for_update()
_ADD = upsert(schedules).on_conflict_do_nothing()
_REMOVE = delete(schedules).where(schedules.c.dataset == bindparam("of"))
_CHANGING = [name for name in _FIELDS if name != "dataset"]
_MOVE = (
    update(schedules)
    .where(
        schedules.c.dataset == bindparam("of"),
        *(schedules.c[name] == bindparam(f"seen_{name}") for name in _CHANGING),
    )
    .values({name: bindparam(f"new_{name}") for name in _CHANGING})
)


class SqlSchedules(Schedules):
    """Schedules in a SQL database."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def declare(self, periods: Mapping[str, timedelta]) -> None:
        """Add, change and delete schedules so that exactly these remain."""
        async with self._database.write() as session:
            now, known = await self._locked(session)
            for dataset in known.keys() - periods.keys():
                await session.run(_REMOVE, {"of": dataset})
            for dataset, every in periods.items():
                seen = known.get(dataset)
                if seen is None:
                    await session.run(_ADD, _row_of(Schedule.starting(dataset, every, now)))
                elif seen.every != every:
                    await session.run(_MOVE, _move_values(seen, seen.changed(every, now)))
            await session.note_change()

    async def _locked(self, session: SqlSession) -> tuple[datetime, dict[str, Schedule]]:
        [[now]] = await session.rows(_NOW, {"now": self._database.now(self._clock)})
        found = map(schedule_of, await session.rows(_ALL_LOCKED, {}))
        return from_micros(now), {schedule.dataset: schedule for schedule in found}

    async def current(self) -> tuple[datetime, list[Schedule]]:
        """Return the time by the database's clock, and every schedule."""
        named = {"now": self._database.now(self._clock)}
        [[[now]], rows] = await self._database.snapshot([(_NOW, named), (_ALL, {})])
        return from_micros(now), [schedule_of(row) for row in rows]

    async def fire(self, seen: Schedule, following: Schedule, job: FetchJob) -> FetchJob | None:
        """Move a schedule on and insert its job, both or neither."""
        async with self._database.write() as session:
            if not await self._move(session, seen, following):
                return None
            return await requested(session, job)

    async def move(self, seen: Schedule, following: Schedule) -> bool:
        """Move a schedule on without a job."""
        async with self._database.write() as session:
            return await self._move(session, seen, following)

    async def _move(self, session: SqlSession, seen: Schedule, following: Schedule) -> bool:
        changed = await session.run(_MOVE, _move_values(seen, following))
        if changed:
            await session.note_change()
        return bool(changed)


def schedule_of(row: Row) -> Schedule:
    """Return the schedule in a row of the schedules table."""
    named = named_row(_FIELDS, row, ("tick_at", "next_run_at", "moved_at"))
    named["every"] *= MICROSECOND
    return Schedule(**named)


def _row_of(schedule: Schedule) -> dict[str, Any]:
    return {
        "dataset": schedule.dataset,
        "every": schedule.every // MICROSECOND,
        "tick_at": to_micros(schedule.tick_at),
        "next_run_at": to_micros(schedule.next_run_at),
        "failures": schedule.failures,
        "moved_at": to_micros(schedule.moved_at),
    }


def _move_values(seen: Schedule, following: Schedule) -> Values:
    return {
        "of": seen.dataset,
        **{f"seen_{name}": value for name, value in _row_of(seen).items()},
        **{f"new_{name}": value for name, value in _row_of(following).items()},
    }
