"""Receipts over SQL."""

from sqlalchemy import bindparam, select

from adapters.sql.engine.database import Database
from adapters.sql.ingest.payloads import unpacked
from adapters.sql.schema.tables import payload_chunks, receipts
from application.ports.receipts import Receipts, Received

_LAST = (
    select(receipts)
    .where(receipts.c.job_id == bindparam("job"))
    .order_by(receipts.c.id.desc())
    .limit(1)
)
_BODY = (
    select(payload_chunks.c.data)
    .where(payload_chunks.c.hash.in_(_LAST.with_only_columns(receipts.c.hash)))
    .order_by(payload_chunks.c.number)
)


class SqlReceipts(Receipts):
    """Finds what jobs have received in a SQL database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def last(self, job_id: str) -> Received | None:
        """The last payload that a job has received."""
        named = {"job": job_id}
        [rows, chunks] = await self._database.snapshot([(_LAST, named), (_BODY, named)])
        if not rows:
            return None
        receipt = dict(zip(receipts.c.keys(), rows[0], strict=True))
        return Received(receipt["source"], unpacked(receipt, chunks))
