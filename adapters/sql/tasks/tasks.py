"""Tasks over SQL: rows of their dataset's table, written one by one and not by merges."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import bindparam, delete, func, insert, select, update

from adapters.sql.engine.database import Database, SqlSession, Values
from adapters.sql.schema.sql_dataset import ChangeStamp, SqlDataset
from application.ports.system import Clock
from application.ports.tasks import Tasks
from domain.dataset import CHANGED_AT
from domain.tasks import TASKS, Task, require_room, task_of
from domain.times import from_micros

_SQL = SqlDataset.of(TASKS)
_TABLE = _SQL.table
_SAME = _TABLE.c.id == bindparam("of")

_ADD = insert(_TABLE)
_COUNT = select(func.count()).select_from(_TABLE)
_CHANGE = (
    update(_TABLE)
    .where(_SAME)
    .values({c.name: bindparam(f"new_{c.name}", type_=c.type) for c in _TABLE.c if c.name != "id"})
)
_REMOVE = delete(_TABLE).where(_SAME)


class SqlTasks(Tasks):
    """Tasks in a SQL database.

    A write begins by locking the dataset's sequence number, so that writes are serialised and each
    reads what the one before it has written.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def add(self, task: Task, most: int) -> Any:
        """Store a new task, unless there are `most` already."""
        async with self._database.write() as session:
            stamp = await _SQL.next_change(session, self._clock)
            [[count]] = await session.rows(_COUNT, {})
            require_room(count, most)
            values, row = self._written(task, stamp)
            await session.run(_ADD, values)
            await _note_change(session, stamp)
        return row

    async def change(self, task_id: str, change: Callable[[Task], Task]) -> Any | None:
        """Apply a change to a task and store the result."""
        async with self._database.write() as session:
            stamp = await _SQL.next_change(session, self._clock)
            known = await _row_of(session, task_id)
            if known is None:
                return None
            before = task_of(known)
            after = change(before)
            if after == before:
                return known
            values, row = self._written(after, stamp)
            named = {f"new_{name}": value for name, value in values.items()}
            await session.run(_CHANGE, {"of": task_id, **named})
            await _note_change(session, stamp)
        return row

    async def remove(self, task_id: str, admit: Callable[[Task], None]) -> bool:
        """Remove a task, unless `admit` raises."""
        async with self._database.write() as session:
            stamp = await _SQL.next_change(session, self._clock)
            known = await _row_of(session, task_id)
            if known is None:
                return False
            admit(task_of(known))
            await session.run(_REMOVE, {"of": task_id})
            await _note_change(session, stamp)
        return True

    def _written(self, task: Task, stamp: ChangeStamp) -> tuple[Values, Any]:
        """Return a task's column values, and its row as it will be read."""
        [staged] = _SQL.staged([task], 0, 0)
        values = dict(zip(_SQL.stage.c.keys(), staged, strict=True))
        del values["_number"]
        values |= {"_source": "", "_seq": stamp.seq, CHANGED_AT.name: stamp.at}
        return values, TASKS.stored(task, from_micros(stamp.at))


async def _row_of(session: SqlSession, task_id: str) -> Any | None:
    rows = _SQL.decoded(await session.rows(_SQL.by_key, {"key_id": task_id}))
    return rows[0] if rows else None


async def _note_change(session: SqlSession, stamp: ChangeStamp) -> None:
    await _SQL.note_change(session, stamp)
    await session.note_change()
