"""What is known of repositories over SQL: one row for each."""

from datetime import datetime

import msgspec
from sqlalchemy import bindparam, delete, select

from adapters.sql.engine.database import Database
from adapters.sql.engine.dialects import replacing
from adapters.sql.schema.tables import repositories
from application.ports.tasks import KnownRepositories
from domain.repositories import KnownRepository, LookupResult
from domain.times import from_micros, to_micros

_FIELDS = ("name", "told", "told_at", "looked_at")

_columns = repositories.c
_GET = select(*(_columns[name] for name in _FIELDS)).where(_columns.name == bindparam("of"))
_KEEP = replacing(repositories)
_FORGET = delete(repositories).where(_columns.name == bindparam("of"))
_DUE = (
    select(_columns.name)
    .where(_columns.looked_at <= bindparam("before"))
    .order_by(_columns.looked_at)
)


class SqlKnownRepositories(KnownRepositories):
    """Keeps what is known of repositories in a SQL database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, name: str) -> KnownRepository | None:
        """What is known of one repository."""
        [rows] = await self._database.snapshot([(_GET, {"of": name})])
        if not rows:
            return None
        [[_, result, since, checked_at]] = rows
        return KnownRepository(
            name=name,
            result=msgspec.json.decode(result, type=LookupResult),
            since=from_micros(since),
            checked_at=from_micros(checked_at),
        )

    async def keep(self, known: KnownRepository) -> None:
        """Remember this of a repository."""
        named = {
            "name": known.name,
            "told": msgspec.json.encode(known.result).decode(),
            "told_at": to_micros(known.since),
            "looked_at": to_micros(known.checked_at),
        }
        async with self._database.write() as session:
            await session.run(_KEEP, named)

    async def forget(self, name: str) -> None:
        """Know nothing more of a repository."""
        async with self._database.write() as session:
            await session.run(_FORGET, {"of": name})

    async def due(self, before: datetime) -> list[str]:
        """The repositories nobody has looked at since before then."""
        [rows] = await self._database.snapshot([(_DUE, {"before": to_micros(before)})])
        return [name for [name] in rows]
