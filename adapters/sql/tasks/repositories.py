"""Known repositories over SQL: one row each."""

from datetime import datetime

import msgspec
from sqlalchemy import bindparam, delete, or_, select

from adapters.sql.engine.database import Database, named_row
from adapters.sql.engine.dialects import replacing
from adapters.sql.schema.tables import repositories
from application.ports.tasks import KnownRepositories
from domain.repositories import KnownRepository, LookupResult
from domain.times import to_micros

_columns = repositories.c
_FIELDS = KnownRepository.__struct_fields__
_GET = select(*(_columns[name] for name in _FIELDS)).where(_columns.name == bindparam("of"))
_KEEP = replacing(repositories)
_FORGET = delete(repositories).where(_columns.name == bindparam("of"))
_DUE = (
    select(_columns.name)
    .where(
        or_(_columns.checked_at <= bindparam("before"), _columns.checked_at > bindparam("after"))
    )
    .order_by(_columns.checked_at)
)


class SqlKnownRepositories(KnownRepositories):
    """Known repositories in a SQL database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, name: str) -> KnownRepository | None:
        """Return a known repository, or None."""
        [rows] = await self._database.snapshot([(_GET, {"of": name})])
        if not rows:
            return None
        named = named_row(_FIELDS, rows[0], ("since", "checked_at"))
        named["result"] = msgspec.json.decode(named["result"], type=LookupResult)
        return KnownRepository(**named)

    async def keep(self, known: KnownRepository) -> None:
        """Store or replace a known repository."""
        named = {
            "name": known.name,
            "result": msgspec.json.encode(known.result).decode(),
            "since": to_micros(known.since),
            "checked_at": to_micros(known.checked_at),
        }
        async with self._database.write() as session:
            await session.run(_KEEP, named)

    async def forget(self, name: str) -> None:
        """Delete a known repository."""
        async with self._database.write() as session:
            await session.run(_FORGET, {"of": name})

    async def due(self, before: datetime, now: datetime) -> list[str]:
        """Return the repositories not looked up since then, longest ago first."""
        named = {"before": to_micros(before), "after": to_micros(now)}
        [rows] = await self._database.snapshot([(_DUE, named)])
        return [name for [name] in rows]
