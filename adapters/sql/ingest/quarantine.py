"""The quarantine over SQL."""

from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import Select, bindparam, func, select, tuple_

from adapters.sql.engine.database import Database, Row
from adapters.sql.engine.times import from_micros, to_micros
from adapters.sql.schema.tables import quarantine
from application.ports.datasets import Quarantine, Quarantined

_PLACE = quarantine.c.rejected_at, quarantine.c.id
_ALL = select(*(quarantine.c[name] for name in Quarantined.__struct_fields__))
_GET = _ALL.where(quarantine.c.id == bindparam("rejection"))
_COUNT = select(func.count()).where(quarantine.c.dataset == bindparam("of"))


class SqlQuarantine(Quarantine):
    """Reads the rejected records a SQL database holds."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def recent(
        self,
        dataset: str | None,
        limit: int,
        source: str | None = None,
        before: tuple[datetime, int] | None = None,
    ) -> list[Quarantined]:
        """The records rejected last, newest first."""
        named: dict[str, Any] = {"of": dataset, "by": source, "most": limit}
        if before is not None:
            named |= {"moment": to_micros(before[0]), "rejection": before[1]}
        query = _recent(dataset is not None, source is not None, before is not None)
        [rows] = await self._database.snapshot([(query, named)])
        return list(map(_quarantined, rows))

    async def get(self, rejection_id: int) -> Quarantined | None:
        """One rejected record, as long as it waits."""
        [rows] = await self._database.snapshot([(_GET, {"rejection": rejection_id})])
        return _quarantined(rows[0]) if rows else None

    async def count(self, dataset: str) -> int:
        """How many records of the dataset are waiting."""
        [[[count]]] = await self._database.snapshot([(_COUNT, {"of": dataset})])
        return int(count)


@lru_cache(maxsize=8)
def _recent(of_dataset: bool, of_source: bool, older: bool) -> Select[Any]:
    query = _ALL
    if of_dataset:
        query = query.where(quarantine.c.dataset == bindparam("of"))
    if of_source:
        query = query.where(quarantine.c.source == bindparam("by"))
    if older:
        query = query.where(tuple_(*_PLACE) < tuple_(bindparam("moment"), bindparam("rejection")))
    return query.order_by(*(column.desc() for column in _PLACE)).limit(bindparam("most"))


def _quarantined(row: Row) -> Quarantined:
    named = dict(zip(Quarantined.__struct_fields__, row, strict=True))
    named["rejected_at"] = from_micros(named["rejected_at"])
    return Quarantined(**named)
