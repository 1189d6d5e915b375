"""The quarantine over SQL."""

from sqlalchemy import bindparam, func, select

from adapters.sql.database import Database
from adapters.sql.tables import from_micros, quarantine
from application.ports.store import Quarantine, Quarantined

_RECENT = (
    select(*(quarantine.c[name] for name in Quarantined.__struct_fields__))
    .where(quarantine.c.dataset == bindparam("of"))
    .order_by(quarantine.c.rejected_at.desc(), quarantine.c.id.desc())
    .limit(bindparam("most"))
)
_COUNT = select(func.count()).where(quarantine.c.dataset == bindparam("of"))


class SqlQuarantine(Quarantine):
    """Reads the rejected records a SQL database holds."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def recent(self, dataset: str, limit: int) -> list[Quarantined]:
        """The records rejected last, newest first."""
        [rows] = await self._database.snapshot([(_RECENT, {"of": dataset, "most": limit})])
        return [
            Quarantined(
                source=source,
                receipt=receipt,
                pointer=pointer,
                reason=reason,
                excerpt=excerpt,
                rejected_at=from_micros(rejected_at),
            )
            for source, receipt, pointer, reason, excerpt, rejected_at in rows
        ]

    async def count(self, dataset: str) -> int:
        """How many records of the dataset are waiting."""
        [[[count]]] = await self._database.snapshot([(_COUNT, {"of": dataset})])
        return int(count)
