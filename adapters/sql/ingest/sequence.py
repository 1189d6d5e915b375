"""The changes of a dataset follow each other: each has the next number, and a later time."""

from typing import Any, NamedTuple

from sqlalchemy import bindparam, select, update

from adapters.sql.engine.database import SqlSession
from adapters.sql.engine.times import to_micros
from adapters.sql.schema.tables import datasets
from application.ports.system import Clock
from domain.dataset import Dataset

#: Those who change one dataset follow each other, so that its numbers are in the order of commits.
_LAST = (
    select(datasets.c.seq, datasets.c.changed_at)
    .where(datasets.c.name == bindparam("of"))
    .with_for_update()
)
_MOVE = (
    update(datasets)
    .where(datasets.c.name == bindparam("of"))
    .values(seq=bindparam("next"), changed_at=bindparam("at"))
)


class ChangeStamp(NamedTuple):
    """One transaction's change of a dataset: its number, and its time in whole microseconds."""

    seq: int
    at: int


async def next_change(session: SqlSession, dataset: Dataset[Any], clock: Clock) -> ChangeStamp:
    """What this transaction changes, if it does; nobody else can draw it until the end.

    Its time is later than that of the change before, also when another machine's clock is fast or
    ours was set back: whoever asks for all that changed after the last time seen misses nothing.
    """
    [[seq, at]] = await session.rows(_LAST, {"of": dataset.name})
    return ChangeStamp(int(seq) + 1, max(to_micros(clock.now()), int(at) + 1))


async def move_on(session: SqlSession, dataset: Dataset[Any], change: ChangeStamp) -> None:
    """Let the change that was drawn be the dataset's last, because records have changed."""
    await session.run(_MOVE, {"of": dataset.name, "next": change.seq, "at": change.at})
