"""The quarantine in SQL: rejected records, written by intakes and read by admins."""

import hashlib
from collections.abc import Collection, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

import msgspec
from sqlalchemy import Select, bindparam, case, delete, func, select, tuple_
from sqlalchemy.dialects.postgresql import insert as upsert

from adapters.sql.engine.database import Database, Row, SqlSession, named_row
from adapters.sql.schema.tables import quarantine
from application.ports.ingest import Quarantine, Quarantined
from domain.payloads import Payload
from domain.reports import Rejection
from domain.times import to_micros

_REJECTED = tuple(column.name for column in quarantine.c if column.name != "id")
_REJECT = upsert(quarantine).values({name: bindparam(name) for name in _REJECTED})
_REJECT = _REJECT.on_conflict_do_update(
    index_elements=["dataset", "source", "digest"],
    set_={
        # A replay of an older payload does not change where the record was last seen.
        "receipt": case(
            (quarantine.c.receipt > _REJECT.excluded.receipt, quarantine.c.receipt),
            else_=_REJECT.excluded.receipt,
        ),
        "rejected_at": _REJECT.excluded.rejected_at,
    },
)
_WAITING = select(quarantine.c.id, quarantine.c.digest, quarantine.c.receipt).where(
    quarantine.c.dataset == bindparam("of"), quarantine.c.source == bindparam("by")
)
_RELEASE = delete(quarantine).where(quarantine.c.id == bindparam("rejection"))


async def reject(
    session: SqlSession,
    dataset: str,
    source: str,
    rejections: Sequence[Rejection],
    payload: Payload,
    now: int,
) -> set[str]:
    """Put records into quarantine within a transaction, and return their digests.

    A known one gets the new receipt and time.
    """
    rows = {}
    for rejection in rejections:
        named = {
            **msgspec.structs.asdict(rejection),
            "dataset": dataset,
            "source": source,
            "digest": _digest(rejection, payload.page),
            "receipt": payload.receipt,
            "rejected_at": now,
        }
        rows[named["digest"]] = tuple(named[name] for name in _REJECTED)
    await session.many(_REJECT, list(rows.values()))
    return {*rows}


async def release(
    session: SqlSession,
    dataset: str,
    source: str,
    receipts: Collection[int],
    rejected: Collection[str],
) -> None:
    """Remove from quarantine the records of these payloads that were not rejected again."""
    waiting = await session.rows(_WAITING, {"of": dataset, "by": source})
    gone: list[Row] = [
        (rejection,)
        for rejection, digest, receipt in waiting
        if receipt in receipts and digest not in rejected
    ]
    await session.many(_RELEASE, gone)


def _digest(rejection: Rejection, page: int) -> str:
    # Equal records on two pages of one fetch are two.
    content = msgspec.json.encode(rejection) + (b"%d" % page if page else b"")
    return hashlib.blake2b(content, digest_size=16).hexdigest()


_POSITION = quarantine.c.rejected_at, quarantine.c.id
_ALL = select(*(quarantine.c[name] for name in Quarantined.__struct_fields__))
_GET = _ALL.where(quarantine.c.id == bindparam("rejection"))
_COUNT = select(func.count()).where(quarantine.c.dataset == bindparam("of"))


class SqlQuarantine(Quarantine):
    """The rejected records in a SQL database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def recent(
        self,
        dataset: str | None,
        limit: int,
        source: str | None = None,
        before: tuple[datetime, int] | None = None,
    ) -> list[Quarantined]:
        """Return rejected records, latest first."""
        named: dict[str, Any] = {"of": dataset, "by": source, "most": limit}
        if before is not None:
            named |= {"rejected_at": to_micros(before[0]), "rejection": before[1]}
        query = _recent(dataset is not None, source is not None, before is not None)
        [rows] = await self._database.snapshot([(query, named)])
        return list(map(_quarantined, rows))

    async def get(self, rejection_id: int) -> Quarantined | None:
        """Return a record in quarantine, or None."""
        [rows] = await self._database.snapshot([(_GET, {"rejection": rejection_id})])
        return _quarantined(rows[0]) if rows else None

    async def count(self, dataset: str) -> int:
        """Return how many records of the dataset are in quarantine."""
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
        query = query.where(
            tuple_(*_POSITION) < tuple_(bindparam("rejected_at"), bindparam("rejection"))
        )
    return query.order_by(*(column.desc() for column in _POSITION)).limit(bindparam("most"))


def _quarantined(row: Row) -> Quarantined:
    return Quarantined(**named_row(Quarantined.__struct_fields__, row, ("rejected_at",)))
